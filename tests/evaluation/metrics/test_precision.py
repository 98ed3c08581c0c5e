"""Average precision against its definition and against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from napari_cellclip.evaluation.metrics.precision import average_precision, chance_precision


def test_by_hand() -> None:
    # Relevant at ranks 1, 3 and 4: (1/1 + 2/3 + 3/4) / 3
    assert average_precision([9, 8, 7, 6, 5], [1, 0, 1, 1, 0]) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40).filter(
        lambda items: any(relevant for _, relevant in items)
    )
)
def test_equals_scikit_learn_with_ties(items: list[tuple[int, bool]]) -> None:
    scores, relevant = zip(*items, strict=True)
    assert average_precision(scores, relevant) == pytest.approx(average_precision_score(relevant, scores))


@given(st.permutations(range(12)))
def test_storage_order_does_not_matter(order: list[int]) -> None:
    scores = np.array([3, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0.0])
    relevant = np.array([1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1], bool)
    assert average_precision(scores[order], relevant[order]) == pytest.approx(
        average_precision(scores, relevant)
    )


def test_nothing_relevant_is_not_a_score() -> None:
    assert np.isnan(average_precision([1.0, 2.0], [False, False]))
    assert np.isnan(chance_precision(10, 0))


def test_not_a_number_ranks_last() -> None:
    assert average_precision([np.nan, 1.0, 0.0], [True, False, False]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("n", "positive"), [(5, 1), (30, 4), (90, 3), (12, 11)])
def test_chance_is_what_random_orders_reach(n: int, positive: int) -> None:
    rng = np.random.default_rng(0)
    relevant = np.arange(n) < positive
    drawn = [average_precision(rng.random(n), relevant) for _ in range(4000)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert chance_precision(n, positive) == pytest.approx(np.mean(drawn), abs=4 * error + 1e-12)


def test_chance_where_everything_is_relevant() -> None:
    assert chance_precision(5, 5) == 1.0
    assert chance_precision(1, 1) == 1.0
