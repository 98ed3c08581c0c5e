"""Plates in buckets and on web servers, which are no gallery."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip import fetch_plate, open_plate
from napari_cellclip.plates.illumination_functions import illumination_of
from napari_cellclip.vocabulary import PlateError
from tests.plates.layouts.test_jump_lite import write as write_jump_lite
from tests.plates.remote.faulty_server import FaultyServer, serving
from tests.plates.remote.made_gallery import PLATE, PROJECT, SOURCE, MadeGallery


def put(gallery: MadeGallery, folder: Path, prefix: str) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            gallery.put(f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def same_pixels(ours, theirs) -> None:
    assert [site.id.split("/")[1:] for site in ours.sites] == [
        site.id.split("/")[1:] for site in theirs.sites
    ]
    for a, b in zip(ours.sites, theirs.sites, strict=True):
        np.testing.assert_array_equal(a.read(), b.read())


def test_folder_of_a_bucket_opens_as_it_would_here(gallery: MadeGallery, s3: FaultyServer) -> None:
    plate = open_plate(f"s3://cellpainting-gallery/{gallery.images}")
    assert plate.layout == "phenix"
    assert not any(path.endswith(".tiff") for path in s3.asked)
    assert plate.name == gallery.plate.name
    same_pixels(plate, gallery.plate)


def test_state_of_a_plate_does_not_depend_on_what_was_fetched(gallery: MadeGallery) -> None:
    plate = open_plate(f"s3://cellpainting-gallery/{gallery.images}")
    before = plate.fingerprint()
    plate.sites[0].read()
    assert plate.fingerprint() == before
    assert open_plate(f"s3://cellpainting-gallery/{gallery.images}").fingerprint() == before
    key = next(key for key in gallery.keys(gallery.images) if "ch5" in key)
    gallery.put(key, b"another file")
    assert open_plate(f"s3://cellpainting-gallery/{gallery.images}").fingerprint() != before


def test_plate_can_be_sent_to_another_process(gallery: MadeGallery) -> None:
    plate = open_plate(f"s3://cellpainting-gallery/{gallery.images}")
    plate.sites[0].read()
    sent = pickle.loads(pickle.dumps(plate))
    same_pixels(sent, gallery.plate)
    assert sent.fingerprint() == plate.fingerprint()


def test_multichannel_files_are_looked_into(gallery: MadeGallery, tmp_path: Path) -> None:
    import tifffile

    folder = tmp_path / "stacks"
    folder.mkdir()
    pixels = np.arange(5 * 16 * 16, dtype=np.uint16).reshape(5, 16, 16)
    names = {"Channel": {"Name": ["DNA", "ER", "RNA", "AGP", "Mito"]}, "axes": "CYX"}
    for well in ("B02", "B03"):
        tifffile.imwrite(folder / f"{well}_s1.ome.tiff", pixels, ome=True, metadata=names)
    put(gallery, folder, "lab/stacks")
    plate = open_plate("s3://cellpainting-gallery/lab/stacks")
    assert plate.stains.complete
    same_pixels(plate, open_plate(folder))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_in_a_bucket(
    version: str, gallery: MadeGallery, s3: FaultyServer, ome_zarr: Callable[..., Path], tmp_path: Path
) -> None:
    folder = ome_zarr(version)
    put(gallery, folder, f"lab/{folder.name}")
    address = f"s3://cellpainting-gallery/lab/{folder.name}"
    plate = open_plate(address)
    assert plate.layout == "ome-zarr"
    chunks = [path for path in s3.asked if path.rsplit("/", 1)[-1][0].isdigit() and "/0/" in path]
    assert chunks == []
    same_pixels(plate, open_plate(folder))
    part = open_plate(fetch_plate(address, tmp_path / "part.zarr", wells=["B03"], sites=[1]))
    assert [site.id for site in part.sites] == ["P1/B03/1"]
    assert part.problems == open_plate(folder).problems
    np.testing.assert_array_equal(part.sites[0].read(), open_plate(folder).site("P1/B03/1").read())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_on_a_web_server(version: str, s3: FaultyServer, ome_zarr: Callable[..., Path]) -> None:
    folder = ome_zarr(version)
    with serving(FaultyServer(folder=folder.parent)) as web:
        plate = open_plate(f"{web.url}/{folder.name}")
        assert plate.layout == "ome-zarr"
        same_pixels(plate, open_plate(folder))
        asked = sum(web.asked.values())
        same_pixels(plate, open_plate(folder))
        assert sum(web.asked.values()) == asked  # the second time nothing is fetched
        again = open_plate(Path(f"{web.url}/{folder.name}"))  # a Path loses a slash
        same_pixels(again, open_plate(folder))


def test_chunk_that_was_never_written_is_background_and_one_that_fails_is_not(
    s3: FaultyServer, ome_zarr: Callable[..., Path]
) -> None:
    folder = ome_zarr("0.4")
    array = folder / "B" / "3" / "0" / "0"
    chunk = next(file for file in array.iterdir() if file.name[0].isdigit())
    chunk.unlink()
    with serving(FaultyServer(folder=folder.parent)) as web:
        plate = open_plate(f"{web.url}/{folder.name}")
        pixels = plate.sites[0].read()
        assert (pixels == 0).all(axis=(1, 2)).sum() == 1
        web.fault = lambda method, path, count: (
            "busy" if "/C/4/0/0/" in path and "zarray" not in path else None
        )
        with pytest.raises(PlateError, match="server is busy"):
            plate.site("P1/C04/0").read()


def test_web_server_without_zarr(s3: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "web" / "plate").mkdir(parents=True)
    with (
        serving(FaultyServer(folder=tmp_path / "web")) as web,
        pytest.raises(PlateError, match="a web server lists no folders"),
    ):
        open_plate(f"{web.url}/plate")


def test_illumination_functions_are_fetched_when_they_are_used(
    gallery: MadeGallery, s3: FaultyServer
) -> None:
    plate = open_plate(f"cpg://{PROJECT}/{SOURCE}/{PLATE}")
    assert not any(path.endswith(".npy") for path in s3.asked)
    corrected = plate.with_illumination(illumination_of(plate, "load_data"))
    assert sum(path.endswith(".npy") for path in s3.asked) == 5
    assert corrected.processing.illumination is not None


def test_one_plate_of_a_jump_lite_store(gallery: MadeGallery, s3: FaultyServer, tmp_path: Path) -> None:
    sites = [f"source_4__B5__{plate}__{well}__1" for plate in ("BR1", "BR2") for well in ("A01", "B02")]
    folder = write_jump_lite(tmp_path / "zstd.zarr", sites)
    put(gallery, folder, "cpg0016-jump/source_all/images_compressed/jump_lite/v1.0/zstd.zarr")
    store = "s3://cellpainting-gallery/cpg0016-jump/source_all/images_compressed/jump_lite/v1.0/zstd.zarr"
    plate = open_plate(f"{store}/source_4__B5__BR2")
    assert (plate.name, plate.layout) == ("BR2", "jump-lite")
    assert not any("/c/" in path for path in s3.asked)
    same_pixels(plate, open_plate(folder, name="BR2"))


def test_nothing_there(gallery: MadeGallery) -> None:
    with pytest.raises(PlateError, match="holds no files: check the address"):
        open_plate("s3://cellpainting-gallery/no/such/plate")
    with pytest.raises(PlateError, match="does not exist: check the address"):
        open_plate("s3://no-such-bucket-anywhere/plate")
