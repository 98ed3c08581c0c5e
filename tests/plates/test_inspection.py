"""What is odd about a plate is listed, each by a plate that has it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_cellclip.cli.info import SHOWN, describe
from napari_cellclip.plates import open_plate
from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.inspection import inspect
from napari_cellclip.vocabulary import STAINS
from tests.plates.made_plates import image


@pytest.fixture
def folder(tmp_path):
    for w, well in enumerate(("A01", "A02", "B03")):
        for site in (1, 2):
            for s, stain in enumerate(STAINS):
                tifffile.imwrite(tmp_path / f"{well}_s{site}_{stain}.tif", image(100 * w + 10 * site + s))
    return tmp_path


def told(folder):
    return [p.what for p in inspect(open_plate(folder))]


def test_nothing_is_odd_about_a_plate_in_order(folder):
    assert told(folder) == []


def test_missing_sites(folder):
    for file in folder.glob("B03_s2_*"):
        file.unlink()
    assert told(folder) == ["1 wells do not have 2 sites like the others: B03 (1)"]


def test_mixed_sizes(folder):
    for file in folder.glob("B03_s2_*"):
        tifffile.imwrite(file, image(1000 + len(file.name) + ord(file.name[7]), (4, 4)))
    assert any("different sizes (4 x 4, 6 x 8 pixels)" in what for what in told(folder))


def test_empty_saturated_and_doubled_images(folder):
    for file in folder.glob("*_RNA.tif"):
        tifffile.imwrite(file, np.zeros((6, 8), "uint16"))
    clipped = image(0)
    clipped[:3] = 65535
    tifffile.imwrite(folder / "A01_s1_AGP.tif", clipped)
    tifffile.imwrite(folder / "A01_s1_Mito.tif", tifffile.imread(folder / "A01_s1_DNA.tif"))
    found = {(p.subject, p.what) for p in inspect(open_plate(folder))}
    assert ("RNA", "is empty (all pixels are the same) in 6 of 6 sites looked at") in found
    assert ("AGP", "is saturated in 1 of 6 sites looked at") in found
    assert any("DNA and Mito of site" in what for _, what in found)


def test_a_damaged_image_is_passed_over(folder):
    (folder / "A01_s1_DNA.tif").write_bytes(b"")
    assert told(folder) == []


def test_what_is_printed_fits_a_page_and_keeps_what_is_odd(folder):
    for file in folder.glob("*_DNA.tif"):
        file.unlink()
        for extra in range(8):
            tifffile.imwrite(folder / f"C{extra + 1:02d}_s1_ER.tif", image(0))
    text = describe(open_plate(folder, channels={}), (Problem("P", "odd"),))
    assert len(text.splitlines()) < SHOWN + 20
    assert "    P: odd" in text


def test_an_image_copied_to_another_site(folder):
    tifffile.imwrite(folder / "B03_s2_ER.tif", tifffile.imread(folder / "A01_s1_ER.tif"))
    (what,) = told(folder)
    assert "ER of sites" in what
    assert "A01/1" in what
    assert "B03/2" in what
    assert "is the same image" in what
