"""Yokogawa measurements: made folders with the XML files of a CV8000, and a real measurement."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.layouts.microscopes import yokogawa
from napari_cellclip.plates.layouts.microscopes.yokogawa_files import read_records
from napari_cellclip.vocabulary import PlateError, Stain, well_name
from tests.plates.made_plates import image

XML = '<?xml version="1.0" encoding="utf-8"?>\n'
SPACE = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
LIGHTS = {
    1: (405, "BP445/45", ""),
    2: (488, "BP525/50", ""),
    3: (640, "BP676/29", ""),
    4: (0, "", "Brightfield"),
}


def name(column, field, plane, channel, time=1):
    return f"P_B{column:02d}_T{time:04d}F{field:03d}L01A01Z{plane:02d}C{channel:02d}.tif"


def record(column, field, plane, channel, time=1, kind="IMG", row=2, text=None):
    return (
        f'<bts:MeasurementRecord bts:Type="{kind}" bts:Column="{column}" bts:Row="{row}" bts:TimePoint="{time}" '
        f'bts:FieldIndex="{field}" bts:ZIndex="{plane}" bts:X="-10.5" bts:Y="{field}" bts:Ch="{channel}">'
        f"{text or name(column, field, plane, channel, time)}</bts:MeasurementRecord>"
    )


def measurement(folder: Path, records: list[str], settings=True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MeasurementData.mlf").write_text(
        f"{XML}<bts:MeasurementData {SPACE}>{''.join(records)}</bts:MeasurementData>"
    )
    (folder / "MeasurementDetail.mrf").write_text(
        f'{XML}<bts:MeasurementDetail bts:Title="P" bts:RowCount="16" bts:ColumnCount="24" {SPACE}>'
        '<bts:MeasurementChannel bts:Ch="1" bts:HorizontalPixelDimension="0.65" /></bts:MeasurementDetail>',
        encoding="utf-8-sig",
    )
    lights = "".join(
        f'<bts:LightSource bts:Name="{n}nm" bts:WaveLength="{n}" />' for n, _, _ in LIGHTS.values()
    )
    channels = "".join(
        f'<bts:Channel bts:Ch="{ch}" bts:Target="{n}" bts:Acquisition="{band}" bts:Kind="{kind}">'
        f"<bts:LightSourceName>{n}nm</bts:LightSourceName></bts:Channel>"
        for ch, (n, band, kind) in LIGHTS.items()
    )
    if settings:
        (folder / "S.mes").write_text(
            f"{XML}<bts:MeasurementSetting {SPACE}>{lights}{channels}</bts:MeasurementSetting>"
        )
    (folder / "P.wpi").write_text(f'{XML}<bts:WellPlate bts:Name="P" {SPACE} />')
    return folder


@pytest.fixture
def folder(tmp_path):
    keys = [(c, f, z, ch) for c in (3, 4) for f in (1, 2) for z in (1, 2) for ch in LIGHTS]
    root = measurement(tmp_path / "run" / "P", [record(*key) for key in keys])
    for value, key in enumerate(keys):
        tifffile.imwrite(root / name(*key), image(100 * value))
    tifffile.imwrite(root / "DC_DCAM#1_CAM3.tif", image(0))
    return root


def test_wells_positions_and_wavelengths_come_from_the_xml_files(folder):
    assert (
        detect_layout(folder) == detect_layout(folder.parent) == detect_layout(folder / "P.wpi") == "yokogawa"
    )
    plate = open_plate(folder.parent)
    assert (plate.name, plate.shape, plate.pixel_size) == ("P", (16, 24), 0.65)
    assert [s.id for s in plate.sites] == ["P/B03/1", "P/B03/2", "P/B04/1", "P/B04/2"]
    assert plate.sites[1].position == (2.0, -10.5)
    assert plate.stains.channels == {Stain.DNA: "C01", Stain.ER: "C02", Stain.MITO: "C03"}
    assert "S.mes says Brightfield" in plate.stains.ignored["C04"]
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], image(400))


def test_the_folder_above_the_run_opens_too(folder, tmp_path):
    above = tmp_path / "above" / "run_20230918_135839"
    above.mkdir(parents=True)
    folder.rename(above / folder.name)
    plate = open_plate(above.parent)
    assert plate.layout == "yokogawa"
    assert plate.sites


def test_without_settings_no_channel_is_taken_for_a_stain(folder):
    (folder / "S.mes").unlink()
    plate = open_plate(folder)
    assert plate.stains.unmapped == ("C01", "C02", "C03", "C04")
    assert any("no .mes file" in p.what for p in plate.problems)


def test_without_the_list_the_names_say_the_same(folder):
    (folder / "MeasurementData.mlf").unlink()
    plate = open_plate(folder)
    assert (plate.layout, [s.id for s in plate.sites][:2]) == ("yokogawa", ["P/B03/1", "P/B03/2"])
    assert plate.sites[0].position is None


def test_missing_images_and_errors_of_the_instrument_are_named(folder):
    (folder / name(3, 1, 1, 1)).unlink()
    text = (folder / "MeasurementData.mlf").read_text()
    text = text.replace(record(4, 2, 1, 2), record(4, 2, 1, 2, kind="ERR", text="timeout"))
    (folder / "MeasurementData.mlf").write_text(text)
    plate = open_plate(folder)
    assert "is missing: copy it" in plate.site("P/B03/1").problem
    assert "recorded an error" in plate.site("P/B04/2").problem
    assert "instead of 1 images" in plate.problems[0].what


def test_a_time_point_is_chosen_and_told(tmp_path):
    root = measurement(tmp_path / "P", [record(3, 1, 1, 1, t) for t in (1, 2)])
    for t in (1, 2):
        tifffile.imwrite(root / name(3, 1, 1, 1, t), image(t))
    assert any("time point 1 of 2" in p.what for p in open_plate(root).problems)
    np.testing.assert_array_equal(open_plate(root, time=2).sites[0].read(["DNA"])[0], image(2))


def test_records_lead_nowhere_else(folder, tmp_path):
    tifffile.imwrite(tmp_path / "secret.tif", image(1))
    measurement(
        folder, [record(3, 1, 1, 1), record(3, 1, 1, 2, text="../../secret.tif"), record(3, 1, 1, 3, row=99)]
    )
    plate = open_plate(folder)
    assert "../../secret.tif is missing" in plate.sites[0].problem
    assert any("wells that no plate has" in p.what for p in plate.problems)


@pytest.mark.parametrize("file", ["MeasurementData.mlf", "MeasurementDetail.mrf", "S.mes"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a",
        f'{XML}<!DOCTYPE x [<!ENTITY e "boom">]><bts:MeasurementData {SPACE}>&e;</bts:MeasurementData>',
        f'{XML}<a {SPACE}><bts:MeasurementRecord bts:Row="x" bts:Column="{"9" * 5000}"/></a>',
    ],
)
def test_damaged_and_hostile_files_are_remarks(folder, file, text):
    (folder / file).write_text(text)
    if file == "MeasurementData.mlf" or not text.startswith(XML) or "DOCTYPE" in text:
        assert len(open_plate(folder).problems) >= 1
    assert len(open_plate(folder).sites) == 4


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "MeasurementData.mlf"
    file.write_bytes(content)
    with contextlib.suppress(PlateError):
        list(read_records(file))


@given(st.integers(0, 31), st.integers(0, 47), st.integers(1, 999), st.integers(1, 99), st.integers(1, 99))
def test_names_are_taken_apart_as_they_were_put_together(row, column, field, plane, channel):
    well = well_name(row, column)
    file = Path(f"a_B01_{well}_T0001F{field:03d}L01A02Z{plane:02d}C{channel:02d}.tif")
    (found,) = yokogawa.parse_names([file])
    assert (found.well, found.site, found.plane, found.channel) == (well, field, plane, f"C{channel:02d}")


@pytest.mark.real_data
def test_a_real_measurement(real_data):
    outer = next((real_data / "layout_faim_ipa/CV8000").iterdir())
    plate = open_plate(outer)
    assert (plate.layout, len(plate.wells), len(plate.sites), plate.pixel_size) == ("yokogawa", 3, 12, 0.325)
    assert plate.stains.channels == {Stain.DNA: "C01", Stain.ER: "C02"}
    assert plate.sites[0].position == (402.9, -567.1)
    assert plate.sites[0].shape == (2000, 2000)
