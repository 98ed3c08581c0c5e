from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_cellclip.plates import open_plate
from napari_cellclip.vocabulary import PlateError
from tests.plates.made_plates import image

NAME = "r01c01f01p01-ch5sk1fk1fl1.tiff"


def _damage(path, how):
    good = path.read_bytes()
    big = np.random.default_rng(0).integers(0, 60000, (64, 80)).astype("uint16")
    if how == "zero bytes":
        path.write_bytes(b"")
    elif how == "header only":
        path.write_bytes(good[:20])
    elif how == "junk":
        path.write_bytes(b"\x93NUMPY" + bytes(range(200)))
    elif how.startswith("half"):
        tifffile.imwrite(path, big, compression=how.partition(" ")[2] or None)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "8-bit":
        tifffile.imwrite(path, image(1, dtype="uint8"))
    elif how == "float":
        tifffile.imwrite(path, image(1, dtype="float32") / 65535)
    elif how == "int32":
        tifffile.imwrite(path, image(1, dtype="int32"))
    elif how == "RGB":
        tifffile.imwrite(path, np.zeros((6, 8, 3), "uint8"), photometric="rgb")
    elif how == "pages":
        tifffile.imwrite(path, np.zeros((3, 6, 8), "uint16"), photometric="minisblack")
    elif how == "other size":
        tifffile.imwrite(path, image(1, (5, 5)))


CASES = {
    "zero bytes": "empty",
    "header only": "damaged, truncated",
    "junk": "no TIFF",
    "half": "truncated",
    "half lzw": "truncated",
    "half zlib": "truncated",
    "8-bit": "uint8 where the plate has uint16",
    "float": "float32 where the plate has uint16",
    "int32": "int32",
    "RGB": "RGB",
    "pages": "3 pages",
    "other size": "different sizes",
}


@pytest.mark.parametrize("how", CASES)
def test_one_bad_file_is_told_in_a_sentence_and_the_rest_reads(phenix, how):
    folder = phenix()
    _damage(folder / "Images" / NAME, how)
    plate = open_plate(folder)
    with pytest.raises(PlateError, match=CASES[how]) as told:
        plate.sites[0].read()
    assert "BR1/A01/1" in str(told.value)
    if how != "other size":
        assert NAME in str(told.value)
    assert "\n" not in str(told.value)
    for site in plate.sites[1:]:
        assert site.read().shape == (5, 6, 8)


def test_the_plate_decides_the_pixel_type_even_if_its_first_file_is_odd(phenix):
    folder = phenix(wells=[(1, c) for c in range(1, 7)], fields=1)
    for channel in range(1, 7):
        tifffile.imwrite(
            folder / "Images" / f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff", image(1, dtype="uint8")
        )
    plate = open_plate(folder)
    with pytest.raises(PlateError, match="uint8 where the plate has uint16"):
        plate.sites[0].read()
    assert plate.sites[1].read().dtype == np.uint16


def test_a_plate_of_unreadable_files_says_so_without_being_encoded(phenix):
    folder = phenix()
    for file in (folder / "Images").glob("*.tiff"):
        file.write_bytes(b"")
    assert any("none of the image files" in p.what for p in open_plate(folder).problems)
    assert any("is empty (0 bytes)" in p.what for p in open_plate(folder).problems)


def test_a_plate_of_pictures_is_told_what_is_wrong_with_them(phenix):
    folder = phenix()
    for file in (folder / "Images").glob("*.tiff"):
        _damage(file, "RGB")
    found = [p.what for p in open_plate(folder).problems if "none of the image files" in p.what]
    assert len(found) == 1
    assert "is an RGB picture" in found[0]
    assert "16-bit grey levels" in found[0]
    assert "copy" not in found[0]


def _all_as(folder, make):
    for file in (folder / "Images").glob("*.tiff"):
        tifffile.imwrite(file, make())


def test_a_whole_plate_in_8_bit_reads_with_a_remark(phenix):
    folder = phenix()
    _all_as(folder, lambda: image(3, dtype="uint8"))
    plate = open_plate(folder)
    assert plate.sites[0].read().dtype == np.uint8
    assert any("8-bit" in p.what for p in plate.problems)


def test_floating_point_counts_read_as_single_precision(phenix):
    folder = phenix()
    _all_as(folder, lambda: image(300, dtype="float64"))
    plate = open_plate(folder)
    np.testing.assert_array_equal(plate.sites[0].read()[0], image(300, dtype="float32"))
    assert plate.sites[0].read().dtype == np.float32
    assert any("float64" in p.what for p in plate.problems)


@pytest.mark.parametrize(
    ("value", "says"), [(np.nan, "NaN"), (np.inf, "infinite"), (-5.0, "rescaled"), (0.5, "rescaled")]
)
def test_floating_point_that_is_no_count_is_refused(phenix, value, says):
    folder = phenix()
    _all_as(folder, lambda: np.full((6, 8), value, "float32"))
    with pytest.raises(PlateError, match=says):
        open_plate(folder).sites[0].read()


def test_a_header_that_claims_absurd_sizes_is_refused_before_memory_is_taken(phenix):
    folder = phenix()
    path = folder / "Images" / NAME
    with tifffile.TiffFile(path) as tif:
        tags = [tif.pages[0].tags[t] for t in ("ImageWidth", "ImageLength")]
        places = [(t.valueoffset, t.dtype) for t in tags]
    content = bytearray(path.read_bytes())
    for offset, kind in places:
        size = 4 if kind == 4 else 2
        content[offset : offset + size] = (60000).to_bytes(size, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(PlateError, match="header is damaged"):
        open_plate(folder).sites[0].read(["DNA"])


@pytest.mark.parametrize("make", ["empty", "text", "absent", "tables only"])
def test_a_folder_without_a_plate_is_refused(tmp_path, make):
    folder = tmp_path / "plate"
    if make != "absent":
        folder.mkdir()
    if make == "text":
        (folder / "notes.txt").write_text("hello")
    if make == "tables only":
        (folder / "results.csv").write_text("a,b\n1,2\n")
    says = {"empty": "is empty", "absent": "does not exist"}.get(make, "holds no plate")
    with pytest.raises(PlateError, match=says):
        open_plate(folder)


def test_an_unknown_layout_lists_those_there_are(phenix):
    with pytest.raises(PlateError, match="ome-zarr"):
        open_plate(phenix(), layout="zeiss")
    with pytest.raises(PlateError, match="not laid out"):
        open_plate(phenix(folder="BR2"), layout="zarr-table")
