"""Classes of mechanisms beside the vectors of their words."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.profiles.mechanism_classes import (
    CLASSES,
    class_vectors,
    classes_of,
    with_classes,
)


@pytest.mark.parametrize(
    ("phrase", "named", "not_named"),
    [
        ("Aurora kinase inhibitor", {"mitosis", "kinase"}, {"microtubules", "growth signalling"}),
        ("tubulin polymerization inhibitor", {"mitosis", "microtubules"}, {"kinase"}),
        ("prostacyclin analog", {"GPCR"}, {"cell cycle"}),
        ("cyclin D inhibitor", {"cell cycle"}, {"GPCR"}),
        ("SRC inhibitor", {"tyrosine kinase"}, {"receptor kinase"}),
        ("glutamate receptor antagonist", {"ion channel"}, {"growth signalling"}),
    ],
)
def test_a_mechanism_is_of_the_classes_that_its_words_name(
    phrase: str, named: set[str], not_named: set[str]
) -> None:
    found = set(classes_of(phrase))
    assert named <= found
    assert not not_named & found


def test_synonyms_share_the_classes_of_their_mechanism() -> None:
    one, other = class_vectors(["pan-CDK inhibitor", "CDK1/CDK2 inhibitor"])
    assert classes_of("RB phosphorylation inhibitor") == ()
    assert class_vectors(["RB phosphorylation inhibitor"]).any(), "a synonym of CDK4/6 inhibitor"
    np.testing.assert_array_equal(one, other)


def test_classes_add_their_cosine_at_their_weight() -> None:
    rng = np.random.default_rng(0)
    words = rng.normal(size=(3, 5))
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    phrases = ["Aurora kinase inhibitor", "PLK inhibitor", "yellow bicycle"]
    found = with_classes(words, phrases, 0.5)
    assert found.shape == (3, 5 + len(CLASSES))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    classes = class_vectors(phrases)
    expected = (words[0] @ words[1] + 0.25 * classes[0] @ classes[1]) / 1.25
    assert found[0] @ found[1] == pytest.approx(expected, abs=1e-6)
    assert not classes[2].any()
    assert class_vectors([]).shape == (0, len(CLASSES))
