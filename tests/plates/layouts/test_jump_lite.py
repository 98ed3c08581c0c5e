"""JUMP-Lite stores as its release describes them: an array for each site, Zstandard or JPEG XL."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip import open_plate
from napari_cellclip.plates import detect_layout
from napari_cellclip.plates.layouts.published import jump_lite
from napari_cellclip.plates.layouts.published.jump_lite import CHANNELS, SiteName
from napari_cellclip.vocabulary import PlateError

PIXELS = np.arange(5 * 16 * 24, dtype=np.uint16).reshape(5, 16, 24) * 30


def write(store: Path, sites: list[str], kind: str = "zstd") -> Path:
    for number, site in enumerate(sites):
        options = {"zarr_format": 3}
        if kind == "jpegxl":
            from imagecodecs.numcodecs import Jpegxl, register_codecs

            register_codecs("imagecodecs_jpegxl", verbose=False)
            options = {"zarr_format": 2, "compressors": Jpegxl(distance=1.0, lossless=False)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr's of codecs that are in no specification
            array = zarr.create_array(
                store / site, shape=PIXELS.shape, chunks=PIXELS.shape, dtype="uint16", **options
            )
            array[:] = PIXELS + number
    return store


SITES = [
    f"source_4__2021_06_07_Batch5__BR00123947__{well}__{site}" for well in ("A01", "B12") for site in (1, 2)
]


def test_lossless_store(tmp_path: Path) -> None:
    store = write(tmp_path / "zstd.zarr", SITES)
    assert detect_layout(store) == "jump-lite"
    plate = open_plate(store)
    assert plate.name == "BR00123947"
    assert plate.stains.complete
    assert [site.id for site in plate.sites] == [
        f"BR00123947/{w}/{s}" for w in ("A01", "B12") for s in (1, 2)
    ]
    order = [CHANNELS.index(stain) for stain in ("DNA", "ER", "RNA", "AGP", "Mito")]
    np.testing.assert_array_equal(plate.sites[3].read(), PIXELS[order] + 3)
    assert any("AGP, DNA, ER, Mito, RNA" in problem.what for problem in plate.problems)


def test_jpeg_xl_store_is_read_and_told_to_be_lossy(tmp_path: Path) -> None:
    plate = open_plate(write(tmp_path / "jpegxl_lossy_mq.zarr", SITES[:1], "jpegxl"))
    read = plate.sites[0].read(["AGP"])[0]
    assert np.corrcoef(read.ravel(), PIXELS[0].ravel())[0, 1] > 0.99
    assert any("has lost detail" in problem.what for problem in plate.problems)


def test_several_plates_are_chosen_by_name(tmp_path: Path) -> None:
    other = [name.replace("BR00123947", "BR00123948") for name in SITES[:1]]
    twin = [name.replace("source_4", "source_2") for name in SITES[:1]]
    store = write(tmp_path / "zstd.zarr", [*SITES, *other, *twin])
    with pytest.raises(PlateError, match="3 plates: choose one"):
        open_plate(store)
    assert open_plate(store, name="BR00123948").name == "BR00123948"
    with pytest.raises(PlateError, match="choose one with name="):
        open_plate(store, name="BR00123947")
    assert len(open_plate(store, name="source_4__2021_06_07_Batch5__BR00123947").sites) == 4
    with pytest.raises(PlateError, match="no plate 'BR1'"):
        open_plate(store, name="BR1")


def test_damaged_array_fails_its_site(tmp_path: Path) -> None:
    store = write(tmp_path / "zstd.zarr", SITES)
    meta = store / SITES[0] / "zarr.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "shape": [4, 16, 24]}))
    plate = open_plate(store)
    assert "five channels were expected" in (plate.sites[0].problem or "")
    assert plate.sites[1].problem is None


@given(st.text(max_size=60))
def test_any_name_is_read_or_left(name: str) -> None:
    found = SiteName.parse(name)
    assert found is None or name.count("__") >= 4


def test_a_store_of_more_arrays_than_the_release_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write(tmp_path / "zstd.zarr", SITES)
    monkeypatch.setattr(jump_lite, "MAX_SITES", len(SITES))
    assert len(open_plate(store, layout="jump-lite").sites) == len(SITES)
    monkeypatch.setattr(jump_lite, "MAX_SITES", len(SITES) - 1)
    with pytest.raises(PlateError, match="more arrays than JUMP-Lite has"):
        open_plate(store, layout="jump-lite")
