"""Maps: exact neighbours, principal components against numpy, UMAP that repeats, keeps clusters and places wells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.explore import pca_map, umap_map
from napari_cellclip.explore.maps import umap_projection as module
from napari_cellclip.explore.maps.neighbours import nearest
from napari_cellclip.explore.maps.projection import principal_plane
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError, ScreenError

CLUSTERS, SIZE, DIM = 4, 15, 16


def clusters(seed: int, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around four directions, and which one each is around."""
    centres = np.linalg.qr(np.random.default_rng(1).normal(size=(DIM, DIM)))[0][:CLUSTERS]
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLUSTERS), size)
    vectors = centres[labels] + 0.08 * rng.normal(size=(len(labels), DIM))
    return (vectors * rng.uniform(1, 5, (len(labels), 1))).astype(np.float32), labels


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 1000), st.booleans())
def test_neighbours_are_exact(n, k, seed, duplicate) -> None:
    points = unit_rows(np.random.default_rng(seed).normal(size=(n, 5)))
    if duplicate:
        points[n // 2 :] = points[0]
    k = min(k, n)
    indices, distances = nearest(points, points, k, same=True)
    full = np.linalg.norm(points[:, None].astype(float) - points[None], axis=2)
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :k], atol=1e-3)
    assert indices[:, 0].tolist() == list(range(n))
    assert all(len(set(row)) == k for row in indices.tolist())
    np.testing.assert_allclose(distances, np.take_along_axis(full, indices.astype(int), 1), atol=1e-3)


def test_neighbours_in_chunks_are_those_in_one(monkeypatch) -> None:
    points = unit_rows(np.random.default_rng(0).normal(size=(50, 4)))
    whole = nearest(points, points, 7, same=True)
    monkeypatch.setattr("napari_cellclip.explore.maps.neighbours.CHUNK_VALUES", 150)
    for a, b in zip(whole, nearest(points, points, 7, same=True), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_pca_is_the_singular_value_decomposition(make_screen) -> None:
    screen = make_screen(clusters(0)[0])
    found = pca_map(screen)
    unit = screen.embeddings / np.linalg.norm(screen.embeddings, axis=1, keepdims=True)
    u, s, _ = np.linalg.svd(unit - unit.mean(0), full_matrices=False)
    for axis in range(2):
        wanted = u[:, axis] * s[axis]
        np.testing.assert_allclose(np.abs(found.xy[:, axis]), np.abs(wanted), atol=1e-3)
    np.testing.assert_allclose(found.parameters["explained"], (s**2 / (s**2).sum())[:2], rtol=1e-4)
    assert found.method == "pca"
    assert found.ids == screen.well_ids
    assert found.xy.dtype == np.float32


def test_pca_in_blocks_is_that_of_all_wells_at_once(monkeypatch) -> None:
    points = unit_rows(np.random.default_rng(3).normal(size=(103, DIM)) + 2)
    xy, shares = principal_plane(points)
    monkeypatch.setattr("napari_cellclip.model.unit_vectors.BLOCK_VALUES", 10 * DIM)
    in_blocks, shares_in_blocks = principal_plane(points)
    np.testing.assert_allclose(in_blocks, xy, atol=1e-5)
    np.testing.assert_allclose(shares_in_blocks, shares, rtol=1e-5)
    np.testing.assert_array_equal(unit_rows(points), points / np.linalg.norm(points, axis=1, keepdims=True))


def test_pca_is_the_same_every_time() -> None:
    vectors = clusters(0)[0]
    np.testing.assert_array_equal(principal_plane(vectors)[0], principal_plane(vectors.copy())[0])


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("mapper", [pca_map, umap_map])
def test_few_wells_are_mapped_all_the_same(make_screen, tmp_path, n, mapper) -> None:
    found = mapper(make_screen(clusters(0)[0][::9][:n], path=tmp_path))
    assert found.xy.shape == (n, 2)
    assert np.isfinite(found.xy).all()
    assert found.method == "pca"
    assert ("note" in found.parameters) is (mapper is umap_map)
    assert not list(tmp_path.rglob("*.parquet"))


def test_embeddings_of_one_number_are_mapped(make_screen) -> None:
    assert (pca_map(make_screen([[1.0], [2.0], [-1.0]])).xy[:, 1] == 0).all()


def test_wells_without_embedding_are_not_on_the_map(make_screen) -> None:
    vectors = clusters(0)[0]
    vectors[3] = np.nan
    screen = make_screen(vectors)
    assert pca_map(screen).ids == screen.well_ids[:3] + screen.well_ids[4:]
    screen.embeddings[:] = np.nan
    with pytest.raises(ScreenError, match="no well"):
        pca_map(screen)


def test_senseless_parameters_are_refused(make_screen) -> None:
    for wrong in ({"n_neighbors": 1}, {"min_dist": -0.1}):
        with pytest.raises(ScreenError, match="n_neighbors"):
            umap_map(make_screen(clusters(0)[0]), **wrong)


@pytest.fixture(scope="module")
def umap_places():
    """One layout for all tests of this file: compiling umap-learn takes longer than everything else here."""
    vectors, labels = clusters(0)
    return unit_rows(vectors), labels, module.layout(unit_rows(vectors), seed=0, n_neighbors=10, min_dist=0.1)


def test_umap_keeps_clusters_together(umap_places) -> None:
    unit, labels, xy = umap_places
    assert xy.shape == (len(unit), 2)
    distances = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).all()


def test_neighbours_of_many_wells_are_searched_approximately(
    umap_places, make_screen, tmp_path, monkeypatch
) -> None:
    unit, labels, exact = umap_places
    monkeypatch.setattr(module, "MOST_EXACT", 20)
    xy = module.layout(unit, seed=0, n_neighbors=10, min_dist=0.1)
    distances = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).all()
    assert not np.array_equal(xy, exact)
    np.testing.assert_array_equal(module.layout(unit, seed=0, n_neighbors=10, min_dist=0.1), xy)
    assert umap_map(make_screen(unit, path=tmp_path)).parameters["neighbours"] == "approximate"


def test_umap_repeats_with_its_seed_and_only_with_it(umap_places) -> None:
    unit, _, xy = umap_places
    np.testing.assert_array_equal(module.layout(unit, seed=0, n_neighbors=10, min_dist=0.1), xy)
    assert not np.allclose(module.layout(unit, seed=1, n_neighbors=10, min_dist=0.1), xy)


def test_wells_with_one_and_the_same_embedding_are_mapped(umap_places) -> None:
    same = np.repeat(umap_places[0][:1], 12, axis=0)
    xy = module.layout(same, seed=0, n_neighbors=5, min_dist=0.1)
    assert np.isfinite(xy).all()


def test_umap_is_kept_with_the_screen_and_read_back(make_screen, tmp_path, monkeypatch) -> None:
    vectors, _ = clusters(0)
    made = []

    def places(unit, **parameters):
        made.append(parameters)
        return np.random.default_rng(len(made)).normal(size=(len(unit), 2)).astype(np.float32)

    monkeypatch.setattr(module, "layout", places)
    first = umap_map(make_screen(vectors, path=tmp_path))
    again = umap_map(make_screen(vectors, path=tmp_path))
    np.testing.assert_array_equal(first.xy, again.xy)
    assert made == [{"seed": 0, "n_neighbors": 15, "min_dist": 0.1}]
    assert first.parameters == again.parameters
    umap_map(make_screen(vectors, path=tmp_path), seed=1)
    umap_map(make_screen(vectors, path=tmp_path), n_neighbors=5)
    umap_map(make_screen(vectors[::-1].copy(), path=tmp_path))
    assert len(made) == 4
    for file in (tmp_path / "maps").iterdir():
        file.write_bytes(b"damaged")
    umap_map(make_screen(vectors, path=tmp_path))
    assert len(made) == 5
    umap_map(make_screen(vectors, path=tmp_path))
    assert len(made) == 5


def test_map_is_made_where_it_cannot_be_kept(make_screen, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "layout", lambda unit, **_: np.zeros((len(unit), 2), np.float32))
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert umap_map(make_screen(clusters(0)[0], path=in_the_way)).method == "umap"


def test_map_is_made_where_the_disk_is_full(make_screen, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "layout", lambda unit, **_: np.zeros((len(unit), 2), np.float32))

    def full(path, table):
        raise ScreenError(f"{path} cannot be written")

    monkeypatch.setattr("napari_cellclip.explore.maps.stored_maps.write_table", full)
    assert umap_map(make_screen(clusters(0)[0], path=tmp_path)).method == "umap"


def test_new_wells_land_among_their_like(make_screen, umap_places) -> None:
    unit, labels, xy = umap_places
    found = pca_map(make_screen(unit))
    for places in (xy, found.xy):
        mapped = type(found)(found.ids, places, "umap", {}, unit)
        new, expected = clusters(99, size=50)
        placed = mapped.place(new)
        centres = np.stack([places[labels == c].mean(0) for c in range(CLUSTERS)])
        nearest_centre = np.linalg.norm(placed[:, None] - centres[None], axis=2).argmin(axis=1)
        assert (nearest_centre == expected).mean() > 0.97
        # Never outside what the map covers: a mean of places on it.
        assert (placed >= places.min(0) - 1e-4).all()
        assert (placed <= places.max(0) + 1e-4).all()


def test_well_of_the_map_lands_on_its_own_place(make_screen) -> None:
    screen = make_screen(clusters(0)[0])
    found = pca_map(screen)
    np.testing.assert_allclose(found.place(7 * screen.embeddings), found.xy, atol=1e-3)


def test_what_cannot_be_placed(make_screen) -> None:
    found = pca_map(make_screen(clusters(0)[0]))
    rows = np.ones((2, DIM))
    rows[1, 3] = np.nan
    assert np.isfinite(found.place(rows)).all(axis=1).tolist() == [True, False]
    with pytest.raises(CellClipError, match="length 3"):
        found.place(np.ones((1, 3)))


def test_plates_added_are_placed_into_the_map_there_was(make_screen, tmp_path, monkeypatch) -> None:
    made = []

    def places(unit, **_):
        made.append(len(unit))
        return (unit[:, :2] * 10 + len(made)).astype(np.float32)

    monkeypatch.setattr(module, "layout", places)
    vectors, _ = clusters(0)
    order = np.random.default_rng(0).permutation(len(vectors))
    vectors, plates = vectors[order], ["P1"] * 40 + ["P2"] * 20
    first = umap_map(make_screen(vectors[:40], path=tmp_path, plates=plates[:40]))
    grown = umap_map(make_screen(vectors, path=tmp_path, plates=plates))
    assert made == [40]
    assert grown.parameters["placed"] == 20
    assert len(grown.ids) == 60
    np.testing.assert_array_equal(grown.xy[:40], first.xy)
    np.testing.assert_allclose(grown.xy[40:], first.place(vectors[40:]), atol=1e-5)
    anew = umap_map(make_screen(vectors, path=tmp_path, plates=plates), extend=False)
    assert made == [40, 60]
    assert "placed" not in anew.parameters
    again = umap_map(make_screen(vectors, path=tmp_path, plates=plates))
    np.testing.assert_array_equal(again.xy, anew.xy)  # the map of all wells is there now


def test_a_map_is_not_extended_where_its_own_wells_changed(make_screen, tmp_path, monkeypatch) -> None:
    made = []

    def places(unit, **_):
        made.append(len(unit))
        return unit[:, :2].astype(np.float32)

    monkeypatch.setattr(module, "layout", places)
    vectors, _ = clusters(0)
    umap_map(make_screen(vectors[:30], path=tmp_path, plates=["P1"] * 30))
    umap_map(make_screen(vectors[:31], path=tmp_path, plates=["P1"] * 31))  # a well more of the same plate
    changed = vectors[:40].copy()
    changed[3] = vectors[50]
    umap_map(make_screen(changed, path=tmp_path, plates=["P1"] * 30 + ["P2"] * 10))
    umap_map(make_screen(vectors, path=tmp_path, plates=["P1"] * 20 + ["P2"] * 40))  # more new than old
    assert made == [30, 31, 40, 60]


def test_of_many_wells_a_sample_is_laid_out_and_the_others_placed_among_it(
    make_screen, tmp_path, monkeypatch, umap_places
) -> None:
    unit, labels, xy = umap_places
    laid_out = []

    def places(some, **_):
        rows = (some @ unit.T).argmax(axis=1).tolist()
        laid_out.append(rows)
        return xy[rows]

    monkeypatch.setattr(module, "layout", places)
    monkeypatch.setattr(module, "MOST_LAID_OUT", 40)
    found, other = (umap_map(make_screen(unit, path=tmp_path), seed) for seed in (0, 1))
    assert found.parameters["sample"] == 40
    sample = laid_out[0]
    assert len(sample) == len(set(sample)) == 40
    assert sample != laid_out[1], "each seed has its own"
    assert not np.array_equal(found.xy, other.xy)
    np.testing.assert_array_equal(found.xy[sample], xy[sample])
    rest = np.setdiff1d(np.arange(len(unit)), sample)
    by_hand = pca_map(make_screen(unit[sample]))
    on_it = type(by_hand)(by_hand.ids, xy[sample], "umap", {}, unit[sample]).place(unit[rest])
    np.testing.assert_allclose(found.xy[rest], on_it, atol=1e-4)
    centres = np.stack([xy[labels == c].mean(0) for c in range(CLUSTERS)])
    distances = np.linalg.norm(found.xy[rest][:, None] - centres, axis=2)
    assert (distances.argmin(axis=1) == labels[rest]).all()
    np.testing.assert_array_equal(umap_map(make_screen(unit, path=tmp_path)).xy, found.xy)
    assert len(laid_out) == 2, "kept with the screen"


def test_a_map_stays_when_plates_make_the_screen_too_large_for_a_layout_of_all(
    make_screen, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "layout", lambda unit, **_: unit[:, :2].astype(np.float32))
    monkeypatch.setattr(module, "MOST_LAID_OUT", 45)
    vectors, plates = clusters(0)[0], ["P1"] * 40 + ["P2"] * 20
    first = umap_map(make_screen(vectors[:40], path=tmp_path, plates=plates[:40]))
    grown = umap_map(make_screen(vectors, path=tmp_path, plates=plates))
    np.testing.assert_array_equal(grown.xy[:40], first.xy)
    assert (grown.parameters["placed"], "sample" in grown.parameters) == (20, False)
