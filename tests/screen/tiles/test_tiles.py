"""Tiles on demand: their mean is what the screen stores, they lie where they say, and strangers are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from cachetools import LRUCache

from napari_cellclip.model import (
    IntensityScaling,
    IntensityStats,
    Model,
    Tiling,
)
from napari_cellclip.model.encoders.intensity import scale_field
from napari_cellclip.plates import PlateMap
from napari_cellclip.screen import encode
from napari_cellclip.screen.progress import Progress, as_part, finished
from napari_cellclip.screen.tiles import tiles
from napari_cellclip.screen.tiles.tile_grid import MOST_TILES, TileGrid, heat_grid, trained_sizes
from napari_cellclip.screen.tiles.tiles import FieldTiles, iter_control_tiles, iter_field_tiles
from napari_cellclip.vocabulary import STAINS, Control, Kind, Perturbation, ScreenError
from tests.screen.conftest import CHANNELS
from tests.tiny import tiny_card, tiny_model

ORDER = tuple(reversed(STAINS))
NEGATIVE = Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE)
CONTROLS = PlateMap.from_perturbations({"A02": NEGATIVE, "B01": NEGATIVE})


def small_model(seed=0, kind="plate", tiling=None) -> Model:
    encoder = tiny_card().encoder.model_copy(update={"name": f"small-{seed}"})  # another for each seed
    return tiny_model(
        seed,
        name=f"small-{seed}",
        encoder=encoder,
        intensity=IntensityScaling(kind=kind),
        tiling=tiling or Tiling(size=16),
        stain_order=ORDER,
    )


def field_tiles(*given) -> FieldTiles:
    return finished(iter_field_tiles(*given))


@pytest.fixture
def encoded(tmp_path, make_plate):
    """Plate of 3 wells with 3 fields of 40 x 52 pixels, its screen and the model."""
    plate, model = make_plate(size=(40, 52)), small_model()
    return encode(plate, CONTROLS, model, tmp_path / "s"), plate, model


@pytest.mark.parametrize("kind", ["plate", "image"])
@pytest.mark.parametrize(
    "tiling",
    [Tiling(size=16), Tiling(mode="center", size=24), Tiling(mode="random", size=12, n=4), Tiling(size=64)],
    ids=["grid", "center", "random", "filled up"],
)
def test_the_mean_over_tiles_is_the_stored_feature(tmp_path, make_plate, kind, tiling) -> None:
    plate, model = make_plate(size=(40, 52)), small_model(kind=kind, tiling=tiling)
    screen = encode(plate, CONTROLS, model, tmp_path / "s")
    for site in ("P1/A01/1", "P1/B01/3"):
        found = field_tiles(screen, plate, site, model)
        assert found.features.shape == (len(tiling.corners(40, 52)), 5, 16)
        stored = screen.features([site])[0]
        np.testing.assert_allclose(found.features.mean(axis=0), stored, atol=2e-3 * np.abs(stored).max())
        assert found.notes == ()


def test_a_tile_is_the_encoding_of_the_pixels_it_names(encoded) -> None:
    screen, plate, model = encoded
    found = field_tiles(screen, plate, "P1/A01/2", model, TileGrid(20, 7))
    stats = IntensityStats.model_validate(screen.plates["P1"].intensity)
    scaled = scale_field(plate.pixels("P1/A01/2"), model.card.intensity, stats)
    scaled = scaled[[STAINS.index(stain) for stain in ORDER]]
    assert {int(size) for size in found.positions[:, 2]} == {20}
    covered = np.zeros((40, 52), bool)
    for (row, column, size), features in zip(found.positions.tolist(), found.features, strict=True):
        crop = scaled[:, row : row + size, column : column + size]
        np.testing.assert_allclose(features, model.encode_crops(crop[None].copy())[0], rtol=1e-4, atol=1e-5)
        covered[row : row + size, column : column + size] = True
    assert covered.all()
    assert any("20 pixels wide, the model was trained on tiles of 16" in note for note in found.notes)


def test_pictures_are_at_the_contrast_of_the_plate(encoded) -> None:
    screen, plate, model = encoded
    found = field_tiles(screen, plate, "P1/A02/1", model)
    low, high = (np.array([screen.contrast("P1")[s][i] for s in STAINS])[:, None, None] for i in (0, 1))
    wanted = np.clip((plate.pixels("P1/A02/1") - low) / (high - low) * 255, 0, 255)
    assert found.picture.dtype == np.uint8
    assert np.abs(found.picture - wanted).max() <= 1
    row, column, size = found.positions[-1].tolist()
    np.testing.assert_array_equal(found.crop(-1), found.picture[:, row : row + size, column : column + size])


def test_crops_of_a_filled_up_field_end_at_its_edge(tmp_path, make_plate) -> None:
    plate, model = make_plate(size=(40, 52)), small_model(tiling=Tiling(size=64))
    screen = encode(plate, None, model, tmp_path / "s")
    found = field_tiles(screen, plate, "P1/A01/1", model)
    assert found.positions.tolist() == [[-12, -6, 64]]
    np.testing.assert_array_equal(found.crop(0), found.picture)


def test_tiles_come_in_batches_and_may_be_stopped(encoded, monkeypatch) -> None:
    screen, plate, model = encoded
    calls = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # as many batches are begun at once
    launch = model.pixels._launch
    monkeypatch.setattr(model.pixels, "_launch", lambda net, x: calls.append(len(x)) or launch(net, x))
    steps = iter_field_tiles(screen, plate, "P1/A01/1", model, TileGrid(8, 4))
    first = next(steps)
    assert (first.done, first.stage) == (4, "explanation")
    assert first.total == len(Tiling(size=8).corners(40, 52, 4))
    steps.close()
    assert calls == [4]


def test_tiles_are_remembered_within_bounds(encoded, monkeypatch) -> None:
    screen, plate, model = encoded
    size = field_tiles(screen, plate, "P1/A01/1", model, TileGrid(8, 8)).nbytes
    monkeypatch.setattr(tiles, "_cache", LRUCache(2 * size, getsizeof=tiles._cache.getsizeof))
    plate.reads.clear()
    one = field_tiles(screen, plate, "P1/A01/1", model)
    assert field_tiles(screen, plate, "P1/A01/1", model) is one
    assert plate.reads == ["P1/A01/1"]
    field_tiles(screen, plate, "P1/A01/1", model, TileGrid(8, 8))
    field_tiles(screen, plate, "P1/A01/2", model)
    assert field_tiles(screen, plate, "P1/A01/1", model) is not one
    assert tiles._cache.currsize <= 2 * size
    monkeypatch.setattr(tiles, "_cache", LRUCache(1, getsizeof=tiles._cache.getsizeof))
    assert len(field_tiles(screen, plate, "P1/A01/1", model)) == len(one)  # too large to be remembered


def test_control_tiles_are_of_controls_one_well_after_the_other(encoded) -> None:
    screen, plate, model = encoded
    steps = list(iter_control_tiles(screen, plate, model, TileGrid(10, 5), fields=3))
    assert steps[-1].done == steps[-1].total == 100
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    found = finished(iter_control_tiles(screen, plate, model, TileGrid(10, 5), fields=3))
    assert len({f.site for f in found}) == 3
    assert {f.site.rsplit("/", 1)[0] for f in found[:2]} == {"P1/A02", "P1/B01"}
    assert all(f.grid == TileGrid(10, 10) for f in found)
    again = finished(iter_control_tiles(screen, plate, model, TileGrid(10, 5), fields=3))
    assert [f.site for f in again] == [f.site for f in found]
    rest = finished(iter_control_tiles(screen, plate, model, fields=99, but="P1/A02/2"))
    assert len(rest) == 5
    assert "P1/A02/2" not in {f.site for f in rest}


def test_damaged_control_fields_are_passed_over(encoded) -> None:
    screen, plate, model = encoded
    plate.broken = {"P1/A02/1", "P1/A02/2", "P1/A02/3"}
    found = finished(iter_control_tiles(screen, plate, model, fields=99))
    assert {f.site.rsplit("/", 1)[0] for f in found} == {"P1/B01"}
    assert (
        len(finished(iter_control_tiles(screen.with_platemap(PlateMap.from_perturbations({})), plate, model)))
        == 0
    )


def test_other_pixels_are_refused(encoded, make_plate) -> None:
    screen, _, model = encoded
    brighter = make_plate(size=(40, 52), gain=0.5)
    with pytest.raises(ScreenError, match="not those that screen s was encoded from"):
        field_tiles(screen, brighter, "P1/A01/1", model)


def test_changed_files_are_told(encoded, tmp_path) -> None:
    screen, plate, model = encoded
    (tmp_path / "image.tiff").write_bytes(b"II*")
    plate.files["P1/A01/1"] = tmp_path / "image.tiff"
    assert any(
        "were changed or copied" in note for note in field_tiles(screen, plate, "P1/A01/1", model).notes
    )


def test_strangers_are_refused(encoded, make_plate, tmp_path) -> None:
    screen, plate, model = encoded
    with pytest.raises(ScreenError, match="by the channel encoder of 'small-0'"):
        field_tiles(screen, plate, "P1/A01/1", small_model(1))
    with pytest.raises(ScreenError, match="open the plate it belongs to"):
        field_tiles(screen, make_plate(name="P2"), "P1/A01/1", model)
    with pytest.raises(ScreenError, match="no features of site P1/H01/1"):
        field_tiles(screen, plate, "P1/H01/1", model)
    swapped = make_plate(size=(40, 52), channels=CHANNELS | {STAINS[0]: "ch1", STAINS[1]: "ch0"})
    with pytest.raises(ScreenError, match="other channels for its stains: open it with DNA=ch0"):
        field_tiles(screen, swapped, "P1/A01/1", model)
    failed = make_plate(size=(40, 52), broken=["P1/A01/2"])
    partly = encode(failed, None, model, tmp_path / "other")
    with pytest.raises(ScreenError, match=r"P1/A01/2: site P1/A01/2, DNA: A01\.tiff is cut off"):
        field_tiles(partly, failed, "P1/A01/2", model)


def test_screens_of_profiles_have_no_pixels(encoded) -> None:
    screen, plate, model = encoded
    profile = model.card.encoder.model_copy(update={"kind": "profile"})
    screen._model.__dict__["card"] = model.card.model_copy(update={"encoder": profile})
    with pytest.raises(ScreenError, match="made from a table of profiles"):
        field_tiles(screen, plate, "P1/A01/1", model)


@pytest.mark.parametrize(("size", "stride"), [(2, 1), (8, 0), (8, 9)])
def test_grids_with_gaps_are_refused(size, stride) -> None:
    with pytest.raises(ScreenError, match="leaves gaps or has no tiles"):
        TileGrid(size, stride)


@pytest.mark.parametrize("extent", [(256, 256), (520, 696), (1080, 1080), (2160, 2160), (40, 3000)])
@pytest.mark.parametrize("size", [32, 224, 256])
def test_the_grid_of_a_heat_map_suits_field_and_card(extent, size) -> None:
    card = small_model(tiling=Tiling(size=size)).card
    grid = heat_grid(card, extent)
    assert grid.size in (size, size // 2)
    assert (grid.size == size) == (min(extent) >= 3 * size)
    count = len(Tiling(size=grid.size).corners(*extent, grid.stride))
    assert count <= MOST_TILES or grid.stride == grid.size


@pytest.mark.parametrize(
    ("extent", "size", "stride"),
    [
        ((256, 256), 64, 16),
        ((512, 512), 64, 16),
        ((1080, 1080), 64, 32),
        ((2160, 2160), 64, 64),
        ((9000, 9000), 256, 256),
        ((180, 180), 64, 16),
        ((100, 900), 32, 32),
    ],
)
def test_a_heat_map_uses_the_smallest_tiles_the_model_learnt_from(extent, size, stride) -> None:
    made = small_model(tiling=Tiling(size=256)).card
    card = made.model_copy(update={"training": {"tile_sizes": [128, 64, "8", -3, None]}})
    assert trained_sizes(card) == [64, 128, 256]
    assert heat_grid(card, extent) == TileGrid(size, stride)


def test_sizes_that_a_damaged_card_tells_are_passed_over() -> None:
    made = small_model(tiling=Tiling(size=256)).card
    for told in ("64", 64, None, {"64": 1}):
        assert trained_sizes(made.model_copy(update={"training": {"tile_sizes": told}})) == [256]


def test_parts_of_a_run_count_in_percent_and_close_with_it() -> None:
    closed = []

    def part():
        try:
            for i in range(4):
                yield Progress(i + 1, 4, "x")
        finally:
            closed.append(True)
        return "done"

    def whole():
        return (yield from as_part(part(), 1, 2))

    assert [step.done for step in whole()] == [62, 75, 88, 100]
    assert finished(whole()) == "done"
    running = whole()
    next(running)
    running.close()
    assert len(closed) == 3
    assert dataclasses.replace(next(whole()), message="x").total == 100
