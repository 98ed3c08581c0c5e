"""A folder above several plates says which lie below; it never mixes them, nor drops one without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile

from napari_cellclip.plates import open_plate
from napari_cellclip.vocabulary import PlateError
from tests.plates.made_plates import image

NAMES = {
    "yokogawa": ("P_B02_T0001F001L01A01Z01C01.tif", "P_C03_T0001F001L01A01Z01C01.tif"),
    "gen5": ("B2_01_1_1_DAPI_001.tif", "C3_01_1_1_DAPI_001.tif"),
    "incell": ("B - 02(fld 1 wv DAPI - DAPI).tif", "C - 03(fld 1 wv DAPI - DAPI).tif"),
    "phenix": ("r01c01f01p01-ch1sk1fk1fl1.tiff", "r02c03f01p01-ch1sk1fk1fl1.tiff"),
    "tiff-folder": ("A01_s1_DNA.tif", "B02_s1_DNA.tif"),
}


def write(folder: Path, names: tuple[str, ...], value: int = 1) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        tifffile.imwrite(folder / name, image(value))
    return folder


@pytest.mark.parametrize("second", ["gen5", "incell", "phenix"])
def test_plates_of_two_instruments_are_listed_and_one_is_opened_by_name(tmp_path, second):
    write(tmp_path / "BR1", NAMES["yokogawa"])
    write(tmp_path / "BR2", NAMES[second])
    with pytest.raises(PlateError) as refused:
        open_plate(tmp_path)
    listed = f"holds plates in 2 folders: BR1 (yokogawa), BR2 ({second}); open one of these folders"
    assert listed in str(refused.value)
    assert open_plate(tmp_path, name="BR2").layout == second
    assert open_plate(tmp_path, name="BR1").name == "BR1"


def test_plates_that_lie_deeper_are_found_instead_of_fields_without_wells(tmp_path):
    deep = write(tmp_path / "mixed/2023/BR1", NAMES["yokogawa"])
    write(tmp_path / "mixed/exports/BR2", NAMES["incell"])
    with pytest.raises(PlateError, match=r"2023 \(yokogawa\), exports \(incell\)"):
        open_plate(tmp_path / "mixed")
    assert open_plate(tmp_path / "mixed/2023").path == open_plate(deep).path


def test_images_beside_a_plate_of_another_layout_are_told(tmp_path):
    write(tmp_path / "BR1", NAMES["yokogawa"])
    write(tmp_path / "BR2", NAMES["tiff-folder"])
    (told,) = [p.what for p in open_plate(tmp_path).problems if p.subject == "BR2"]
    assert "are left out: open the folder by itself" in told


def test_two_folders_of_the_same_wells_are_two_plates(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"BR{number}", NAMES["tiff-folder"], number)
    with pytest.raises(PlateError, match=r"same wells in 2 folders, as several plates do \(BR1, BR2\)"):
        open_plate(tmp_path)
    chosen = open_plate(tmp_path, name="BR2")
    assert (chosen.sites[0].read(["DNA"]) == image(2)).all()


def test_folders_of_stains_and_sites_are_one_plate(tmp_path):
    for stain in ("DNA", "ER"):
        write(tmp_path / stain, ("A01_s1.tif", "A01_s2.tif"))
    plate = open_plate(tmp_path, pattern="{channel}/{well}_s{site}")
    assert [(s.id.partition("/")[2], s.problem) for s in plate.sites] == [("A01/1", None), ("A01/2", None)]
    assert set(plate.stains.channels.values()) == {"DNA", "ER"}


def test_plates_with_an_htd_file_each_are_not_merged(tmp_path):
    """As MetaXpress exports them: their images were combined as focal planes of one plate."""
    for number, step in ((1, "TimePoint_1"), (2, "TimePoint_1/ZStep_0")):
        plate = tmp_path / f"9987_Plate_{number}"
        write(plate / step, ("9987_B02_s1_w1.TIF",), number)
        (plate / "9987.HTD").write_text('"HTSInfoFile", Version 1.0\r\n"EndFile"')
    with pytest.raises(PlateError, match=r"holds 2 plates \(9987_Plate_1, 9987_Plate_2\): open one of them"):
        open_plate(tmp_path)
    assert open_plate(tmp_path, name="9987_Plate_2").path == tmp_path / "9987_Plate_2"


@pytest.mark.real_data
def test_real_folders_of_two_instruments(real_data):
    folder = real_data / "layout_faim_ipa"
    listed = r"CV8000 \(yokogawa\), ImageXpress \(metaxpress\), ImageXpress_exported \(metaxpress\)"
    with pytest.raises(PlateError, match=listed):
        open_plate(folder)
    with pytest.raises(PlateError, match="9987_Plate_3420, 9987_Plate_3434"):
        open_plate(folder / "ImageXpress_exported")
