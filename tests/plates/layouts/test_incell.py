"""IN Cell Analyzer names and xdce files: made folders under names as the instruments give them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.layouts.microscopes import incell
from napari_cellclip.plates.layouts.microscopes.xdce import read_xdce
from napari_cellclip.vocabulary import PlateError, Stain
from tests.plates.made_plates import image

PAIRS = {
    "DAPI - DAPI": (390, 432),
    "FITC - FITC": (475, 511),
    "Cy3 - Cy3": (542, 597),
    "Green - dsRed": (542, 597),
}
XDCE = (
    '<?xml version="1.0" encoding="ISO-8859-1"?><ImageStack><AutoLeadAcquisitionProtocol>'
    '<ObjectiveCalibration pixel_width="0.65" magnification="10"/><Plate rows="16" columns="24"/>'
    '<FieldOffsets><offset_point index="0" x="-200" y="100"/><offset_point index="1" x="200" y="100"/></FieldOffsets>'
    "<Wavelengths>"
    + "".join(
        f'<Wavelength index="{i}"><ExcitationFilter name="{pair.split(" - ")[0]}" wavelength="{ex}" unit="nm"/>'
        f'<EmissionFilter name="{pair.split(" - ")[1]}" wavelength="{em}" unit="nm"/></Wavelength>'
        for i, (pair, (ex, em)) in enumerate(PAIRS.items())
    )
    + '</Wavelengths></AutoLeadAcquisitionProtocol><Images number="1"><Image filename="x"/></Images></ImageStack>'
)


def write(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(names):
        tifffile.imwrite(folder / name, image(100 * value))
    return folder


@pytest.fixture
def folder(tmp_path):
    names = [
        f"{well}(fld {f} wv {pair}).tif"
        for well in ("A - 1", "H - 12")
        for f in (1, 2)
        for pair in list(PAIRS)[:3]
    ]
    root = write(tmp_path / "P", *names)
    (root / "P.xdce").write_text(XDCE)
    return root


def test_names_give_wells_and_the_xdce_file_wavelengths_and_positions(folder):
    assert detect_layout(folder) == detect_layout(folder / "P.xdce") == "incell"
    plate = open_plate(folder)
    assert (plate.shape, plate.pixel_size, plate.problems) == ((16, 24), 0.65, ())
    assert [s.id for s in plate.sites] == ["P/A01/1", "P/A01/2", "P/H12/1", "P/H12/2"]
    assert plate.sites[1].position == (100.0, 200.0)
    assert plate.stains.channels == {
        Stain.DNA: "DAPI - DAPI",
        Stain.ER: "FITC - FITC",
        Stain.AGP: "Cy3 - Cy3",
    }
    np.testing.assert_array_equal(plate.site("P/A01/2").read(["ER"])[0], image(400))


def test_without_the_xdce_file_names_of_filters_that_are_no_stains_are_left_to_the_user(folder):
    (folder / "P.xdce").unlink()
    plate = open_plate(folder)
    assert plate.stains.unmapped == ("Cy3 - Cy3",)
    assert "no .xdce file" in plate.problems[0].what


def test_planes_times_prefixes_and_transmitted_light(tmp_path):
    names = [f"Plate1_B - 03(fld 01 wv Green - dsRed z {z} time 2 - 360 ms).tif" for z in (1, 2)]
    names += [f"Plate1_B - 03(fld 01 wv TL-Brightfield - Cy3 wix {i}).tif" for i in (1, 2)]
    images, strange = incell.parse_names(Path(n) for n in names)
    assert strange == []
    assert [(i.channel, i.plane, i.time) for i in images] == [
        ("Green - dsRed", 1, 2),
        ("Green - dsRed", 2, 2),
        ("TL-Brightfield - Cy3 wix 1", 0, 1),
        ("TL-Brightfield - Cy3 wix 2", 0, 1),
    ]
    plate = open_plate(write(tmp_path / "P", *names))
    assert set(plate.stains.ignored) == {"TL-Brightfield - Cy3 wix 1", "TL-Brightfield - Cy3 wix 2"}
    assert any("time point 1 of 2" in p.what for p in plate.problems)
    np.testing.assert_array_equal(
        open_plate(tmp_path / "P", time=2, channels={"RNA": "Green - dsRed"}).sites[0].read(["RNA"])[0],
        image(100),
    )


def test_one_wavelength_and_one_field_need_no_words(tmp_path):
    plate = open_plate(
        write(tmp_path / "P", "A - 1(fld 1).tif", "A - 2(fld 1).tif"), channels={"DNA": "image"}
    )
    assert [s.id for s in plate.sites] == ["P/A01/1", "P/A02/1"]


@pytest.mark.parametrize(
    "text",
    ["", "<a", '<!DOCTYPE x [<!ENTITY e "boom">]><a>&e;</a>', '<?xml version="1.0" encoding="none"?><a/>'],
)
def test_damaged_and_hostile_xdce_files_are_remarks(folder, text):
    (folder / "P.xdce").write_text(text)
    plate = open_plate(folder)
    assert len(plate.sites) == 4
    assert "opened by its file names alone" in plate.problems[0].what


def test_absurd_values_are_passed_over(folder):
    text = (
        XDCE.replace('"0.65"', '"nan"')
        .replace('rows="16"', f'rows="{"9" * 5000}"')
        .replace('"-200"', '"inf"')
    )
    (folder / "P.xdce").write_text(text)
    plate = open_plate(folder)
    assert (plate.shape, plate.pixel_size, plate.sites[0].position) == ((8, 12), None, None)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_xdce_file_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "P.xdce"
    file.write_bytes(content)
    with contextlib.suppress(PlateError):
        read_xdce(file)


@given(st.text(max_size=60), st.text(max_size=60).filter(lambda t: "/" not in t and "\0" not in t))
def test_any_name_is_read_or_left_out(before, body):
    images, strange = incell.parse_names([Path(f"{before}A - 1({body}).tif")])
    assert len(images) + len(strange) == 1
