"""Forms and misspellings of words: stems by Snowball, near words by RapidFuzz."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import snowballstemmer
from rapidfuzz import fuzz, process

from napari_cellclip.explore.wording.word_families import LESS, MORE, SAME

_ENGLISH = snowballstemmer.stemmer("english")

_SHORTEST, _NEAR = 5, 84.0
"""Letters from which a word may be misspelt, and likeness (0..100, ``fuzz.ratio``) from which it is."""

# Snowball knows American English; and it keeps who does something (inhibitor) apart from doing it (inhibits).
_VARIANTS = (
    (re.compile(r"ae|oe"), "e"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"is(e|es|ed|er|ers|ing|ation|ations)$"), r"iz\1"),
    (re.compile(r"ogue(s?)$"), r"og\1"),
    (re.compile(r"(?<=[st])ors?$"), "e"),
)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Cut the endings that do not change what a word speaks of, British and American alike.

    Examples
    --------
    >>> stem("stabilising") == stem("stabilizers"), stem("proteasomal") == stem("proteasome")
    (True, True)
    """
    if len(word) > 4:
        for pattern, american in _VARIANTS:
            word = pattern.sub(american, word)
    return str(_ENGLISH.stemWord(word))


def corrector(known: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes a misspelt word to the nearest of `known`, where one is near."""
    families = (*SAME.values(), LESS, MORE)
    candidates: dict[str, list[str]] = {}
    for word in sorted({*known, *(word.rstrip("-") for words in families for word in words)}):
        if len(word) >= _SHORTEST:
            candidates.setdefault(word[0], []).append(word)
    beginnings = {word[:-1] for words in families for word in words if word.endswith("-")}
    stems = {stem(word) for words in candidates.values() for word in words if word not in beginnings}

    @lru_cache(maxsize=4096)
    def correct(word: str) -> str:
        if stem(word) in stems or not _SHORTEST <= len(word) <= 30:
            return word
        near = [c for c in candidates.get(word[0], ()) if abs(len(c) - len(word)) <= 2]
        found = process.extractOne(word, near, scorer=fuzz.ratio, score_cutoff=_NEAR)
        return found[0] if found else word

    return correct
