from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip import PlateMap, fetch_plate, open_plate
from napari_cellclip.plates import find_platemap, iter_fetch_plate
from napari_cellclip.vocabulary import PlateError, StainError
from tests.plates.remote.faulty_server import FaultyServer
from tests.plates.remote.made_gallery import PLATE, PROJECT, SOURCE, MadeGallery

ADDRESS = f"cpg://{PROJECT}/{SOURCE}/{PLATE}"


def image_requests(server: FaultyServer) -> int:
    return sum(n for path, n in server.asked.items() if path.endswith((".tiff", ".npy")))


def test_chosen_part_opens_like_any_other_plate(
    gallery: MadeGallery, s3: FaultyServer, tmp_path: Path
) -> None:
    wells = [well.name for well in gallery.plate.wells][:2]
    folder = fetch_plate(
        ADDRESS, tmp_path / "part", wells=wells, sites=[2], stains=["DNA", "Mito"], illum=True
    )
    assert image_requests(s3) == 2 * 2 + 5
    plate = open_plate(folder)
    assert plate.name == PLATE
    assert [str(stain) for stain in plate.stains.channels] == ["DNA", "Mito"]
    assert [(site.well, site.number) for site in plate.sites] == [(well, 2) for well in wells]
    assert [p for p in plate.problems if "not under" in p.what] == []
    for site in plate.sites:
        np.testing.assert_array_equal(
            site.read(["DNA", "Mito"]),
            gallery.plate.site(f"{gallery.plate.name}/{site.well}/2").read(["DNA", "Mito"]),
        )
    labels = PlateMap.read(find_platemap(folder))
    assert labels.get(wells[0]).smiles.startswith("COC(=O)")
    assert len(list((folder / "illum").glob("*.npy"))) == 5
    record = json.loads((folder / "fetched.json").read_text())
    assert (record["address"], record["licence"][:3]) == (ADDRESS, "CC0")


def test_a_stain_that_does_not_exist_is_refused_before_anything_is_made(
    gallery: MadeGallery, tmp_path: Path
) -> None:
    """It raised the ValueError of an enumeration."""
    with pytest.raises(StainError, match="GFP"):
        fetch_plate(ADDRESS, tmp_path / "part", stains=["GFP"])
    assert not (tmp_path / "part").exists()


def test_whole_plate_is_the_same_as_the_original(gallery: MadeGallery, tmp_path: Path) -> None:
    plate = open_plate(fetch_plate(ADDRESS, tmp_path / "all"))
    assert plate.problems == ()
    for ours, theirs in zip(plate.sites, gallery.plate.sites, strict=True):
        np.testing.assert_array_equal(ours.read(), theirs.read())


def test_stopped_fetch_goes_on_and_asks_for_nothing_twice(
    gallery: MadeGallery, s3: FaultyServer, tmp_path: Path
) -> None:
    steps = iter_fetch_plate(ADDRESS, tmp_path / "plate")
    for step in steps:
        if step.done == 20:
            break
    steps.close()
    before = image_requests(s3)
    assert before < 60
    assert json.loads((tmp_path / "plate" / "fetched.json").read_text())["files"]
    fetch_plate(ADDRESS, tmp_path / "plate")
    assert image_requests(s3) == 60
    assert open_plate(tmp_path / "plate").problems == ()
    fetch_plate(ADDRESS, tmp_path / "plate")
    assert image_requests(s3) == 60


def test_part_of_a_file_is_not_fetched_twice(
    gallery: MadeGallery, s3: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line breaks for good after half of the blocks; the next run asks for the rest alone."""
    monkeypatch.setattr("napari_cellclip.plates.remote.stores.store.BLOCK", 1000)
    well = gallery.plate.wells[0].name
    broken = {"on": True}

    def fault(method: str, path: str, count: int) -> str | None:
        return "error" if broken["on"] and ".tiff" in path and count > 3 else None

    s3.fault = fault
    chosen = {"wells": [well], "sites": [1], "stains": ["DNA"]}
    with pytest.raises(PlateError, match=r"1 of 1 files .* could not be fetched .* goes on from there"):
        fetch_plate(ADDRESS, tmp_path / "plate", **chosen)
    broken["on"] = False
    (name,) = [path for path in s3.sent if path.endswith(".tiff")]
    first = s3.sent[name]
    fetch_plate(ADDRESS, tmp_path / "plate", **chosen)
    site = open_plate(tmp_path / "plate").sites[0]
    size = site.files[0].stat().st_size
    assert first >= 3000
    assert s3.sent[name] - first == size - first  # not one byte came twice
    np.testing.assert_array_equal(site.read(["DNA"]), gallery.plate.sites[0].read(["DNA"]))


def test_changed_file_is_fetched_again(gallery: MadeGallery, s3: FaultyServer, tmp_path: Path) -> None:
    fetch_plate(ADDRESS, tmp_path / "plate")
    before = image_requests(s3)
    key = next(key for key in gallery.keys(gallery.images) if "ch5" in key)
    other = next(key for key in gallery.keys(gallery.images) if "ch4" in key)
    content = gallery.client.get_object(Bucket="cellpainting-gallery", Key=other)["Body"].read()
    gallery.put(key, content)
    fetch_plate(ADDRESS, tmp_path / "plate")
    assert image_requests(s3) == before + 1
    assert (tmp_path / "plate" / "images" / key.rpartition("/")[2]).read_bytes() == content


def test_refusals(gallery: MadeGallery, tmp_path: Path) -> None:
    with pytest.raises(PlateError, match="no address that can be fetched"):
        fetch_plate("/plates/BR1", tmp_path / "plate")
    with pytest.raises(PlateError, match="no images of P24"):
        fetch_plate(ADDRESS, tmp_path / "plate", wells=[gallery.plate.wells[0].name, "P24"])
    with pytest.raises(PlateError, match="no site of plate"):
        fetch_plate(ADDRESS, tmp_path / "plate", sites=[9])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.docx").write_bytes(b"x")
    with pytest.raises(PlateError, match="holds other files"):
        fetch_plate(ADDRESS, tmp_path / "full")
    fetch_plate(ADDRESS, tmp_path / "plate", sites=[1])
    with pytest.raises(PlateError, match="holds cpg://"):
        fetch_plate(f"s3://cellpainting-gallery/{gallery.images}", tmp_path / "plate")
