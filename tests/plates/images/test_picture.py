"""PNG, JPEG and JPEG 2000 planes: grey levels come back, everything else is refused with a sentence."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.images.picture import PicturePlane
from napari_cellclip.plates.images.plane import MAX_PIXELS
from napari_cellclip.vocabulary import PlateError
from tests.plates.made_plates import image

ENCODE = {
    ".png": imagecodecs.png_encode,
    ".jp2": lambda pixels: imagecodecs.jpeg2k_encode(pixels, level=0),
    ".j2k": lambda pixels: imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k"),
}


@pytest.mark.parametrize("suffix", list(ENCODE))
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_levels_come_back(tmp_path, suffix, dtype):
    pixels = image(7, (48, 80), dtype)
    file = tmp_path / f"a{suffix}"
    file.write_bytes(ENCODE[suffix](pixels))
    plane = PicturePlane(file)
    assert plane.header() == ((48, 80), np.dtype(dtype))
    np.testing.assert_array_equal(plane.read(), pixels)


def test_jpeg_is_read_though_it_loses_detail(tmp_path):
    pixels = np.full((32, 40), 90, "uint8")
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(pixels))
    plane = PicturePlane(tmp_path / "a.jpg")
    assert plane.header() == ((32, 40), np.dtype("uint8"))
    assert abs(plane.read().astype(int) - 90).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jp2"])
def test_colour_empty_missing_truncated_and_others_are_refused(tmp_path, suffix):
    encode = {**ENCODE, ".jpg": imagecodecs.jpeg8_encode}[suffix]
    file = tmp_path / f"a{suffix}"
    plane = PicturePlane(file)
    with pytest.raises(PlateError, match="missing or cannot be read"):
        plane.read()
    for content, told in {
        encode(np.zeros((32, 32, 3), "uint8")): "is a colour picture",
        b"": "is empty",
        b"II*\0" + bytes(99): "damaged, truncated or no",
    }.items():
        file.write_bytes(content)
        with pytest.raises(PlateError, match=told):
            plane.read()


def test_a_truncated_png_is_refused(tmp_path):
    content = imagecodecs.png_encode(np.random.default_rng(0).integers(0, 9999, (64, 64), "uint16"))
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(PlateError, match="damaged or truncated"):
        PicturePlane(tmp_path / "a.png").read()


def test_a_size_is_not_believed(tmp_path, monkeypatch):
    content = bytearray(imagecodecs.png_encode(image(0)))
    content[16:24] = struct.pack(">II", 2**30, 2**30)
    (tmp_path / "a.png").write_bytes(content)
    monkeypatch.setattr(imagecodecs, "png_decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(PlateError, match="its header is damaged"):
        PicturePlane(tmp_path / "a.png").read()
    assert MAX_PIXELS < 2**60


@given(st.binary(max_size=200), st.sampled_from([".png", ".jpg", ".jp2"]), st.booleans())
def test_any_bytes_are_pixels_or_refused(tmp_path_factory, tail, suffix, begun):
    starts = {
        ".png": imagecodecs.png_encode(image(0)),
        ".jpg": b"\xff\xd8\xff\xe0",
        ".jp2": b"\xff\x4f\xff\x51",
    }
    file = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    file.write_bytes((starts[suffix][:40] if begun else b"") + tail)
    try:
        pixels = PicturePlane(file).read()
    except PlateError:
        return
    assert pixels.ndim == 2


def test_a_folder_of_pngs_is_a_plate(tmp_path):
    for i, stain in enumerate(("DNA", "ER", "RNA", "AGP", "Mito")):
        for well in ("A01", "B02"):
            (tmp_path / f"{well}_s1_{stain}.png").write_bytes(imagecodecs.png_encode(image(i)))
    assert detect_layout(tmp_path) == "tiff-folder"
    plate = open_plate(tmp_path)
    assert plate.stains.complete
    np.testing.assert_array_equal(plate.sites[0].read(["AGP"])[0], image(3))
    assert open_plate(tmp_path, pattern="{well}_s{site}_{channel}.png").stains.complete


def test_pictures_beside_tiff_files_are_passed_over(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "A01_s1_DNA.tif", image(0))
    (tmp_path / "B02_s1_DNA.png").write_bytes(imagecodecs.png_encode(image(0)))
    assert [w.name for w in open_plate(tmp_path).wells] == ["A01"]


def test_jpeg_files_are_told(tmp_path):
    (tmp_path / "A01_s1_DNA.jpg").write_bytes(imagecodecs.jpeg8_encode(image(0, dtype="uint8")))
    assert any("JPEG files, which have lost detail" in p.what for p in open_plate(tmp_path).problems)


def test_photographs_are_no_plate(tmp_path):
    for i in range(3):
        (tmp_path / f"IMG_00{i}.jpg").write_bytes(imagecodecs.jpeg8_encode(image(0, dtype="uint8")))
    assert detect_layout(tmp_path) is None
