"""What is done at once for many wells, against doing it one by one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from napari_cellclip.explore import ask, compiled
from napari_cellclip.explore.calibration import activity as activity_module
from napari_cellclip.explore.calibration import findings, replicates, scale
from napari_cellclip.explore.calibration.activity import activity
from napari_cellclip.explore.calibration.findings import best_first
from napari_cellclip.explore.calibration.nulls import control_null
from napari_cellclip.explore.calibration.nulls.tail_table import TailTable
from napari_cellclip.explore.calibration.q_values import QValues, benjamini_hochberg
from napari_cellclip.explore.calibration.query_scores import QueryPart, combine_z
from napari_cellclip.explore.calibration.replicates import ReplicateGroups
from napari_cellclip.explore.calibration.screen_calibration import calibration_of
from napari_cellclip.explore.vectors import well_vectors
from napari_cellclip.explore.vectors.well_vectors import WellVectors
from napari_cellclip.model.unit_vectors import unit_rows

EAST = {"what": [1.0, 0.2, 0.1], "else": [0.1, 1.0, 0.0], "other": [0.0, 0.3, 1.0]}


@pytest.fixture
def screen(make_screen):
    """Four plates; treatments of three doses, on one plate or on two."""
    rng = np.random.default_rng(0)
    n = 4 * 40
    controls = [i for i in range(n) if i % 40 < 12]
    made = make_screen(1 + rng.normal(size=(n, 3)), controls, [f"P{i // 40}" for i in range(n)], texts=EAST)
    treated = rng.integers(0, 24, n)
    made.wells["Metadata_treatment"] = ["DMSO" if i in controls else f"t{treated[i]}" for i in range(n)]
    made.wells["Metadata_dose"] = np.where(treated % 3 == 0, np.nan, 10.0 ** (np.arange(n) % 3))
    return made


@pytest.mark.parametrize("combine", ["mean", "max"])
@pytest.mark.parametrize("prompts", [["what"], ["what", "else"]])
def test_compiled_loops_in_threads_say_what_numpy_says(screen, monkeypatch, combine, prompts) -> None:
    plain = ask(screen, "it", prompts=prompts, combine=combine)
    for module in (well_vectors, replicates, scale):
        monkeypatch.setattr(module, "MANY", 1)
    for name, value in {"AT_LEAST": 7, "MOST_THREADS": 3}.items():
        monkeypatch.setattr(compiled, name, value)
    screen.wells = screen.wells.copy()  # calibrated anew
    found = ask(screen, "it", prompts=prompts, combine=combine)
    # Sums of cosines are taken in another order, in single precision.
    pd.testing.assert_frame_equal(found.scores, plain.scores, rtol=1e-5, atol=1e-5)
    pd.testing.assert_frame_equal(found.treatments_table, plain.treatments_table, rtol=1e-5, atol=1e-5)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_means_of_groups_are_those_of_each(sizes: list[int], at_least: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = rng.permutation(starts[-1] + 3)[: starts[-1]]
    values = rng.standard_normal(starts[-1] + 3).astype(np.float32)
    groups = ReplicateGroups(
        pd.DataFrame(index=range(len(sizes))),
        rows,
        starts,
        np.ones(len(sizes), bool),
        rows[::-1],
        starts,
        True,
        len(values),
    )
    for upward, own in ((False, rows), (True, rows[::-1])):
        exact = [values[own[a:b]].astype(float).mean() for a, b in pairwise(starts)]
        np.testing.assert_allclose(groups.means(values, upward=upward), exact, rtol=1e-12)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(replicates, "MANY", 1)
            patch.setattr(compiled, "AT_LEAST", at_least)
            np.testing.assert_allclose(groups.means(values, upward=upward), exact, rtol=1e-12)


def test_blocks_say_what_the_whole_says(screen, monkeypatch) -> None:
    whole = ask(screen, "it", prompts=["what"], seed=1)
    monkeypatch.setattr(scale, "WELLS_AT_ONCE", 7)
    monkeypatch.setattr(activity_module, "AT_ONCE", 7)
    monkeypatch.setattr(well_vectors, "AT_ONCE", 7)
    blocks = ask(screen, "it", prompts=["what"], seed=1)  # scored in blocks, the calibration is known
    pd.testing.assert_frame_equal(blocks.scores, whole.scores)
    screen.wells = screen.wells.copy()  # calibrated anew, in blocks too
    anew = ask(screen, "it", prompts=["what"], seed=1)
    pd.testing.assert_frame_equal(anew.scores, whole.scores, rtol=1e-6)
    pd.testing.assert_frame_equal(anew.treatments_table, whole.treatments_table, rtol=1e-6)


def test_activity_in_blocks_is_that_of_all_wells(monkeypatch) -> None:
    rng = np.random.default_rng(3)
    unit, bank = unit_rows(rng.normal(size=(60, 8))), unit_rows(rng.normal(size=(20, 8)))
    plates, controls = np.arange(60) % 3, np.arange(60) < 30
    rows, starts = np.arange(30, 60), np.array([0, 4, 5, 30])
    whole = activity(WellVectors.of(unit), plates, controls, bank, rows, starts)
    monkeypatch.setattr(activity_module, "AT_ONCE", 2)
    monkeypatch.setattr(well_vectors, "AT_ONCE", 2)
    np.testing.assert_allclose(
        activity(WellVectors.of(unit), plates, controls, bank, rows, starts), whole, rtol=1e-10
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40))
def test_plates_of_groups_are_counted(wells: list[tuple[int, int]]) -> None:
    treatment, plate = np.array(wells).T
    groups = ReplicateGroups.of(pd.DataFrame({"Metadata_treatment": [f"t{t}" for t in treatment]}), plate)
    own = [
        plate[groups.rows[a:b]].tolist() for a, b in zip(groups.starts[:-1], groups.starts[1:], strict=True)
    ]
    assert [dict(found) for found in groups.on_plates(plate)] == [Counter(of) for of in own]
    assert all(list(found) == sorted(found) for found in groups.on_plates(plate))


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=50))
def test_q_values_are_those_of_scipy(p: list[float]) -> None:
    exact = np.array(p, float)
    known = np.isfinite(exact)
    q = benjamini_hochberg(exact)
    assert np.isnan(q[~known]).all()
    if known.any():
        np.testing.assert_allclose(q[known], false_discovery_control(exact[known]), rtol=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans(), st.booleans()), min_size=1),
    st.sampled_from([0.01, 0.05, 0.3, 0.9]),
)
def test_q_values_of_some_treatments_are_those_of_all(
    tests: list[tuple[float, bool, bool]], fdr: float
) -> None:
    p = np.array([value if known else np.nan for value, known, _ in tests])
    left_out = np.array([out for _, _, out in tests])
    q = np.full(len(p), np.nan)
    counted = ~left_out & ~np.isnan(p)
    if counted.any():
        q[counted] = false_discovery_control(p[counted])
    q[left_out & ~np.isnan(p)] = 1.0
    found = QValues.of(p, left_out)
    some = np.flatnonzero(np.arange(len(p)) % 2 == 0)
    np.testing.assert_allclose(found.at(some), q[some], rtol=1e-12)
    np.testing.assert_array_equal(found.significant(fdr), found.at(slice(None)) <= fdr)
    if np.isnan(q).all():
        assert np.isnan(found.smallest)
    else:
        assert found.smallest == pytest.approx(np.nanmin(q), rel=1e-12)


@given(st.integers(1, 60), st.sampled_from([1, 4]), st.integers(0, 2**32 - 1))
def test_the_best_of_many_are_those_of_a_sort(top: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, cosine = rng.integers(0, 9, 61).astype(float), rng.random(61)
    score[rng.random(61) < 0.2] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings, "BLOCK", block)
        found = best_first(score, cosine, top)
    np.testing.assert_array_equal(found, best_first(score, cosine)[:top])


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_a_look_up_counts_what_a_search_counts(n: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-9, 9, (rows, n)).astype(np.float32)
    table = TailTable.empty(n, rows)
    table.fill(0, values.copy())
    asked = rng.integers(-11, 11, 30).astype(np.float32)
    own = rng.integers(0, rows, 30)
    kept = np.sort(values, axis=1)[:, ::-1][:, table.ranks - 1]
    counts = [(kept[row] >= value).sum() for row, value in zip(own, asked, strict=True)]
    ceiling = np.append(table.ranks, n + 1) / (n + 1)
    np.testing.assert_array_equal(table.share_as_near(asked, own), ceiling[counts])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "AT_LEAST", 3)
        one_each = table.share_as_near(asked[:rows])
    counts = [(kept[row] >= value).sum() for row, value in enumerate(asked[:rows])]
    np.testing.assert_array_equal(one_each, ceiling[counts])


def test_z_of_some_wells_is_combined_as_scores_are() -> None:
    direction = (np.ones(2, np.float32),)
    parts = [QueryPart(direction, (1.0,), role) for role in ("sum", "and", "not")]
    z = [np.array([3.0, 1.0, 2.0]), np.array([2.0, 5.0, 2.0]), np.array([-1.0, 0.5, np.nan])]
    np.testing.assert_array_equal(combine_z(z, parts), [2.0, 0.5, np.nan])


def test_what_is_forgotten_is_computed_again(screen, monkeypatch) -> None:
    null = calibration_of(screen, screen.model, cell_line="").control_null
    before = null.of(((0, 2), (1, 1)))
    monkeypatch.setattr(control_null, "MOST_SETS", 1)
    monkeypatch.setattr(control_null, "MOST_POOLED", 1)
    null.of(((0, 3), (1, 3)))
    assert (len(null._sets), len(null._pooled)) == (1, 1)
    np.testing.assert_array_equal(null.of(((0, 2), (1, 1))), before)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.booleans(), st.integers(0, 2**32 - 1))
def test_compiled_directions_are_those_of_numpy(sizes: list[int], whole: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    numbers = rng.integers(-2, 3, (starts[-1] + 2, 4)).astype(np.int16 if whole else np.float32)
    at = rng.permutation(starts[-1] + 2)[: starts[-1]]
    vectors = WellVectors(numbers, rng.random(len(numbers), np.float32), at)
    rows = rng.permutation(starts[-1])
    means = [vectors.rows(rows[a:b]).mean(axis=0, dtype=float) for a, b in pairwise(starts)]
    lengths = np.linalg.norm(means, axis=1)
    lengths[lengths == 0] = 1
    for many in (1 << 16, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(well_vectors, "MANY", many)
            patch.setattr(well_vectors, "AT_ONCE", 7)
            patch.setattr(compiled, "AT_LEAST", 3)
            found = list(vectors.group_directions(rows, starts))
        assert [i for some, _, _ in found for i in range(some.start, some.stop)] == list(range(len(sizes)))
        own = np.concatenate([length for _, _, length in found])
        np.testing.assert_allclose(own, lengths, rtol=1e-5)
        points = np.concatenate([points for _, points, _ in found])
        np.testing.assert_allclose(points, np.array(means) / lengths[:, None], atol=1e-5)
