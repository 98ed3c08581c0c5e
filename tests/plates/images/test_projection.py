from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_cellclip.plates import open_plate
from napari_cellclip.plates.images.projection import PROJECTIONS, project, sharpest, sharpness
from napari_cellclip.vocabulary import STAINS, PlateError

SHARP = {"DNA": 1, "ER": 2, "RNA": 0, "AGP": 2, "Mito": 2}


def stack(seed: int, sharp: int, planes: int = 3) -> np.ndarray:
    """Focal planes of one field: the further from `sharp`, the more blurred."""
    field = np.random.default_rng(seed).integers(0, 4000, (40, 52)).astype(float)
    field = ndimage.gaussian_filter(field, 1) + 500
    blurred = [ndimage.gaussian_filter(field, 2.0 * abs(z - sharp)) for z in range(planes)]
    return np.stack(blurred).astype(np.uint16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A plate with three focal planes a stain, in one file each."""
    path = tmp_path_factory.mktemp("stacks")
    for i, stain in enumerate(STAINS):
        image = stack(i, SHARP[stain])
        tifffile.imwrite(path / f"A01_s1_{stain}.tiff", image, imagej=True, metadata={"axes": "ZYX"})
    return path


def test_the_sharpest_plane_is_the_one_in_focus():
    for seed in range(5):
        for sharp in range(3):
            assert sharpest(stack(seed, sharp)) == sharp
    assert sharpness(np.full((5, 5), 7)) == 0
    assert sharpness(np.array([[3]])) == 0


def test_projections_are_what_they_say(folder):
    planes = {stain: stack(i, SHARP[stain]) for i, stain in enumerate(STAINS)}
    found = {how: open_plate(folder, projection=how).sites[0].read() for how in PROJECTIONS}
    for i, stain in enumerate(STAINS):
        np.testing.assert_array_equal(found["max"][i], planes[stain].max(0))
        np.testing.assert_array_equal(found["mean"][i], np.rint(planes[stain].mean(0)).astype(np.uint16))
        np.testing.assert_array_equal(found["focus"][i], planes[stain][SHARP[stain]])
        np.testing.assert_array_equal(found["dna-focus"][i], planes[stain][SHARP["DNA"]])
    assert all(pixels.dtype == np.uint16 for pixels in found.values())


def test_a_stain_read_alone_follows_the_dna(folder):
    plate = open_plate(folder, projection="dna-focus")
    np.testing.assert_array_equal(plate.sites[0].read(["Mito"])[0], stack(4, SHARP["Mito"])[SHARP["DNA"]])


def test_the_plate_says_what_becomes_of_its_planes(folder):
    """Planes inside of files count too."""
    for how, words in (("max", "maximum projection"), ("focus", "sharpest plane of each stain")):
        (problem,) = [p for p in open_plate(folder, projection=how).problems if p.subject == "focal planes"]
        assert "up to 3 focal planes" in problem.what
        assert words in problem.what


def test_another_projection_is_another_fingerprint(folder):
    prints = {open_plate(folder, projection=how).fingerprint() for how in PROJECTIONS}
    assert len(prints) == len(PROJECTIONS)


def test_planes_that_the_dna_has_more_of_are_refused(tmp_path):
    for stain in STAINS:
        planes = stack(0, 2) if stain == "DNA" else stack(1, 0)[:1]
        tifffile.imwrite(tmp_path / f"A01_s1_{stain}.tiff", planes, imagej=True, metadata={"axes": "ZYX"})
    site = open_plate(tmp_path, projection="dna-focus").sites[0]
    assert site.read().shape == (5, 40, 52)  # one plane is that plane
    with pytest.raises(PlateError, match="there are 2 focal planes and DNA is sharpest in number 3"):
        project(list(stack(1, 0)[:2]), "dna-focus", 2)


def test_an_unknown_projection_is_refused(folder):
    with pytest.raises(PlateError, match="'median' is no way to combine focal planes: use max, mean, focus"):
        open_plate(folder, projection="median")
