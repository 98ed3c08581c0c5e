"""Ranks both ways against plain loops, golden numbers, and chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.metrics.ranking import Ranking, rank_both_ways, rank_first_hits
from napari_cellclip.vocabulary import CellClipError


def slow_rank(scores: list[float], hits: set[int]) -> int:
    """Sort the candidates, others first where scores are equal, and walk to the first hit."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i in hits))
    return next(rank for rank, i in enumerate(order) if i in hits)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12).flatmap(
        lambda scores: st.tuples(
            st.just(scores), st.sets(st.integers(0, len(scores) - 1), min_size=1, max_size=4)
        )
    )
)
def test_rank_is_where_a_walk_down_the_list_meets_the_first_hit(case: tuple[list[int], set[int]]) -> None:
    scores, hits = case
    mask = [i in hits for i in range(len(scores))]
    assert rank_first_hits([scores], [mask])[0] == slow_rank(scores, hits)


@given(st.integers(2, 6), st.integers(2, 8), st.integers(0, 10_000), st.booleans())
def test_both_ways_with_shared_texts(n_texts: int, n_images: int, seed: int, cosine: bool) -> None:
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(n_images, 3)), rng.normal(size=(n_texts, 3))
    owner = rng.integers(n_texts, size=n_images)
    by_text, by_image = rank_both_ways(x, t, owner, cosine=cosine)
    length = (lambda v: np.sqrt((v**2).sum())) if cosine else (lambda v: 1.0)
    score = [[a @ b / (length(a) * length(b)) for b in t] for a in x]
    used = sorted(set(owner.tolist()))
    expected = [
        slow_rank([score[i][k] for i in range(n_images)], set(np.flatnonzero(owner == k))) for k in used
    ]
    assert by_text.ranks.tolist() == expected
    assert by_image.ranks.tolist() == [slow_rank(score[i], {owner[i]}) for i in range(n_images)]
    assert by_text.pool == n_images
    assert by_image.pool == n_texts
    assert by_text.hits.tolist() == [int((owner == k).sum()) for k in used]


def test_a_model_that_answers_alike_to_everything_earns_nothing() -> None:
    by_text, by_image = rank_both_ways(np.ones((20, 4)), np.ones((20, 4)))
    assert by_text.recall(10) == by_image.recall(10) == 0
    assert by_text.mean_rank == by_text.median_rank == 20


def test_length_matters_to_dot_products_only() -> None:
    rng = np.random.default_rng(0)
    t = rng.normal(size=(30, 8))
    x = t * rng.uniform(0.1, 10, size=(30, 1))
    assert rank_both_ways(x, t)[0].recall(1) == 1
    assert rank_both_ways(x, t, cosine=False)[0].recall(1) < 0.5


def test_mean_and_median_count_from_one_and_round_down() -> None:
    ranking = Ranking(np.array([0, 3, 4, 9]), np.ones(4, int), 20)
    assert ranking.mean_rank == 5.0
    assert ranking.median_rank == 4.0  # floor(3.5) + 1
    assert [ranking.recall(k) for k in (1, 4, 5, 10)] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(("pool", "hits"), [(40, [1, 1, 1]), (40, [1, 3, 7]), (6, [5, 6, 1])])
def test_random_is_what_shuffled_pools_reach(pool: int, hits: list[int]) -> None:
    ranking = Ranking(np.zeros(len(hits), int), np.array(hits), pool)
    rng = np.random.default_rng(1)
    drawn = np.array([[rng.permutation(pool)[:h].min() for h in hits] for _ in range(4000)])
    for k in (1, 5):
        error = np.std((drawn < k).mean(1)) / np.sqrt(len(drawn))
        assert ranking.random_recall(k) == pytest.approx((drawn < k).mean(), abs=4 * error + 1e-9)
    error = np.std(drawn.mean(1)) / np.sqrt(len(drawn))
    assert ranking.random_mean_rank == pytest.approx(drawn.mean() + 1, abs=4 * error)


@pytest.mark.parametrize(
    ("images", "texts", "owner", "words"),
    [
        (np.ones((3, 4)), np.ones((3, 5)), None, "lengths must agree"),
        (np.ones((3, 4)), np.full((3, 4), np.nan), None, "not finite"),
        (np.ones((3, 4)), np.ones((2, 4)), None, "there are 2 texts"),
        (np.ones((3, 4)), np.ones((3, 4)), [0, 1], "cannot be compared"),
        (np.ones((0, 4)), np.ones((3, 4)), None, "cannot be compared"),
    ],
)
def test_what_cannot_be_ranked(images: object, texts: object, owner: object, words: str) -> None:
    with pytest.raises(CellClipError, match=words):
        rank_both_ways(images, texts, owner)


def test_intervals_draw_whole_compounds() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), 25)
    values = np.repeat(rng.normal(size=12), 25)
    together = bootstrap(values, clusters, {"mean": np.mean}, seed=3)["mean"]
    alone = bootstrap(values, np.arange(300), {"mean": np.mean}, seed=3)["mean"]
    assert together["value"] == alone["value"] == pytest.approx(values.mean())
    assert together["low"] < together["value"] < together["high"]
    # 25 copies of a value are one observation: the interval is about five times as wide.
    ratio = (together["high"] - together["low"]) / (alone["high"] - alone["low"])
    assert 3.5 < ratio < 6.5
    again = bootstrap(values, [f"c{i:02d}" for i in clusters], {"mean": np.mean}, seed=3)["mean"]
    assert again == together
    assert bootstrap(values, clusters, {"mean": np.mean}, seed=4)["mean"] != together


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for trial in range(100):
        got = bootstrap(rng.normal(size=40), np.arange(40), {"mean": np.mean}, draws=100, seed=trial)["mean"]
        inside += got["low"] <= 0 <= got["high"]
    assert inside / 100 >= 0.85


@pytest.mark.parity
@pytest.mark.parametrize(("key", "short", "cosine"), [("raw", "raw", False), ("cosine", "cos", True)])
def test_as_the_published_retrieval_has_it(key: str, short: str, cosine: bool, golden: Path) -> None:
    with np.load(golden / "retrieval.npz", allow_pickle=False) as z:
        by_text, by_image = rank_both_ways(z["img"], z["txt"], cosine=cosine)
        np.testing.assert_array_equal(by_text.ranks, z[f"rank_text_to_image_{short}"])
        np.testing.assert_array_equal(by_image.ranks, z[f"rank_image_to_text_{short}"])
        got = {}
        for way, ranking in (("text_to_image", by_text), ("image_to_text", by_image)):
            got |= {f"{way}_R@{k}": ranking.recall(k) for k in (1, 5, 10)}
            got |= {f"{way}_mean_rank": ranking.mean_rank, f"{way}_median_rank": ranking.median_rank}
        assert got == pytest.approx(dict(zip(z["keys"].tolist(), z[key].tolist(), strict=True)), abs=1e-12)
