"""Pairs by copairs against plain NumPy from the definition, golden numbers, and exact chances."""

from __future__ import annotations

import sys
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.evaluation.metrics.pairs import label_precision, replicate_precision, significance
from napari_cellclip.vocabulary import CellClipError


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def precision_by_definition(similar: list[float], positive: list[bool]) -> float:
    """Mean over the positives of the share of positives among all that are at least as similar."""
    parts = []
    for s, p in zip(similar, positive, strict=True):
        if p:
            above = [q for t, q in zip(similar, positive, strict=True) if t >= s]
            parts.append(sum(above) / len(above))
    return float(np.mean(parts))


@pytest.fixture
def plates() -> pd.DataFrame:
    """3 plates x (5 treatments + 4 controls); treatment c4 is on one plate only."""
    rows = [
        (f"P{p}", name, False)
        for p in range(3)
        for name in ("c0", "c1", "c2", "c3", "c4")
        if name != "c4" or p == 0
    ]
    rows += [(f"P{p}", "DMSO", True) for p in range(3) for _ in range(4)]
    return pd.DataFrame(rows, columns=["plate", "name", "control"]).sample(frac=1, random_state=0)


@pytest.fixture
def vectors(plates: pd.DataFrame) -> np.ndarray:
    rng = np.random.default_rng(2)
    signal = {name: rng.normal(size=6) for name in ("c0", "c1")}
    return np.stack([signal.get(name, 0) + rng.normal(size=6) for name in plates["name"]])


def test_replicate_precision_by_its_definition(plates: pd.DataFrame, vectors: np.ndarray) -> None:
    got = replicate_precision(vectors, plates["name"], plates["plate"], plates["control"])
    table = plates.reset_index(drop=True)
    queries = [i for i in table.index if not table["control"][i] and table["name"][i] != "c4"]
    assert got.index.tolist() == queries
    for i in queries:
        similar, positive = [], []
        for j in table.index:
            replicate = j != i and table["name"][j] == table["name"][i]
            rival = table["control"][j] and table["plate"][j] == table["plate"][i]
            if replicate or rival:
                similar.append(cosine(vectors[i], vectors[j]))
                positive.append(replicate)
        assert got.loc[i, "average_precision"] == pytest.approx(precision_by_definition(similar, positive))
        assert got.loc[i, "n_pos_pairs"] == sum(positive) == 2
        assert got.loc[i, "n_total_pairs"] == len(positive) == 6


def test_a_treatment_may_be_called_as_controls_were_numbered(
    plates: pd.DataFrame, vectors: np.ndarray
) -> None:
    """A control named ``control 7`` within counted as a replicate of a treatment that the plate map calls so."""
    first = int(np.flatnonzero(plates["control"])[0])
    names = plates["name"].replace("c0", f"control {first}")
    of = [
        replicate_precision(vectors, each, plates["plate"], plates["control"])
        for each in (plates["name"], names)
    ]
    assert (of[1]["perturbation"] == of[0]["perturbation"].replace("c0", f"control {first}")).all()
    numbers = ["average_precision", "n_pos_pairs", "n_total_pairs"]
    pd.testing.assert_frame_equal(of[0][numbers], of[1][numbers])


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("similarity", ["abs_cosine", "cosine"])
def test_label_precision_by_its_definition(across: bool, similarity: str) -> None:
    rng = np.random.default_rng(3)
    targets = [["A"], ["A", "B"], ["B"], ["C"], ["C", "A"], [], ["D"], ["B", "C"]]
    kind = ["compound", "crispr"] * 4
    apart = ["x", "y", "y", "z", "w", "v", "u", "t"]
    x = rng.normal(size=(8, 4))
    got = label_precision(
        x, targets, modality=kind if across else None, apart=apart, similarity=similarity
    ).set_index(["item", "label"])
    expected = {}
    for i, mine in enumerate(targets):
        for label in mine:
            similar, positive = [], []
            for j, others in enumerate(targets):
                if j == i or not others or (across and kind[j] == kind[i]):
                    continue
                shares = label in others and apart[j] != apart[i]
                if shares or not set(mine) & set(others):
                    value = cosine(x[i], x[j])
                    similar.append(abs(value) if similarity == "abs_cosine" else value)
                    positive.append(shares)
            if any(positive) and not all(positive):
                expected[i, label] = (
                    precision_by_definition(similar, positive),
                    sum(positive),
                    len(positive),
                )
    assert set(got.index) == set(expected)
    for key, (ap, n, total) in expected.items():
        assert got.loc[key, "average_precision"] == pytest.approx(ap)
        assert (got.loc[key, "n_pos_pairs"], got.loc[key, "n_total_pairs"]) == (n, total)


def all_precisions(positives: int, total: int) -> np.ndarray:
    """Average precision of every possible ranking."""
    return np.array(
        [
            np.mean([(k + 1) / (place + 1) for k, place in enumerate(places)])
            for places in combinations(range(total), positives)
        ]
    )


@pytest.mark.parametrize("ties", ["count", "ignore"])
def test_p_is_the_share_of_rankings_that_do_as_well(ties: str) -> None:
    every = all_precisions(2, 8)
    reached = np.sort(np.unique(every))[[-1, -4, 5]]
    precision = pd.DataFrame(
        {"label": ["a", "b", "c"], "average_precision": reached, "n_pos_pairs": 2, "n_total_pairs": 8}
    )
    got = significance(precision, "label", null_size=20_000, seed=1)
    tolerance = 1e-9
    exact = [
        np.mean(every >= value - tolerance if ties == "count" else every > value + tolerance)
        for value in reached
    ]
    np.testing.assert_allclose(
        got["p" if ties == "count" else "p_ties_ignored"], exact, atol=4 * np.sqrt(0.25 / 20_000)
    )
    np.testing.assert_allclose(got["random"], every.mean(), atol=0.01)
    np.testing.assert_allclose(got["smallest_p"], 1 / comb(8, 2))


def test_groups_take_the_geometric_mean_or_the_mean_of_rankings() -> None:
    precision = pd.DataFrame(
        {
            "label": ["a", "a", "b"],
            "average_precision": [1.0, 0.2, 0.6],
            "n_pos_pairs": [1, 1, 2],
            "n_total_pairs": 5,
        }
    )
    alone = precision.assign(label=["x", "y", "z"])
    options = {"null_size": 5000, "seed": 0}
    single = significance(alone, "label", **options)["p"]
    got = significance(precision, "label", **options)
    assert got.loc["a", "p"] == pytest.approx(np.sqrt(single["x"] * single["y"]))
    assert got.loc["a", "mean_average_precision"] == pytest.approx(0.6)
    # One positive among five: its precision is 1, 1/2, … 1/5. Mean of two such at least 0.6:
    values = 1 / np.arange(1, 6)
    exact = np.mean(np.add.outer(values, values) / 2 >= 0.6 - 1e-9)
    # copairs draws one null for all queries of a shape, so that means of a group vary more than they should.
    assert significance(precision, "label", method="mean", **options).loc["a", "p"] == pytest.approx(
        np.mean(values >= 0.6 - 1e-9), abs=0.03
    )
    assert exact > 0
    with pytest.raises(CellClipError, match="no way to a p value"):
        significance(precision, "label", method="median")


@pytest.mark.parametrize(
    ("method", "smallest"), [("mean", 1 / 5 / comb(4, 2)), ("geometric", (1 / 5 / 5 / 6) ** (1 / 3))]
)
def test_the_smallest_p_is_what_perfect_rankings_get(method, smallest) -> None:
    """For means it was told as if queries of one shape had random rankings of their own: 1/150 here."""
    precision = pd.DataFrame(
        {"label": "a", "average_precision": 1.0, "n_pos_pairs": [1, 1, 2], "n_total_pairs": [5, 5, 4]}
    )
    got = significance(precision, "label", method=method, null_size=50_000).loc["a"]
    assert got["smallest_p"] == pytest.approx(smallest)
    assert got["p"] == pytest.approx(smallest, rel=0.05)


def test_q_is_benjamini_hochberg() -> None:
    rng = np.random.default_rng(0)
    precision = pd.DataFrame(
        {
            "label": [f"g{i}" for i in range(30)],
            "average_precision": rng.choice(1 / np.arange(1, 41), 30),
            "n_pos_pairs": 1,
            "n_total_pairs": 40,
        }
    )
    got = significance(precision, "label", null_size=2000)
    p = got["p"].to_numpy()
    order = np.argsort(p)
    raw = p[order] * len(p) / np.arange(1, len(p) + 1)
    expected = np.empty_like(p)
    expected[order] = np.minimum.accumulate(raw[::-1])[::-1].clip(max=1)
    np.testing.assert_allclose(got["q"], expected)
    assert (got["retrieved"] == (got["q"] < 0.05)).all()


def test_the_null_depends_on_the_seed_and_on_nothing_done_before(
    plates: pd.DataFrame, vectors: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = replicate_precision(vectors, plates["name"], plates["plate"], plates["control"])
    one = significance(found, "perturbation", null_size=500, seed=1)
    significance(found.assign(n_total_pairs=7), "perturbation", null_size=500, seed=1)
    pd.testing.assert_frame_equal(one, significance(found, "perturbation", null_size=500, seed=1))
    assert not significance(found, "perturbation", null_size=500, seed=2)["p"].equals(one["p"])
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_paired(
    plates: pd.DataFrame, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CellClipError, match="these have none: P0, P1, P2"):
        replicate_precision(vectors, plates["name"], plates["plate"], np.zeros(len(plates), bool))
    with pytest.raises(CellClipError, match="no replicates"):
        replicate_precision(
            vectors, [f"c{i}" for i in range(len(plates))], plates["plate"], plates["control"]
        )
    broken = vectors.copy()
    broken[4, 2] = np.nan
    with pytest.raises(CellClipError, match="not finite"):
        replicate_precision(broken, plates["name"], plates["plate"], plates["control"])
    with pytest.raises(CellClipError, match="no two perturbations share a target"):
        label_precision(np.eye(3), [["A"], ["B"], ["C"]])
    with pytest.raises(CellClipError, match="of different modalities"):
        label_precision(np.eye(4), [["A"], ["A"], ["B"], ["B"]], modality=["x"] * 4)
    monkeypatch.setitem(sys.modules, "copairs.map", None)
    with pytest.raises(CellClipError, match=r"napari-cellclip\[evaluate\]"):
        replicate_precision(vectors, plates["name"], plates["plate"], plates["control"])


@pytest.mark.parity
def test_replicates_as_published(golden: Path) -> None:
    with np.load(golden / "copairs_replicate.npz", allow_pickle=False) as z:
        got = replicate_precision(z["features"], z["sample"], z["plate"], z["negcon"] == 1)
        np.testing.assert_array_equal(got.index, z["res_index"])
        np.testing.assert_allclose(got["average_precision"], z["ap"], rtol=0, atol=1e-12)
        table = significance(got, "perturbation", null_size=2000)
        np.testing.assert_array_equal(table.index, z["map_sample"])
        np.testing.assert_allclose(table["mean_average_precision"], z["map_value"], rtol=0, atol=1e-12)
        assert table["retrieved_ties_ignored"].mean() == z["fraction_retrieved"]
        # Counting random rankings that do as well retrieves fewer: see docs/evaluation.md.
        assert table["retrieved"].mean() == 0.75


@pytest.mark.parity
def test_sisters_as_published(golden: Path) -> None:
    with np.load(golden / "copairs_sister_multilabel.npz", allow_pickle=False) as z:
        got = label_precision(z["features"], [text.split("|") for text in z["targets"]])
        got = got.sort_values(["item", "label"])
        np.testing.assert_array_equal(z["sample"][got["item"]], z["res_sample"])
        np.testing.assert_array_equal(got["label"], z["res_target"])
        np.testing.assert_allclose(got["average_precision"], z["ap"], rtol=0, atol=1e-12)
        table = significance(got, "label", null_size=2000)
        np.testing.assert_array_equal(table.index, z["map_target"])
        np.testing.assert_allclose(table["mean_average_precision"], z["map_value"], rtol=0, atol=1e-12)
        assert table["retrieved_ties_ignored"].mean() == z["fraction_retrieved"]
