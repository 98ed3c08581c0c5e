"""Tables, keys and addresses that others wrote: nothing leads out of the plate, no size is believed."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_cellclip import open_plate
from napari_cellclip.plates.remote.gallery.places import GalleryPlate, image_key
from napari_cellclip.plates.remote.stores import store
from napari_cellclip.plates.remote.stores.addresses import is_safe, relative_name, remote_address
from napari_cellclip.vocabulary import PlateError
from tests.plates.remote.made_gallery import BATCH, MOUNT, PLATE, PROJECT, SOURCE, MadeGallery

ADDRESS = f"cpg://{PROJECT}/{SOURCE}/{PLATE}"
PLACE = GalleryPlate(PROJECT, SOURCE, BATCH, PLATE)
OURS = f"{PROJECT}/{SOURCE}/images/{BATCH}/"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/etc", "passwd"),
        (f"{MOUNT}{OURS}images/../../../../other", "a.tiff"),
        (f"{MOUNT}../{OURS}images", "a.tiff"),
        (f"{MOUNT}{OURS}images", "../../a.tiff"),
        (f"{MOUNT}{OURS}images", "/etc/passwd\0.tiff"),
        ("s3://another-bucket/private", "a.tiff"),
        ("s3://cellpainting-gallery/cpg0099-other/source_4/images/B/", "a.tiff"),
        ("http://127.0.0.1/", "a.tiff"),
        (f"{MOUNT}{PROJECT}/{SOURCE}/workspace/{BATCH}", "a.tiff"),
        ("C:\\data", "a.tiff"),
        ("", ""),
    ],
)
def test_path_of_a_table_that_leads_elsewhere(folder: str, name: str) -> None:
    assert image_key(PLACE, folder, name) is None


@given(st.text(max_size=60), st.text(max_size=40))
def test_no_path_of_a_table_leads_out_of_the_batch(folder: str, name: str) -> None:
    key = image_key(PLACE, f"{MOUNT}{OURS}{folder}", name)
    assert key is None or (
        key.startswith(f"cellpainting-gallery/{OURS}") and ".." not in PurePosixPath(key).parts
    )


@example("/")
@example("//")
@example("\ud800")
@given(st.text(max_size=80))
def test_safe_names_stay_in_their_folder(name: str) -> None:
    if is_safe(name):
        place = Path("/a/folder") / name
        assert place.is_relative_to("/a/folder")
        assert ".." not in place.parts
        assert place != Path("/a/folder")
        assert name.encode(), "any file system can write it"


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_none_or_refused_in_a_sentence(text: str) -> None:
    for beginning in ("", "s3://", "https://", "cpg://"):
        try:
            address = remote_address(beginning + text)
        except PlateError:  # any other error fails
            continue
        assert address is None or remote_address(str(address)) == address


@pytest.mark.parametrize("text", ["s3://b/../c", "s3://b//c", "https://me:word@host/p.zarr", "s3://b/\x01"])
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(PlateError):
        remote_address(text)


@pytest.mark.parametrize(
    "text", ["/a/b", "C:/a", "plate.zarr", "s3:", "file:///a", "simplecache::s3://b/c", "s3://"]
)
def test_paths_of_this_computer(text: str) -> None:
    assert remote_address(text) is None


@pytest.mark.parametrize(
    "key", ["b/p/../x", "b/p//x", "b/p/a\\b", "b/p/c:d", "b/p/" + "x" * 300, "b/other/x", "b/p/a\nb", "b/p/"]
)
def test_keys_without_a_local_name(key: str) -> None:
    assert relative_name(key, "b/p/") is None


def test_table_with_foreign_paths_opens_what_is_its_own(gallery: MadeGallery) -> None:
    table = gallery.load_data()
    table.loc[0, "PathName_OrigDNA"] = "/etc/"
    table.loc[1, "FileName_OrigER"] = "../../../../secret.tiff"
    key = f"{PROJECT}/{SOURCE}/workspace/load_data_csv/{BATCH}/{PLATE}/load_data_with_illum.csv"
    gallery.put(key, table.to_csv(index=False))
    plate = open_plate(ADDRESS)
    assert any("2 images of its table lie outside" in problem.what for problem in plate.problems)
    assert plate.sites[0].problem is not None
    assert plate.sites[2].problem is None


@pytest.mark.parametrize("form", ["parquet", "url", "gz"])
def test_forms_of_the_table(form: str, gallery: MadeGallery, tmp_path: Path) -> None:
    folder = f"{PROJECT}/{SOURCE}/workspace/load_data_csv/{BATCH}/{PLATE}"
    table = gallery.load_data("s3://cellpainting-gallery/")
    gallery.client.delete_object(Bucket="cellpainting-gallery", Key=f"{folder}/load_data_with_illum.csv")
    if form == "parquet":
        table.to_parquet(tmp_path / "t.parquet")
        gallery.put(f"{folder}/load_data_with_illum.parquet", (tmp_path / "t.parquet").read_bytes())
    elif form == "url":
        for stain in gallery.plate.stains.channels:
            path = table.pop(f"PathName_Orig{stain}")
            table[f"URL_Orig{stain}"] = path + table.pop(f"FileName_Orig{stain}")
        gallery.put(f"{folder}/load_data.csv", table.to_csv(index=False))
    else:
        table.to_csv(tmp_path / "t.csv.gz", index=False)
        gallery.put(f"{folder}/load_data.csv.gz", (tmp_path / "t.csv.gz").read_bytes())
    plate = open_plate(ADDRESS)
    assert plate.problems == ()
    assert plate.sites[0].read().shape == (5, 64, 64)


def test_plate_without_a_table_is_read_by_its_names(gallery: MadeGallery) -> None:
    folder = f"{PROJECT}/{SOURCE}/workspace/load_data_csv/{BATCH}/{PLATE}"
    gallery.client.delete_object(Bucket="cellpainting-gallery", Key=f"{folder}/load_data_with_illum.csv")
    plate = open_plate(f"cpg://{PROJECT}/{SOURCE}/{BATCH}/{PLATE}")
    assert plate.layout == "phenix"
    assert any("no table of its images" in problem.what for problem in plate.problems)
    assert plate.sites[0].read().shape == (5, 64, 64)


@pytest.mark.parametrize("content", [b"", b"PAR1 not a table PAR1", b"a,b\n1,2\n", b"\x1f\x8b broken"])
def test_damaged_table_is_a_sentence(content: bytes, gallery: MadeGallery) -> None:
    folder = f"{PROJECT}/{SOURCE}/workspace/load_data_csv/{BATCH}/{PLATE}"
    for name in ("load_data_with_illum.csv", "load_data_with_illum.parquet"):
        gallery.put(f"{folder}/{name}", content)
    with pytest.raises(PlateError):
        open_plate(ADDRESS)


@pytest.mark.parametrize("name", ["../../../secret", "a/b", "..", "x\\y"])
def test_plate_map_with_a_name_that_leads_elsewhere(name: str, gallery: MadeGallery) -> None:
    key = f"{PROJECT}/{SOURCE}/workspace/metadata/platemaps/{BATCH}/barcode_platemap.csv"
    gallery.put(key, f"Assay_Plate_Barcode,Plate_Map_Name\n{PLATE},{name}\n")
    plate = open_plate(ADDRESS)
    assert any("which was not followed" in problem.what for problem in plate.problems)


def test_huge_files_and_lists_are_not_fetched(gallery: MadeGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = open_plate(ADDRESS)
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 100)
    with pytest.raises(PlateError, match="more than a file of a plate: it was not fetched"):
        plate.sites[0].read()
    monkeypatch.setattr(store, "MAX_LISTED", 10)
    with pytest.raises(PlateError, match="more than 10 files"):
        open_plate("s3://cellpainting-gallery/" + PROJECT)


@pytest.mark.parametrize(
    "address",
    [
        "cpg://cpg0000-jump-pilot",
        "cpg://a/b",
        "cpg://a/b/c/d/e",
        f"cpg://{PROJECT}/{SOURCE}/NOPLATE",
        "cpg://a/*/c",
    ],
)
def test_address_of_no_plate(address: str, gallery: MadeGallery) -> None:
    with pytest.raises(PlateError, match=r"names no plate of the gallery|the gallery has no plate"):
        open_plate(address)
