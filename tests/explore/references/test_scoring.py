"""Votes, likeness of structures and sphering against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellclip.explore.references.likeness.votes import (
    SHARPNESS,
    Votes,
    best_of_groups,
    mean_vote,
    soft_votes,
    structure_likeness,
)
from napari_cellclip.model.prototypes.sphering import Sphering


def test_votes_are_a_softmax_of_likeness_over_those_that_may_vote() -> None:
    likeness = np.array([[1.0, 0.5, -np.inf], [-np.inf] * 3])
    found = soft_votes(likeness)
    one, two = np.exp(0.0), np.exp(-SHARPNESS / 2)
    np.testing.assert_allclose(found, [[one / (one + two), two / (one + two), 0], [0, 0, 0]])


def test_a_set_scores_the_mean_of_the_votes_that_may_vote() -> None:
    votes, allowed = np.array([[0.2, 0.6, 9.0], [0.1, 0.1, 0.1]]), np.array([[1, 1, 0], [0, 0, 0]], bool)
    found = mean_vote(votes, allowed)
    assert found[0] == pytest.approx(0.4)
    assert np.isnan(found[1])


def test_the_likest_dose_counts() -> None:
    likeness = np.array([[0.1, 0.9, 0.3], [0.5, -0.5, 0.2]])
    np.testing.assert_array_equal(
        best_of_groups(likeness, np.array([2, 0, 2]), 4),
        [[0.9, -np.inf, 0.3, -np.inf], [-0.5, -np.inf, 0.5, -np.inf]],
    )


def test_likeness_of_structures_is_tanimoto_of_morgan_counts() -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.DataStructs import TanimotoSimilarity

    texts = ["CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CCCCCCCCCCCC"]
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)
    prints = [maker.GetCountFingerprint(chem.MolFromSmiles(text)) for text in texts]
    wanted = [[TanimotoSimilarity(a, b) for b in prints] for a in prints]
    found = structure_likeness([*texts, "", "no structure"], texts)
    assert found is not None
    np.testing.assert_allclose(found[:4], wanted)
    assert np.isnan(found[4:]).all()


@pytest.mark.parametrize("n", [30, 200])
def test_sphering_is_zca_cor_with_a_shrunken_spectrum(n: int) -> None:
    """Against the inverse square root of the shrunken correlation, computed in full."""
    rng = np.random.default_rng(0)
    controls = rng.normal(size=(n, 50)) @ rng.normal(size=(50, 50))
    controls -= controls.mean(axis=0)
    scale = controls.std(axis=0)
    correlation = np.cov((controls / scale).T)
    values, axes = np.linalg.eigh(correlation)
    whitening = axes @ np.diag((0.5 * values + 0.5 * values.mean()) ** -0.5) @ axes.T
    profiles = rng.normal(size=(7, 50))
    np.testing.assert_allclose(Sphering.fit(controls)(profiles), (profiles / scale) @ whitening, atol=1e-6)


def test_features_that_do_not_vary_count_for_nothing() -> None:
    rng = np.random.default_rng(1)
    controls = rng.normal(size=(20, 3)) * [1, 1, 0]
    found = Sphering.fit(controls)(np.array([[0, 0, 5.0]]))
    np.testing.assert_allclose(found, 0)
    assert np.isfinite(Sphering.fit(np.zeros((5, 3)))(np.ones((1, 3)))).all()


def test_nearer_references_are_counted_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    likeness = rng.uniform(-1, 1, (7, 11)).round(1)  # with ties
    allowed = rng.random((7, 11)) < 0.7
    votes = Votes(np.where(allowed, likeness, -np.inf), allowed, soft_votes(likeness), None)
    rows = np.array([6, 0, 3, 3])
    bound = np.array([-1.0, 0.1, likeness[3, 2], 1.0])
    expected = [(likeness[r][allowed[r]] > b).sum() for r, b in zip(rows, bound, strict=True)]
    assert votes.nearer(rows, bound).tolist() == expected
