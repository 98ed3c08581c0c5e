"""Tile scores and heat maps against plain loops, and where they lie on the field."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.explore.explanation import match_heat_map as module
from napari_cellclip.explore.explanation.match_heat_map import heat_map, iter_explain_field
from napari_cellclip.explore.explanation.tile_scores import (
    TileScores,
    iter_tile_scores,
    nearest_control_tiles,
)
from napari_cellclip.model import Tiling
from napari_cellclip.screen.progress import finished
from napari_cellclip.screen.tiles.tile_grid import TileGrid
from napari_cellclip.screen.tiles.tiles import FieldTiles
from napari_cellclip.vocabulary import ScreenError
from tests.explore.cards import memory_card

DIM, EMBED = 3, 4


def tile_scores(*given) -> TileScores:
    return finished(iter_tile_scores(*given))


class FlatModel:
    """Embeds a bag by a curved map of its mean."""

    def __init__(self):
        self.card = memory_card("flat", embed_dim=EMBED, tiling=Tiling(mode="grid", size=8))
        self.weights = np.random.default_rng(1).normal(size=(5 * DIM, EMBED))
        self.batches = []

    def embed_wells(self, bags):
        self.batches.append(len(bags))
        flat = np.stack([np.asarray(bag, np.float64).mean(axis=0).reshape(-1) for bag in bags])
        return np.tanh(flat @ self.weights + 0.2).astype(np.float32)


def made_tiles(places, size, shape, seed=0, site="P/A01/1") -> FieldTiles:
    rng = np.random.default_rng(seed)
    positions = np.array([(*place, size) for place in places], np.int64)
    picture = rng.integers(0, 255, (5, *shape), dtype=np.uint8)
    features = rng.normal(size=(len(places), 5, DIM)).astype(np.float32)
    return FieldTiles(site, None, positions, features, picture)


def scored(places, size, shape, values) -> TileScores:
    values = np.asarray(values, float)
    return TileScores(made_tiles(places, size, shape), values / 10, values)


def controls_of(n=3, size=8, shape=(16, 16)) -> list[FieldTiles]:
    places = [(0, 0), (0, 8), (8, 0), (8, 8)]
    return [made_tiles(places, size, shape, seed=10 + i, site=f"P/B0{i + 1}/1") for i in range(n)]


def screen_with(controls) -> SimpleNamespace:
    """A screen whose field features are the mean over the controls' tiles, as for the card's own tiles."""
    stored = {c.site: c.features.mean(axis=0) for c in controls}
    return SimpleNamespace(features=lambda sites: np.stack([stored[s] for s in sites]))


@given(
    st.tuples(st.integers(5, 40), st.integers(5, 40)),
    st.integers(2, 20),
    st.lists(st.tuples(st.integers(-6, 39), st.integers(-6, 39)), min_size=1, max_size=6),
    st.data(),
)
def test_the_map_is_the_mean_of_the_tiles_over_a_pixel_the_nearest_counting_most(
    shape, size, places, data
) -> None:
    values = data.draw(st.lists(st.floats(-9, 9), min_size=len(places), max_size=len(places)))
    heat = heat_map(scored(places, size, shape, values), longest=64)
    total, count = np.zeros(shape), np.zeros(shape)
    for (row, column), value in zip(places, values, strict=True):
        for y in range(max(0, row), min(shape[0], row + size)):
            for x in range(max(0, column), min(shape[1], column + size)):
                near = [1 - abs(2 * (at + 0.5 - start) / size - 1) for at, start in ((y, row), (x, column))]
                total[y, x] += near[0] * near[1] * value
                count[y, x] += near[0] * near[1]
    assert heat.values.dtype == np.float32
    wanted = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
    np.testing.assert_allclose(heat.values, wanted, atol=1e-4)
    assert heat.placed() == {"scale": (1.0, 1.0), "translate": (0.0, 0.0)}


@given(st.tuples(st.integers(20, 90), st.integers(20, 90)), st.integers(3, 19), st.floats(0.1, 3))
def test_a_coarse_map_ends_where_the_field_ends(shape, longest, pixel_size) -> None:
    heat = heat_map(scored([(0, 0)], 100, shape, [1.0]), longest=longest)
    assert max(heat.values.shape) == longest
    place = heat.placed(pixel_size)
    for cells, extent, scale, start in zip(
        heat.values.shape, shape, place["scale"], place["translate"], strict=True
    ):
        # napari draws a pixel half of its width to either side of its centre.
        first, last = start - scale / 2, start + scale * (cells - 1) + scale / 2
        assert first == pytest.approx(-pixel_size / 2)
        assert last == pytest.approx(pixel_size * (extent - 0.5))


def test_a_hot_tile_is_hot_where_it_lies() -> None:
    places = [(r, c) for r in range(0, 40, 8) for c in range(0, 64, 8)]
    values = [float(place == (16, 40)) for place in places]
    heat = heat_map(scored(places, 8, (40, 64), values), longest=32)
    place = heat.placed(0.5)
    centres = [
        [(s * i + t) / 0.5 for i in range(n)]
        for n, s, t in zip(heat.values.shape, place["scale"], place["translate"], strict=True)
    ]
    inside = np.array([[16 <= r < 24 and 40 <= c < 48 for c in centres[1]] for r in centres[0]])
    np.testing.assert_array_equal(heat.values, inside.astype(np.float32))


def test_scores_are_those_of_wells_of_one_tile() -> None:
    model, controls = FlatModel(), controls_of()
    tiles = made_tiles([(0, 0), (0, 4), (4, 4)], 8, (16, 16))
    asked = np.array([1.0, -1, 0.5, 2])
    found = tile_scores(screen_with(controls), tiles, controls, asked, model)
    unit = asked / np.linalg.norm(asked)

    def cosine(features) -> float:
        vector = model.embed_wells([features[None]])[0].astype(float)
        return vector @ unit / np.linalg.norm(vector)

    np.testing.assert_allclose(found.cosine, [cosine(f) for f in tiles.features], atol=1e-6)
    of_controls = np.array([cosine(f) for c in controls for f in c.features])
    median = np.median(of_controls)
    spread = 1.4826 * np.median(np.abs(of_controls - median))
    np.testing.assert_allclose(found.z, (found.cosine - median) / spread, atol=1e-5)
    assert max(model.batches) <= 32


def test_what_small_tiles_have_in_common_is_taken_off() -> None:
    """Tiles of another size are all moved the same way: scores stay what they were."""
    model, controls = FlatModel(), controls_of()
    screen = screen_with(controls)
    tiles = made_tiles([(0, 0), (0, 4), (4, 4)], 8, (16, 16))
    plain = tile_scores(screen, tiles, controls, np.ones(EMBED), model)
    shift = np.random.default_rng(3).normal(size=(5, DIM)).astype(np.float32)

    def moved(tiles: FieldTiles) -> FieldTiles:
        features = tiles.features + shift
        return FieldTiles(tiles.site, TileGrid(8, 4), tiles.positions, features, tiles.picture)

    other = tile_scores(screen, moved(tiles), [moved(c) for c in controls], np.ones(EMBED), model)
    np.testing.assert_allclose(other.cosine, plain.cosine, atol=1e-5)
    np.testing.assert_allclose(other.z, plain.z, atol=1e-3)


def test_without_controls_tiles_are_ranked_by_cosine_and_that_is_said() -> None:
    tiles = made_tiles([(0, 0), (8, 8)], 8, (16, 16))
    found = tile_scores(SimpleNamespace(), tiles, [], np.ones(EMBED), FlatModel())
    assert np.isnan(found.z).all()
    np.testing.assert_array_equal(found.shown, found.cosine)
    assert any("No tiles of negative controls" in note for note in found.notes)
    assert np.isfinite(heat_map(found).values).any()


def test_tiles_of_different_sizes_are_not_compared() -> None:
    tiles = made_tiles([(0, 0)], 4, (16, 16))
    with pytest.raises(ScreenError, match="different sizes"):
        tile_scores(SimpleNamespace(), tiles, controls_of(), np.ones(EMBED), FlatModel())


def test_scoring_may_be_stopped() -> None:
    places = [(r, c) for r in range(9) for c in range(9)]
    model = FlatModel()
    steps = iter_tile_scores(SimpleNamespace(), made_tiles(places, 8, (16, 16)), [], np.ones(EMBED), model)
    first = next(steps)
    steps.close()
    assert (first.done, first.total) == (32, 81)
    assert model.batches == [32]


def test_strips_hold_the_extremes_and_no_tile_twice() -> None:
    places = [(r, c) for r in range(0, 33, 4) for c in range(0, 33, 4)]
    values = np.random.default_rng(0).normal(size=len(places))
    found = scored(places, 16, (48, 48), values)
    most, least = found.most(5), found.least(5)
    assert most[0] == values.argmax()
    assert least[0] == values.argmin()
    assert values[list(most)].min() >= np.median(values) > values[list(least)].max()
    for chosen in (most, least):
        assert (np.diff(values[list(chosen)]) * (-1 if chosen is most else 1) >= 0).all()
        for i in chosen:
            for j in chosen:
                gap = np.abs(np.subtract(places[i], places[j]))
                assert i == j or np.maximum(0, 16 - gap).prod() <= 16 * 16 / 2
    assert scored([(0, 0)], 16, (16, 16), [1.0]).most() == (0,)
    assert scored([(0, 0)], 16, (16, 16), [1.0]).least() == ()


def test_nearest_control_tiles_are_those_of_the_highest_cosine() -> None:
    controls = controls_of()
    tiles = made_tiles([(0, 0), (8, 8)], 8, (16, 16))
    tiles.features[1] = controls[2].features[3] * 2.5
    found = nearest_control_tiles(tiles, 1, controls, n=3)
    assert (found[0].site, found[0].tile) == ("P/B03/1", 3)
    assert found[0].similarity == pytest.approx(1)
    np.testing.assert_array_equal(found[0].crop, controls[2].crop(3))

    def alike(a, b) -> float:
        pairs = zip(a.astype(float), b.astype(float), strict=True)
        return float(np.mean([x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in pairs]))

    every = sorted((alike(tiles.features[1], f) for c in controls for f in c.features), reverse=True)
    assert [tile.similarity for tile in found] == pytest.approx(every[:3])
    assert len(nearest_control_tiles(tiles, 0, controls, n=99)) == 12


def test_a_field_is_explained_in_one_run(monkeypatch) -> None:
    """Field, controls and scores in this order; the grid asked for is the one used."""
    model, controls, asked = FlatModel(), controls_of(), []
    tiles = made_tiles([(0, 0), (0, 4), (4, 4)], 8, (16, 16))

    def given_back(value):
        def steps(*args, **options):
            asked.append((args[3:], options))
            yield from ()
            return value

        return steps

    monkeypatch.setattr(module, "iter_field_tiles", given_back(tiles))
    monkeypatch.setattr(
        module, "iter_control_tiles", lambda *a, **o: given_back(tuple(controls))(None, *a, **o)
    )
    screen = screen_with(controls)
    screen.model, screen.card, screen.correction = model, model.card, None
    plate = SimpleNamespace(site=lambda site: SimpleNamespace(shape=(16, 16)))

    def run(**options):
        steps = iter_explain_field(screen, plate, "P/A01/1", np.ones(EMBED), **options)
        seen = []
        while True:
            try:
                seen.append(next(steps).done)
            except StopIteration as end:
                return seen, end.value

    seen, found = run()
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert asked[0][0][1] == TileGrid(4, 1)
    assert asked[1][1] == {"fields": 8, "but": "P/A01/1"}
    np.testing.assert_array_equal(found.heat_map.values, heat_map(found.scores).values)
    assert found.controls == tuple(controls)
    asked.clear()
    assert run(grid="card", control_fields=0)[1].controls == ()
    assert [a[0][1] for a in asked] == [None]
    asked.clear()
    run(grid=TileGrid(6, 2))
    assert asked[0][0][1] == TileGrid(6, 2)
