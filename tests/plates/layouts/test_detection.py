"""A path is detected as the layout it opens as, without a look at its images."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
import tifffile
import yaml

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.acquisition import Acquisition, Channel, Field
from napari_cellclip.plates.images.tiff import TiffPlane
from napari_cellclip.plates.layouts import LAYOUTS, opens_as_plate
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.vocabulary import PlateError
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
    monkeypatch.setattr("napari_cellclip.plates.layouts.tiff_folder.LOOKED_AT", 0)
    assert detect_layout(tiff_folder) is None


def test_images_beyond_the_first_entries_are_no_plate_at_a_glance_but_open(tiff_folder, monkeypatch):
    monkeypatch.setattr("napari_cellclip.plates.layouts.tiff_folder.LOOKED_AT", 0)
    assert open_plate(tiff_folder).layout == "tiff-folder"
    for file in tiff_folder.rglob("*.tif"):
        file.rename(file.with_suffix(".txt"))
    with pytest.raises(PlateError, match="holds no images of a plate"):
        open_plate(tiff_folder)


def test_a_long_folder_is_not_searched_again_by_layouts_that_cannot_match_more_strongly(phenix, monkeypatch):
    folder = phenix(index=False)
    for name, layout in LAYOUTS.items():
        match = layout.detect(folder, Options())
        assert match is None or match.strength <= layout.strongest, name
    tiff = replace(LAYOUTS["tiff-folder"], detect=lambda *_: pytest.fail("the folder was searched again"))
    monkeypatch.setitem(LAYOUTS, "tiff-folder", tiff)
    assert detect_layout(folder) == open_plate(folder).layout == "phenix"


def test_a_layout_is_registered_by_one_line(tmp_path, monkeypatch):
    (tmp_path / "plate.toy").write_text("A01")

    def detect(path, options):
        return Match(path, Strength.METADATA) if (path / "plate.toy").is_file() else None

    def read(path, options):
        plane = TiffPlane(path / "A01.tif")
        well = (path / "plate.toy").read_text()
        field = Field(0, 0, well, 1, {"Mito": (plane,)})
        return Acquisition("toy", path, "toy", (8, 12), (Channel("Mito", "toy"),), (field,))

    monkeypatch.setitem(LAYOUTS, "toy", Layout("toy", detect, read))
    assert detect_layout(tmp_path) == "toy"
    assert [site.id for site in open_plate(tmp_path).sites] == ["toy/A01/1"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    with pytest.raises(PlateError, match=r"expected TIFF.*OME-Zarr"):
        open_plate(tmp_path / "empty")


def test_every_layout_is_in_the_table_of_formats():
    text = (Path(__file__).parents[3] / "docs/formats.md").read_text(encoding="utf-8")
    assert [name for name in LAYOUTS if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_table_of_images_by_another_name_is_known_by_its_columns(phenix, suffix):
    folder = phenix(index=False)
    content = b"FileName_DNA,Metadata_Well\nr01c01f01p01-ch5sk1fk1fl1.tiff,A01\n"
    table = folder / f"images{suffix}"
    table.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    assert detect_layout(table) == open_plate(table).layout == "load_data"
    table.write_bytes(content.replace(b"FileName_DNA", b"treatment"))
    assert detect_layout(table) is None


def test_a_zarr_store_is_not_searched_for_images(tiff_folder):
    (tiff_folder / ".zgroup").write_text('{"zarr_format": 2}')
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


def test_files_that_open_a_plate_are_known_to_napari(repository: Path) -> None:
    """Both manifests list the patterns of the layouts, and no others but that of Zarr folders."""
    expected = {pattern for layout in LAYOUTS.values() for pattern in layout.files} | {"*.zarr"}
    for manifest in (repository / "napari.yaml", repository / "napari_cellclip" / "napari.yaml"):
        (reader,) = yaml.safe_load(manifest.read_text(encoding="utf-8"))["contributions"]["readers"]
        assert {pattern.lower() for pattern in reader["filename_patterns"]} == expected


@pytest.mark.parametrize(
    ("name", "opens"),
    [
        ("load_data.csv", True),
        ("BR1_load_data_with_illum.csv.gz", True),
        ("Index.idx.xml", True),
        ("sites.csv", True),
        ("Measurement.mlf", True),
        ("platemap.csv", False),
        ("my_sites.csv", False),
    ],
)
def test_plate_maps_and_files_that_open_a_plate_are_told_apart(name: str, opens: bool) -> None:
    assert opens_as_plate(name) == opens
