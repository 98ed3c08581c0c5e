"""Gen5 names: wells, sites, planes, computed images, steps and plates; made folders under names as Gen5 gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.layouts.microscopes import gen5
from napari_cellclip.vocabulary import PlateError, Stain, well_name
from tests.plates.made_plates import image

CHANNELS = {
    1: ("DAPI 377,447", Stain.DNA),
    2: ("GFP 469,525", Stain.ER),
    3: ("RFP 469,593", Stain.RNA),
    4: ("Texas Red 586,647", Stain.AGP),
    5: ("CY5 628,685", Stain.MITO),
}


def write(folder, *names):
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, image(100 * value))
    return folder


@pytest.fixture
def folder(tmp_path):
    names = [
        f"{well}_01_{index}_{site}_{channel}_001.tif"
        for well in ("D6", "B11")
        for site in (1, 2)
        for index, (channel, _) in CHANNELS.items()
    ]
    return write(tmp_path / "P1", *names)


def test_wells_sites_and_stains_come_from_the_names(folder):
    assert detect_layout(folder) == "gen5"
    plate = open_plate(folder)
    assert (plate.name, plate.layout, plate.shape, plate.problems) == ("P1", "gen5", (8, 12), ())
    assert [s.id for s in plate.sites] == ["P1/B11/1", "P1/B11/2", "P1/D06/1", "P1/D06/2"]
    assert plate.stains.channels == {stain: channel for channel, stain in CHANNELS.values()}
    assert "excitation 469 nm" in plate.stains.sources[Stain.ER]
    np.testing.assert_array_equal(plate.site("P1/D06/2").read(["AGP"])[0], image(800))
    assert open_plate(folder, channels={"DNA": "cy5", "Mito": 1}).stains.channels[Stain.DNA] == "CY5 628,685"


def test_names_without_wavelengths_are_mapped_by_name_or_left_to_the_user(tmp_path):
    plate = open_plate(write(tmp_path, "D6_01_1_1_DAPI_001.tif", "D6_01_2_1_GFP_001.tif"))
    assert plate.stains.channels == {Stain.DNA: "DAPI"}
    assert plate.stains.unmapped == ("GFP",)
    assert plate.with_channels({"ER": "GFP"}).sites[0].read(["ER"]).shape == (1, 6, 8)


def test_brightfield_is_left_out_and_a_missing_stain_has_a_name(folder):
    write(folder, "D6_01_6_1_Bright Field_001.tif")
    (folder / "D6_01_5_1_CY5 628,685_001.tif").unlink()
    plate = open_plate(folder)
    assert list(plate.stains.ignored) == ["Bright Field"]
    assert "no image of Mito" in plate.site("P1/D06/1").problem


def test_focal_planes_are_projected_and_regions_are_sites(tmp_path):
    names = [f"A1ROI{roi}_01_1_2Z{z}_Confocal DAPI_001.tif" for roi in (1, 2) for z in (0, 1, 2)]
    plate = open_plate(write(tmp_path / "P1", *names))
    assert [s.id for s in plate.sites] == ["P1/A01/ROI1-2", "P1/A01/ROI2-2"]
    np.testing.assert_array_equal(plate.sites[1].read(["DNA"])[0], image(500))


def test_a_folder_for_each_well_is_one_plate(tmp_path):
    names = [f"ID_{well} info/{well}_-1_1_1_DAPI_001.tif" for well in ("A9", "A10", "E9")]
    assert [w.name for w in open_plate(write(tmp_path, *names)).wells] == ["A09", "A10", "E09"]


def test_computed_images_are_used_only_without_their_originals(tmp_path):
    computed = "A1_-2_1_1_Tsf[Stitched[DAPI 377,447]]_001.tif"
    plate = open_plate(write(tmp_path / "one", computed))
    assert plate.stains.channels == {Stain.DNA: "DAPI 377,447"}
    plate = open_plate(write(tmp_path / "two", computed, "A1_01_1_1_DAPI 377,447_001.tif"))
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], image(100))
    assert [p.what for p in plate.problems] == ["1 stitched or otherwise computed images are left out"]


def test_steps_with_other_channels_are_joined_and_repeated_ones_left_out_and_named(tmp_path):
    names = (
        "A1_02_1_1_DAPI_001.tif",
        "A1_03_1_1_CY5_001.tif",
        "A1_03_2_1_DAPI_001.tif",
        "A1_03_1_1_CY5_002.tif",
    )
    plate = open_plate(write(tmp_path / "P1", *names))
    np.testing.assert_array_equal(plate.sites[0].read(["DNA", "Mito"]), [image(0), image(100)])
    assert [p.subject for p in plate.problems] == ["time points", "steps of the procedure"]
    assert "step 03" in plate.problems[1].what


def test_two_channels_of_one_name_are_told_apart_by_number(tmp_path):
    plate = open_plate(write(tmp_path, "A1_01_1_1_GFP_001.tif", "A1_01_2_1_GFP_001.tif"))
    assert plate.stains.available == ("GFP 1", "GFP 2")


def test_several_plates_in_a_folder_are_refused_until_one_is_chosen(tmp_path):
    write(tmp_path, "Plate 1/A1_01_1_1_DAPI_001.tif", "Plate 2/A1_01_1_1_DAPI_001.tif")
    assert detect_layout(tmp_path) == "gen5"
    with pytest.raises(PlateError, match=r"holds 2 plates \(Plate 1, Plate 2\)"):
        open_plate(tmp_path)
    np.testing.assert_array_equal(open_plate(tmp_path, name="Plate 2").sites[0].read(["DNA"])[0], image(100))


def test_other_images_and_wells_that_do_not_exist_are_named(folder):
    write(folder, "overview.tif", "Z99_01_1_1_DAPI_001.tif")
    problem = open_plate(folder).problems[0]
    assert "2 images are not named as Gen5 names them" in problem.what
    assert "overview.tif" in problem.what


def test_a_doubled_file_is_told(folder):
    tifffile.imwrite(folder / "D6_01_1_1_DAPI 377,447_001.tiff", image(1))
    assert "more than one file" in open_plate(folder).site("P1/D06/1").problem


@given(
    row=st.integers(0, 31),
    column=st.integers(0, 47),
    step=st.integers(-3, 99),
    site=st.integers(1, 9999),
    channel=st.sampled_from(
        [name for name, _ in CHANNELS.values()] + ["Bright Field", "Confocal DAPI", "a_b"]
    ),
)
def test_names_are_taken_apart_as_they_were_put_together(row, column, step, site, channel):
    well = well_name(row, column)
    name = f"{well}_{step:02d}_7_{site}_{channel}_001.tif"
    (found,), strange = gen5.parse_names([Path(name)])
    assert strange == []
    assert (found.well, found.step, found.index, found.site) == (well, step, 7, site)
    assert (found.channel, found.read) == (channel, 1)


@given(st.text(max_size=60))
def test_any_other_name_is_left_out(text):
    images, strange = gen5.parse_names([Path(text)])
    assert len(images) + len(strange) == 1
