from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import zarr

from napari_cellclip.plates import open_plate
from napari_cellclip.vocabulary import STAINS, PlateError, Stain
from tests.plates.made_plates import image, level

VERSIONS = ["0.4", "0.5"]


def edit(root, version, change):
    """Change the OME attributes of a group."""
    file = root / (".zattrs" if version == "0.4" else "zarr.json")
    content = json.loads(file.read_text())
    change(content if version == "0.4" else content["attributes"]["ome"])
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("version", VERSIONS)
def test_wells_fields_channels_and_pixels(ome_zarr, version):
    plate = open_plate(ome_zarr(version))
    assert (plate.name, plate.layout) == ("P1", "ome-zarr")
    assert plate.shape == (8, 12)
    assert plate.pixel_size == pytest.approx(0.6)
    assert [s.id for s in plate.sites] == ["P1/B03/0", "P1/B03/1", "P1/C04/0", "P1/C04/1"]
    assert plate.problems == ()
    assert "omero" in plate.stains.sources[Stain.DNA]
    site = plate.site("P1/C04/1")
    for number, plane in enumerate(site.read()):
        np.testing.assert_array_equal(plane, image(level(2, 0, 1, number)))
    np.testing.assert_array_equal(site.read(["Mito", "ER"]), site.read()[[4, 1]])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_well_is_read_by_its_own_channel_names(ome_zarr, version):
    labels = {
        "A/1": ["DNA", "ER", "RNA", "AGP", "Mito"],
        "B/2": ["Mito", "Brightfield", "AGP", "RNA", "ER", "DNA"],
    }
    plate = open_plate(ome_zarr(version, labels, fields=1))
    for well, names in (("A01", labels["A/1"]), ("B02", labels["B/2"])):
        site = plate.well(well).sites[0]
        assert site.problem is None
        for stain, plane in zip(STAINS, site.read(), strict=True):
            np.testing.assert_array_equal(
                plane, image(level(1 + "AB".index(well[0]), 0, 0, names.index(stain)))
            )
    assert list(plate.stains.ignored) == ["Brightfield"]


def test_a_well_without_one_stain_is_the_only_one_to_suffer(ome_zarr):
    labels = {"A/1": ["DNA", "ER", "RNA", "AGP", "Mito"], "B/2": ["DNA", "ER", "RNA", "AGP"]}
    plate = open_plate(ome_zarr("0.4", labels, fields=1))
    assert plate.well("A01").sites[0].problem is None
    assert "Mito" in plate.well("B02").sites[0].problem


@pytest.mark.parametrize("version", VERSIONS)
def test_images_without_channel_names_leave_the_plate_unmapped(ome_zarr, version):
    root = ome_zarr(version, {"A/1": ["a", "b", "c", "d", "e"]}, fields=1)
    edit(root / "A/1/0", version, lambda ome: ome.pop("omero"))
    plate = open_plate(root)
    assert plate.stains.unmapped == tuple(f"channel {i}" for i in range(5))
    told = plate.with_channels({"DNA": 3})
    np.testing.assert_array_equal(told.sites[0].read(["DNA"])[0], image(level(1, 0, 0, 3)))


def test_axes_t_and_z_are_understood(ome_zarr):
    root = ome_zarr("0.4", {"A/1": ["DNA", "ER"]}, fields=1)
    group = root / "A/1/0"
    data = np.random.default_rng(0).integers(0, 9999, (2, 2, 3, 4, 5)).astype("uint16")
    shutil.rmtree(group / "0")
    array = zarr.create_array(group / "0", shape=data.shape, dtype="uint16", zarr_format=2)
    array[:] = data
    axes = [{"name": a} for a in "tczyx"]
    edit(group, "0.4", lambda ome: ome["multiscales"][0].update(axes=axes))
    site = open_plate(root).sites[0]
    np.testing.assert_array_equal(site.read(["ER"])[0], data[0, 1].max(axis=0))


@pytest.mark.parametrize("path", ["../outside/A", "/etc", "B/3/../../../outside"])
def test_paths_in_metadata_do_not_lead_out_of_the_plate(ome_zarr, path, tmp_path):
    root = ome_zarr("0.4")
    shutil.copytree(root / "B", tmp_path / "outside")
    edit(root, "0.4", lambda ome: ome["plate"]["wells"][0].update(path=path))
    edit(root / "C/4", "0.4", lambda ome: ome["well"]["images"][0].update(path="../../../outside/3/0"))
    edit(
        root / "C/4/1",
        "0.4",
        lambda ome: ome["multiscales"][0]["datasets"][0].update(path="../../../B/3/0/0"),
    )
    with pytest.raises(PlateError, match="none of its stains is known"):
        open_plate(root).sites[0].shape  # noqa: B018
    problems = open_plate(root).problems
    assert sum("leads out" in p.what for p in problems) == 2
    assert any("C/4/1" in p.subject for p in problems)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_plate_are_not_followed(ome_zarr, tmp_path):
    root = ome_zarr("0.5")
    shutil.move(root / "B", tmp_path / "outside")
    (root / "B").symlink_to(tmp_path / "outside", target_is_directory=True)
    plate = open_plate(root)
    assert [w.name for w in plate.wells] == ["C04"]
    assert any("leads out" in p.what for p in plate.problems)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_pickles_in_an_array_are_refused_unread(ome_zarr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = ome_zarr("0.4", {"A/1": ["DNA"]}, fields=1)
    array = root / "A/1/0/0"
    meta = json.loads((array / ".zarray").read_text())
    (array / ".zarray").write_text(json.dumps({**meta, "compressor": None, "filters": [{"id": "pickle"}]}))
    for chunk in array.iterdir():
        if chunk.name != ".zarray":
            chunk.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(PlateError, match="pickle"):
        open_plate(root).sites[0].read(["DNA"])
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_damaged_and_missing_images_are_told(ome_zarr, version):
    root = ome_zarr(version)
    shutil.rmtree(root / "B/3/0/0")
    chunk = next(
        f for f in (root / "C/4/0/0").rglob("*") if f.is_file() and "zarr" not in f.name and f.name[0] != "."
    )
    chunk.write_bytes(b"damaged")
    plate = open_plate(root)
    assert any(p.subject == "B/3/0" and "missing or damaged" in p.what for p in plate.problems)
    assert "no image of DNA" in plate.site("P1/B03/0").problem
    with pytest.raises(PlateError, match="damaged"):
        plate.site("P1/C04/0").read()
    assert plate.site("P1/C04/1").read().shape == (5, 6, 8)


def test_a_plate_whose_metadata_are_nonsense_is_refused(ome_zarr):
    root = ome_zarr("0.4")
    for nonsense in ({"plate": {}}, {"plate": {"wells": "x"}}, {"plate": {"wells": [{"path": 3}, 7]}}):
        (root / ".zattrs").write_text(json.dumps(nonsense))
        with pytest.raises(PlateError):
            open_plate(root)


def test_a_folder_with_one_zarr_plate_in_it_opens_that(ome_zarr):
    root = ome_zarr("0.5")
    assert open_plate(root.parent).name == "P1"
    ome_zarr("0.4")
    with pytest.raises(PlateError, match="2 plates"):
        open_plate(root.parent)


def write_table_plate(folder, sites, channels="idx,channel\n0,AGP\n1,DNA\n2,ER\n3,Mito\n4,RNA\n", version=3):
    folder.mkdir()
    count = len(sites.strip().splitlines()) - 1
    data = np.stack([[image(100 * s + c) for c in range(5)] for s in range(count)])
    zarr.open_group(folder / "images.zarr", mode="w", zarr_format=version)
    array = zarr.create_array(
        folder / "images.zarr" / "images", shape=data.shape, dtype="uint16", zarr_format=version
    )
    array[:] = data
    (folder / "sites.csv").write_text(sites)
    (folder / "channels.csv").write_text(channels)
    return folder


@pytest.mark.parametrize("version", [2, 3])
def test_a_plain_array_is_read_by_its_two_tables(tmp_path, version):
    folder = write_table_plate(tmp_path / "p", "idx,Plate,Well,Site\n1,B,A2,3\n0,B,A1,1\n", version=version)
    plate = open_plate(folder)
    assert (plate.layout, plate.name) == ("zarr-table", "B")
    assert [s.id for s in plate.sites] == ["B/A01/1", "B/A02/3"]
    np.testing.assert_array_equal(plate.sites[1].read(["DNA"])[0], image(101))
    np.testing.assert_array_equal(plate.sites[0].read()[4], image(3))


def test_colliding_plates_in_one_array_ask_for_a_name(tmp_path):
    folder = write_table_plate(tmp_path / "p", "idx,Plate,Well,Site\n0,B,A1,1\n1,C,A1,1\n")
    with pytest.raises(PlateError, match=r"name=.*B, C"):
        open_plate(folder)
    np.testing.assert_array_equal(open_plate(folder, name="C").sites[0].read(["AGP"])[0], image(100))


@pytest.mark.parametrize("break_it", ["metadata", "numbers", "empty", "names"])
def test_damaged_tables_and_arrays_are_refused_in_a_sentence(tmp_path, break_it):
    folder = write_table_plate(tmp_path / "p", "idx,Well\n0,A1\n")
    if break_it == "metadata":
        (folder / "images.zarr" / "images" / "zarr.json").write_text('{"shape": oops')
    elif break_it == "numbers":
        (folder / "sites.csv").write_text("idx,Well\nfirst,A1\n")
    elif break_it == "empty":
        (folder / "sites.csv").write_text("")
    else:
        (folder / "channels.csv").write_text("idx,colour\n0,blue\n")
    with pytest.raises(PlateError):
        open_plate(folder)


def test_sites_without_wells_and_beyond_the_array(tmp_path):
    folder = write_table_plate(tmp_path / "p", "idx,Site\n0,1\n9,2\n")
    plate = open_plate(folder)
    assert [(w.name, w.known) for w in plate.wells] == [("field1", False)]
    assert any("left out" in p.what for p in plate.problems)


def _with_axes(path, axes, extra, pyramid=False):
    """Rewrite a made OME-Zarr plate so that its images have more axes before [C, Y, X]."""
    for group in path.glob("*/*/*"):
        if not group.is_dir() or not (group / "0").is_dir():
            continue
        data = np.asarray(zarr.open_array(group / "0", mode="r"))
        data = np.stack([data + 1000 * i for i in range(extra)], axis=axes.index("z") if "z" in axes else 0)
        shutil.rmtree(group / "0")
        for step in range(2 if pyramid else 1):
            part = data[..., :: 2**step, :: 2**step]
            zarr.create_array(group / str(step), shape=part.shape, dtype="uint16", zarr_format=2)[:] = part
        attributes = json.loads((group / ".zattrs").read_text())
        scale = attributes["multiscales"][0]
        scale["axes"] = [{"name": a} for a in axes]
        scale["datasets"] = [{"path": str(step)} for step in range(2 if pyramid else 1)]
        (group / ".zattrs").write_text(json.dumps(attributes))


def test_focal_planes_are_projected_and_told_and_the_first_level_of_a_pyramid_is_read(ome_zarr):
    path = ome_zarr("0.4", fields=3)
    before = [s.read(["DNA"])[0] for s in open_plate(path).sites]
    _with_axes(path, ["c", "z", "y", "x"], 3, pyramid=True)
    plate = open_plate(path)
    assert len(plate.wells[0].sites) == 3
    for site, pixels in zip(plate.sites, before, strict=True):
        np.testing.assert_array_equal(site.read(["DNA"])[0], pixels + 2000)
    assert "up to 3 focal planes of a channel are combined by maximum projection" in [
        p.what for p in plate.problems
    ]


def test_a_time_point_is_chosen_and_told(ome_zarr):
    path = ome_zarr("0.4")
    before = open_plate(path).sites[0].read(["DNA"])[0]
    _with_axes(path, ["t", "c", "y", "x"], 2)
    assert any("time point 1 of 2 is open" in p.what for p in open_plate(path).problems)
    np.testing.assert_array_equal(open_plate(path).sites[0].read(["DNA"])[0], before)
    np.testing.assert_array_equal(open_plate(path, time=2).sites[0].read(["DNA"])[0], before + 1000)
    assert "it has no time point 3" in " ".join(p.what for p in open_plate(path, time=3).problems)


def test_a_well_listed_twice_is_read_once(ome_zarr):
    path = ome_zarr("0.4")
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["plate"]["wells"] *= 2
    (path / ".zattrs").write_text(json.dumps(attributes))
    plate = open_plate(path)
    assert len({s.id for s in plate.sites}) == len(plate.sites) == 4
    assert any("lists this well twice" in p.what for p in plate.problems)


def test_labels_beside_the_pixels_are_left_out(ome_zarr, tmp_path):
    """Segmentations lie in a group ``labels`` of each image: neither pixels, channels nor sites come from them."""
    folder = ome_zarr("0.4")
    before = open_plate(folder)
    pixels = [site.read() for site in before.sites]
    for image_folder in ("B/3/0", "B/3/1", "C/4/0"):
        labels = folder / image_folder / "labels"
        zarr.create_array(labels / "cells" / "0", shape=(6, 8), dtype="uint32", zarr_format=2)[:] = 7
        (labels / ".zgroup").write_text('{"zarr_format": 2}')
        (labels / ".zattrs").write_text('{"labels": ["cells"]}')
        attributes = {"multiscales": [{"datasets": [{"path": "0"}], "axes": ["y", "x"]}], "image-label": {}}
        (labels / "cells" / ".zattrs").write_text(json.dumps(attributes))
    plate = open_plate(folder)
    assert [site.id for site in plate.sites] == [site.id for site in before.sites]
    assert plate.problems == before.problems
    for site, expected in zip(plate.sites, pixels, strict=True):
        np.testing.assert_array_equal(site.read(), expected)
