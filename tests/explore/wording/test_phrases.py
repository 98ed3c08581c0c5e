"""Phrases that say the same, whatever their words, and phrases that say the opposite."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.explore.wording.phrases import is_known, read_phrase, words_of
from napari_cellclip.explore.wording.spelling import corrector, stem


@pytest.mark.parametrize(
    "words",
    [
        ("inhibitor", "inhibitors", "inhibits", "inhibiting", "inhibition", "inhibit"),
        ("stabiliser", "stabilizer", "stabilising", "stabilisation", "stabilizes"),
        ("depolymerisation", "depolymerization", "depolymeriser", "depolymerizing"),
        ("proteasome", "proteasomal", "proteasomes"),
        ("activator", "activates", "activation", "activating"),
        ("analogue", "analog", "analogues", "analogs"),
        ("oestrogen", "estrogen"),
        ("sulphated", "sulfated"),
    ],
)
def test_forms_of_a_word_have_one_stem(words):
    assert len({stem(word) for word in words}) == 1


def test_different_words_keep_different_stems():
    words = ("polymerase", "polymerisation", "kinase", "kinesin", "agonist", "antagonist", "actin", "active")
    assert len({stem(word) for word in words}) == len(words)


@pytest.mark.parametrize(
    "phrases",
    [
        ("tubulin polymerisation inhibitor", "blocks microtubule assembly", "microtubule destabilizers"),
        (
            "microtubule stabiliser",
            "inhibitor of tubulin depolymerisation",
            "keeps microtubules from disassembling",
        ),
        ("histone deacetylase inhibitor", "HDACi", "blockers of HDAC"),
        ("endoplasmic reticulum stress", "ER-stress", "stress of the ER"),
        ("DNA replication inhibitor", "stops DNA from being copied", "DNA synthesis blocker"),
    ],
)
def test_the_same_said_differently(phrases):
    assert len({read_phrase(phrase) for phrase in phrases}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tubulin polymerisation inhibitor", "tubulin depolymerisation inhibitor"),
        ("dopamine agonist", "dopamine antagonist"),
        ("p53 activator", "p53 inhibitor"),
        ("histone acetylation", "inhibitor of histone acetylation"),
    ],
)
def test_opposites_share_what_they_speak_of_but_not_the_sense(one, other):
    a, b = read_phrase(one), read_phrase(other)
    assert a.concepts == b.concepts
    assert a.sense != b.sense


def test_what_acts_without_a_sense():
    assert read_phrase("ribosome-targeting drug").sense == 0
    assert read_phrase("ribosome-targeting drug").acts
    assert not read_phrase("ribosome").acts


def test_misspelt_words_are_corrected_to_near_ones_only():
    correct = corrector({"topoisomerase", "proteasome", "polymerisation"})
    assert correct("topoisomerse") == "topoisomerase"
    assert correct("proteosome") == "proteasome"
    assert correct("polimerization") == "polymerisation"
    assert correct("strawberry") == "strawberry"
    assert correct("cat") == "cat"


def test_numbers_and_letters_part_and_romans_become_arabic():
    assert words_of("TOP2 (topoisomerase II)") == ["top", "2", "topoisomerase", "2"]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_alike_twice(text):
    phrase = read_phrase(text)
    assert phrase == read_phrase(text)
    assert phrase.sense in (-1, 0, 1)
    assert "" not in phrase.concepts


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20))
def test_stems_are_beginnings_that_do_not_vanish(word):
    assert stem(word)
    assert len(stem(word)) <= len(word)


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("abc", True),  # too short to be misspelt
        ("experiment", True),  # says nothing of its own
        ("replic", True),  # stands for another word
        ("microtubul", True),  # in the lists of senses and families
        ("proteosme", False),
        ("zzzzzz", False),
    ],
)
def test_words_that_are_known_are_not_corrected(word, known):
    """Each reason is enough alone: a word that has one is no misspelling of another."""
    assert is_known(word) is known
