"""A path is detected as the layout it opens as, without a look at its images."""

from __future__ import annotations

import pytest
import tifffile

from napari_cellclip.plates import detect_layout, open_plate, opening
from tests.plates.made_plates import image


@pytest.fixture
def tiff_folder(tmp_path):
    folder = tmp_path / "T1" / "deep"
    folder.mkdir(parents=True)
    for stain in ("DNA", "ER"):
        tifffile.imwrite(folder / f"A01_s1_{stain}.tif", image(1))
    return tmp_path / "T1"


def _load_data(folder):
    lines = "FileName_DNA,Metadata_Well\nr01c01f01p01-ch5sk1fk1fl1.tiff,A01\n"
    (folder / "load_data_version1.csv").write_text(lines)
    return folder


def test_made_plates_are_detected_as_what_they_open_as(phenix, ome_zarr, tiff_folder):
    plates = {
        phenix(): "phenix",
        phenix(index=False, folder="BR2"): "phenix",
        phenix(folder="BR3") / "Images/Index.idx.xml": "phenix",
        _load_data(phenix(index=False, folder="BR4")): "load_data",
        _load_data(phenix(folder="BR5")): "phenix",
        ome_zarr("0.4"): "ome-zarr",
        ome_zarr("0.5").rename(tiff_folder.parent / "P5"): "ome-zarr",
        tiff_folder: "tiff-folder",
    }
    assert {path: detect_layout(path) for path in plates} == plates
    assert {path: open_plate(path).layout for path in plates} == plates


def test_a_folder_of_several_plates_is_detected_though_one_must_be_chosen(phenix):
    assert detect_layout(phenix(folder="two/BR1").parent) == "phenix"
    assert detect_layout(phenix(folder="two/BR2").parent) == "phenix"


def test_detection_neither_opens_images_nor_walks_a_disk(tiff_folder, monkeypatch):
    for file in tiff_folder.rglob("*.tif"):
        file.write_bytes(b"")
    assert detect_layout(tiff_folder) == "tiff-folder"
    monkeypatch.setattr(opening, "LOOKED_AT", 0)
    assert detect_layout(tiff_folder) is None


@pytest.mark.real_data
def test_real_sets_are_detected_as_what_they_open_as(real_data):
    sets = [
        "img_bray2017_plate24279",
        "img_cpjump1_BR00117006",
        "img_jump_rab30",
        "img_pe2loaddata_phenix/Version1",
        "img_pe2loaddata_phenix/Version1/load_data_version1.csv",
        "layout_load_data_csv/cpg0014_BR00135656_load_data.csv.gz",
    ]
    assert [detect_layout(real_data / s) for s in sets] == [open_plate(real_data / s).layout for s in sets]
