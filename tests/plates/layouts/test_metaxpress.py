"""MetaXpress names and HTD files: made folders as exports and databases are, and a real export."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.layouts.microscopes import metaxpress
from napari_cellclip.plates.layouts.microscopes.htd import parse_htd
from napari_cellclip.vocabulary import PlateError, Stain, well_name
from tests.plates.made_plates import image

GUID = "46C9B2CD-0BB3-4B8A-9187-2805F4C90506"
HTD = """"HTSInfoFile", Version 1.0
"Description", "a\x92b"
"XWells", 12
"YWells", 8
"WellsSelection2", FALSE, TRUE, TRUE, FALSE
"Sites", TRUE
"SiteSelection1", TRUE, FALSE
"SiteSelection2", TRUE, FALSE
"NWavelengths", 2
"WaveName1", "DAPI"
"WaveName2", "Cy5"
"EndFile"
"""


def write(folder, *names):
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, image(100 * value))
    return folder


@pytest.fixture
def export(tmp_path):
    names = [f"TimePoint_1/P_{w}_s{s}_w{c}.TIF" for w in ("B02", "B03") for s in (1, 2) for c in (1, 2)]
    folder = write(tmp_path / "P", *names)
    (folder / "P.HTD").write_bytes(HTD.encode("latin-1"))
    return folder


def test_names_of_wavelengths_and_the_plate_come_from_the_htd_file(export):
    assert detect_layout(export) == detect_layout(export / "P.HTD") == "metaxpress"
    plate = open_plate(export)
    assert (plate.shape, plate.problems) == ((8, 12), ())
    assert [s.id for s in plate.sites] == ["P/B02/1", "P/B02/2", "P/B03/1", "P/B03/2"]
    assert plate.stains.channels == {Stain.DNA: "w1", Stain.MITO: "w2"}
    assert plate.stains.sources[Stain.MITO] == "HTD name 'Cy5'"
    np.testing.assert_array_equal(plate.site("P/B03/1").read(["Mito"])[0], image(500))


def test_sites_and_wavelengths_that_are_missing_are_named(export):
    for file in [*export.rglob("*B03_s2*"), *export.rglob("*_w2.TIF")]:
        file.unlink(missing_ok=True)
    told = [str(p) for p in open_plate(export).problems]
    assert "w2: the HTD file lists 'Cy5', but there is no image of it" in told
    assert any("P/B03/2" in p and "no image of DNA" in p for p in told)


def test_names_of_a_database_have_identifiers_and_no_number_is_taken_for_a_stain(tmp_path):
    names = [f"2023-02-21/1334/P_E07_s1_w{c}{GUID}.tif" for c in (1, 2)]
    folder = write(tmp_path / "P", *names, f"2023-02-21/1334/P_E07_s1_w1_thumb{GUID}.tif")
    plate = open_plate(folder)
    assert (plate.layout, [s.id for s in plate.sites]) == ("metaxpress", ["P/E07/1"])
    assert plate.stains.unmapped == ("w1", "w2")
    assert "no .HTD file" in plate.problems[0].what


def test_identifiers_also_in_png_files(tmp_path):
    (tmp_path / f"IXMtest_A01_s3_w5{GUID}.png").write_bytes(b"")
    assert detect_layout(tmp_path) == "metaxpress"


def test_the_projection_of_the_microscope_is_used_where_there_is_one(tmp_path):
    steps = [f"TimePoint_1/ZStep_{z}/P_B02_s1_w1.TIF" for z in (0, 1, 2)]
    plate = open_plate(write(tmp_path / "P", *steps, *[s.replace("w1", "w2") for s in steps[1:]]))
    plate = plate.with_channels({"DNA": "w1", "ER": "w2"})
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], image(0))
    np.testing.assert_array_equal(plate.sites[0].read(["ER"])[0], image(400))
    told = " ".join(p.what for p in plate.problems)
    assert "2 images of single focal planes are left out" in told


def test_a_time_point_is_chosen_and_told(tmp_path):
    folder = write(tmp_path / "P", *[f"TimePoint_{t}/P_B02_w1.TIF" for t in (1, 2, 3)])
    plate = open_plate(folder, channels={"DNA": "w1"})
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], image(0))
    assert any("time point 1 of 3 is open" in p.what for p in plate.problems)
    plate = open_plate(folder, channels={"DNA": "w1"}, time=3)
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], image(200))
    with pytest.raises(PlateError, match="no images of time point 9: choose one of 1, 2, 3"):
        open_plate(folder, time=9)


def test_two_plates_are_not_mixed(tmp_path):
    write(tmp_path, f"one/P_B02_s1_w1{GUID}.tif", f"two/P_B02_s1_w1{GUID}.tif")
    with pytest.raises(PlateError, match=r"holds 2 plates \(one, two\)"):
        open_plate(tmp_path)
    assert open_plate(tmp_path, name="two").name == "two"


@pytest.mark.parametrize("text", ["", "\0" * 99, '"XWells", 1e9', '"XWells", \u0664', '"YWells", -1'])
def test_a_damaged_htd_file_is_a_remark(export, text):
    (export / "P.HTD").write_text(text, encoding="utf-8")
    plate = open_plate(export)
    assert len(plate.sites) == 4
    assert "opened by its file names alone" in plate.problems[0].what


def test_an_absurd_htd_file_promises_no_more_than_a_plate_has():
    rows = "\n".join(f'"WellsSelection{r}"' + ", TRUE" * 300 for r in range(1, 300))
    htd = parse_htd(f'"Sites", TRUE\n"SiteSelection1"{", TRUE" * 5}\n{rows}')
    assert len(htd.promised) == 1536 * 5


@given(
    st.integers(0, 31),
    st.integers(0, 47),
    st.integers(1, 9999),
    st.integers(1, 12),
    st.sampled_from(["", GUID]),
    st.sampled_from(["", "P_", "w1_", "A01_s1_", "a b-c_"]),
)
def test_names_are_taken_apart_as_they_were_put_together(
    tmp_path_factory, row, column, site, wave, guid, before
):
    root = tmp_path_factory.getbasetemp()
    well = well_name(row, column)
    file = root / "TimePoint_2" / "ZStep_3" / f"{before}{well}_s{site}_w{wave}{guid}.tif"
    (found,), strange = metaxpress.parse_names([file], root)
    assert strange == []
    assert (found.well, found.site, found.channel) == (well, site, f"w{wave}")
    assert (found.plane, found.time) == (3, 2)


@given(st.text(max_size=80))
def test_any_text_is_an_htd_file_or_refused(text):
    try:
        htd = parse_htd(text)
    except PlateError:
        return
    assert len(htd.promised) <= 1536 * 1000


@pytest.mark.real_data
def test_a_real_export_with_mixed_focal_planes(real_data):
    folder = real_data / "layout_faim_ipa/ImageXpress_exported/9987_Plate_3434"
    plate = open_plate(folder)
    assert (plate.layout, plate.shape, len(plate.sites)) == ("metaxpress", (8, 12), 4)
    assert plate.stains.channels == {Stain.DNA: "w1", Stain.ER: "w2", Stain.AGP: "w3"}
    stored = tifffile.imread(folder / "TimePoint_1/ZStep_0/9987_B02_s1_w1.TIF")
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], stored)


@pytest.mark.real_data
def test_a_real_database_folder(real_data):
    plate = open_plate(real_data / "layout_faim_ipa/ImageXpress/Projection-Mix")
    assert [w.name for w in plate.wells] == ["E07", "E08"]
    assert plate.stains.unmapped == ("w1", "w2", "w3")
