"""OME-Zarr as programs write it: Fractal, faim-ipa, bioformats2raw, and what is no plate."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.vocabulary import PlateError, Stain
from tests.plates.layouts.test_zarr import VERSIONS, edit
from tests.plates.made_plates import image, level


def _images(root, version, *images):
    edit(root / "B/03", version, lambda ome: ome.update(well={"images": list(images)}))


@pytest.fixture
def fractal(ome_zarr):
    """A well of two images, with columns of two digits and dyes as labels."""
    dyes = ["HOECHST 33342", "Alexa 488", "Alexa 488 long", "Alexa 568", "MitoTracker Deep Red"]
    return lambda version: ome_zarr(version, {"B/03": dyes})


@pytest.mark.parametrize("version", VERSIONS)
def test_images_computed_from_another_are_left_out_and_told(fractal, version):
    """Fractal tasks write 0_illum_corr beside 0."""
    root = fractal(version)
    (root / "B/03/1").rename(root / "B/03/0_illum_corr")
    _images(root, version, {"path": "0"}, {"path": "0_illum_corr"})
    plate = open_plate(root)
    assert [s.id for s in plate.sites] == ["P1/B03/0"]
    assert plate.stains.complete
    (told,) = [p for p in plate.problems if p.subject == "images"]
    assert told.what == "1 images _illum_corr were computed from another of their well and are left out"


@pytest.mark.parametrize("version", VERSIONS)
def test_several_acquisitions_of_a_well_are_told(fractal, version):
    root = fractal(version)
    _images(root, version, {"path": "0", "acquisition": 0}, {"path": "1", "acquisition": 0})
    assert open_plate(root).problems == ()
    _images(root, version, {"path": "0", "acquisition": 0}, {"path": "1", "acquisition": 3})
    (told,) = open_plate(root).problems
    assert (
        "2 acquisitions (0, 3), and each image is a site: the same place may have been imaged twice"
        in told.what
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_images_are_named_in_any_way(fractal, version):
    root = fractal(version)
    for old, new in (("0", "fov_12"), ("1", "000003")):
        (root / "B/03" / old).rename(root / "B/03" / new)
    _images(root, version, {"path": "fov_12"}, {"path": "000003"})
    assert [s.id for s in open_plate(root).sites] == ["P1/B03/3", "P1/B03/fov_12"]


def test_labels_with_the_projection_and_the_microscope_s_code(ome_zarr):
    """faim-ipa: the name of a channel as MetaXpress has it, the way of projection before it."""
    names = ["Maximum-Projection_DAPI_01", "Maximum-Projection_FITC_05", "Cy5_1"]
    plate = open_plate(ome_zarr("0.4", {"D/08": names}, fields=1))
    assert plate.stains.channels == dict(zip((Stain.DNA, Stain.ER, Stain.MITO), names, strict=True))


def test_channels_without_a_label_are_called_by_their_wavelength(ome_zarr):
    root = ome_zarr("0.4", {"B/03": ["a", "b"]}, fields=1)
    channels = [{"wavelength_id": "A01_C01"}, {"wavelength_id": "A02_C02"}]
    edit(root / "B/03/0", "0.4", lambda ome: ome.update(omero={"channels": channels}))
    assert open_plate(root).stains.unmapped == ("A01_C01", "A02_C02")


def test_attributes_of_version_4_in_zarr_3(ome_zarr):
    root = ome_zarr("0.5")
    for file in root.rglob("zarr.json"):
        content = json.loads(file.read_text())
        if content["node_type"] == "group":
            content["attributes"] = content["attributes"]["ome"]
            file.write_text(json.dumps(content))
    np.testing.assert_array_equal(open_plate(root).sites[0].read(["DNA"])[0], image(level(1, 0, 0, 0)))


@pytest.mark.parametrize("version", VERSIONS)
def test_bioformats2raw_with_and_without_the_attributes_of_a_plate(ome_zarr, version):
    root = ome_zarr(version)
    edit(root, version, lambda ome: ome.update({"bioformats2raw.layout": 3}))
    assert open_plate(root).problems == ()
    edit(root, version, lambda ome: ome.pop("plate"))
    with pytest.raises(PlateError, match="convert the plate again without --no-hcs"):
        open_plate(root)
    assert detect_layout(root) is None  # and napari's own reader opens it


@pytest.mark.parametrize("version", VERSIONS)
def test_a_well_and_an_image_are_no_plate_and_it_is_said_what_to_open(ome_zarr, version, tmp_path):
    root = ome_zarr(version)
    with pytest.raises(PlateError, match=rf"is a well of an OME-Zarr plate: open .* {root}"):
        open_plate(root / "B/3")
    shutil.copytree(root / "B/3/0", tmp_path / "one.zarr")
    with pytest.raises(PlateError, match="is a single image and no plate"):
        open_plate(tmp_path / "one.zarr")
    assert detect_layout(tmp_path / "one.zarr") is None
