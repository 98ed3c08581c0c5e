"""Labels on a map: near what they name, and never over each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from napari_cellclip.explore import describe
from napari_cellclip.explore.maps.cluster_names import clustered, name_clusters
from napari_cellclip.explore.maps.label_placement import place_labels
from napari_cellclip.explore.maps.projection import Projection
from napari_cellclip.model.unit_vectors import unit_rows


def overlapping(centres: np.ndarray, sizes: np.ndarray) -> bool:
    there = np.isfinite(centres).all(axis=1)
    points, boxes = centres[there], sizes[there]
    for i in range(len(points)):
        gap = np.abs(points[i] - points[i + 1 :]) - (boxes[i] + boxes[i + 1 :]) / 2
        if (gap < -1e-9).all(axis=1).any():
            return True
    return False


places = st.tuples(st.floats(-5, 5), st.floats(-5, 5))
boxes = st.tuples(st.floats(0.1, 3), st.floats(0.1, 1))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(places, boxes), min_size=1, max_size=15))
def test_labels_never_overlap(pairs) -> None:
    anchors, sizes = np.array([p for p, _ in pairs]), np.array([b for _, b in pairs])
    placed = place_labels(anchors, sizes)
    assert np.isfinite(placed[0]).all()
    assert not overlapping(placed, sizes)


def test_a_label_alone_stands_on_its_anchor_and_within_bounds() -> None:
    np.testing.assert_allclose(place_labels([(1.0, 2.0)], [(0.5, 0.1)]), [[1, 2]])
    placed = place_labels([(0.0, 0.0)], [(2.0, 0.4)], bounds=(0, 0, 10, 10))
    assert placed[0, 0] >= 1
    assert placed[0, 1] >= 0.2
    assert np.isnan(place_labels([(0.0, 0.0)], [(30.0, 1.0)], bounds=(0, 0, 10, 10))).all()
    assert place_labels([], []).shape == (0, 2)


def crossed(a, b, c, d) -> bool:
    """Whether the lines a-b and c-d cross."""

    def side(p, q, r) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(places, boxes), min_size=2, max_size=10))
def test_lines_from_labels_to_their_anchors_cross_neither_each_other_nor_labels(pairs) -> None:
    """A name whose line ran through another name was read as that of the other cluster."""
    anchors, sizes = np.array([p for p, _ in pairs]), np.array([b for _, b in pairs])
    placed = place_labels(anchors, sizes, avoid=anchors, reach=4.0)
    there = np.flatnonzero(np.isfinite(placed).all(axis=1))
    assert (np.hypot(*(placed - anchors)[there].T) <= 4.0 + 1e-9).all()
    for i in there:
        for j in there[there != i]:
            assert not crossed(placed[i], anchors[i], placed[j], anchors[j])
            middle = (placed[i] + anchors[i]) / 2
            hidden = (
                np.abs(anchors[i] - placed[j]) < sizes[j] / 2
            ).all()  # the other label lies on the anchor
            assert hidden or not (np.abs(middle - placed[j]) < sizes[j] / 2 - 1e-9).all()


def test_clusters_are_found_and_named(make_screen) -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0, 1], [5, 0, 0, 1], [0, 5, 0, 1]], float)
    vectors = np.concatenate([c + 0.2 * rng.normal(size=(15, 4)) for c in centres])
    prompt = "A549 cells treated with compound: east"
    screen = make_screen(vectors, range(15), texts={prompt: [1.0, 0, 0, 0]})
    places = np.repeat([[0.0, 0], [9, 0], [0, 9]], 15, axis=0) + 0.1 * rng.normal(size=(45, 2))
    assert len(set(clustered(places).tolist()) - {-1}) == 3
    assert (clustered(places[:3]) == -1).all()
    on_map = Projection(screen.well_ids, places.astype(np.float32), "pca", {}, unit_rows(vectors))
    named = name_clusters(screen, on_map, np.repeat([0, 1, 2], 15), ["east"], fdr=0.2)
    assert [len(cluster.wells) for cluster in named] == [15, 15, 15]
    by_place = {round(cluster.centre[0]): cluster for cluster in named}
    assert by_place[9].q < min(c.q for c in named if c is not by_place[9])
    with pytest.raises(ValueError, match="clusters for"):
        name_clusters(screen, on_map, [0, 1], ["east"])


def test_q_of_a_cluster_counts_terms_and_clusters(make_screen) -> None:
    rng = np.random.default_rng(1)
    vectors = np.concatenate([3 * np.eye(6)[0] + rng.normal(size=(12, 6)) for _ in range(9)])
    vectors[12:24, 1] += 1.0
    screen = make_screen(vectors, range(12))
    on_map = Projection(screen.well_ids, rng.normal(size=(108, 2)).astype(np.float32), "pca", {}, vectors)
    labels = np.repeat(np.arange(9) - 1, 12)
    terms = ["east", "west", "north"]
    named = name_clusters(screen, on_map, labels, terms)
    alone = [describe(screen, cluster.wells, terms).table["q"].min() for cluster in named]
    np.testing.assert_allclose([cluster.q for cluster in named], false_discovery_control(alone))
    assert max(cluster.q for cluster in named) > min(alone)


def test_labels_leave_points_free_where_there_is_room() -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    (placed,) = place_labels([(0.0, 0.0)], [(1.0, 0.4)], avoid=points)
    covered = (np.abs(points - placed) < (0.5, 0.2)).all(axis=1)
    assert not covered.any()
    assert np.hypot(*placed) < 6
    (on_it,) = place_labels([(0.0, 0.0)], [(1.0, 0.4)])
    assert (on_it == 0).all()
