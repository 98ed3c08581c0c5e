"""Phrases as sets of concepts with a sense: *blocks microtubule assembly* is less tubulin.

Two phrases mean the same if they name the same things and turn them the same way, in whatever order, number,
spelling or part of speech. A phrase becomes the set of its content words, brought to stems and families
(:mod:`napari_cellclip.explore.wording.word_families`), and a sense: the product of its words for less (-1)
and for more (+1), so that *inhibitor of depolymerisation* is more. Function words vanish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from napari_cellclip.explore.wording.spelling import stem
from napari_cellclip.explore.wording.word_families import (
    ACTING,
    EMPTY,
    LESS,
    MORE,
    NOT_ONLY_SENSE,
    SAME,
    SHORT,
    TOGETHER,
)
from napari_cellclip.vocabulary.plain_names import plain

_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "i": "1", "v": "5"}

MOST_WORDS = 60
"""Words of a phrase that are looked at."""


@dataclass(frozen=True)
class Phrase:
    """Reading of a phrase: what it is about, and in which sense.

    Attributes
    ----------
    concepts : frozenset of str
    sense : int
        -1: less of it; 1: more of it; 0: neither.
    acts : bool
        Whether something is acted upon, in whatever sense.
    """

    concepts: frozenset[str]
    sense: int
    acts: bool = field(default=False, compare=False)


def words_of(text: str) -> list[str]:
    """Split a text into words and numbers; letters and digits part, Roman numbers become Arabic."""
    words = re.findall(r"[^\W\d_]+|\d+", plain(text))[:MOST_WORDS]
    return [_ROMAN.get(word, word) for word in words]


_EMPTY = {stem(word) for word in EMPTY} | EMPTY
_ACTING = {stem(word) for word in ACTING}
_TOGETHER = {tuple(stem(word) for word in words): meaning for words, meaning in TOGETHER.items()}
_SHORT = {stem(word): meaning for word, meaning in SHORT.items()}


class _Words:
    """Words of a list with what each stands for."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        pairs = list(entries)
        self.whole = {stem(word): (word, meaning) for word, meaning in pairs if not word.endswith("-")}
        self.begun = [(word[:-1], (word, meaning)) for word, meaning in pairs if word.endswith("-")]

    def find(self, word: str) -> tuple[str, str] | None:
        """Entry and meaning of a stem, or ``None``."""
        if found := self.whole.get(word):
            return found
        return next((found for beginning, found in self.begun if word.startswith(beginning)), None)


_FAMILIES = _Words((word, family) for family, words in SAME.items() for word in words)
_SENSES = _Words([*((word, "-") for word in LESS), *((word, "+") for word in MORE)])


def read_phrase(text: str, correct: Callable[[str], str] = str) -> Phrase:
    """Take a phrase apart.

    Parameters
    ----------
    text : str
    correct : callable
        Given a word that no list knows, returns the known one it was probably meant to be, or itself.

    Examples
    --------
    >>> read_phrase("blocks microtubule assembly") == read_phrase("tubulin polymerisation inhibitor")
    True
    """
    words = words_of(text)
    keeps = "keep" in {stem(w) for w in words} and "from" in words
    stems = [stem(word) if is_known(stem(word)) else stem(correct(word)) for word in words]
    sense, has_sense, acts = (-1, True, True) if keeps else (1, False, False)
    concepts: set[str] = set()
    queue = _joined(stems)
    while queue:
        word = queue.pop(0)
        if word in _SHORT:
            queue = _joined([stem(w) for w in _SHORT[word].split()]) + queue
            continue
        if word in _ACTING:
            acts = True
            continue
        if found := _SENSES.find(word):
            sense *= -1 if found[1] == "-" else 1
            enzyme = found[0] in NOT_ONLY_SENSE and word.endswith("as")
            has_sense = has_sense or not enzyme
            if found[0] not in NOT_ONLY_SENSE:
                continue
            if enzyme:  # a deacetylase takes away, but is also a thing by itself
                concepts.add(word)
        elif word in _EMPTY:
            continue
        family = _FAMILIES.find(word)
        concepts.add(family[1] if family else word)
    return Phrase(frozenset(concepts), sense if has_sense else 0, acts or has_sense)


def is_known(word: str) -> bool:
    """Tell whether a stem stands in the lexicon; short ones are not looked for."""
    return (
        len(word) < 5
        or word in _EMPTY | _ACTING
        or word in _SHORT
        or bool(_SENSES.find(word) or _FAMILIES.find(word))
    )


def _joined(stems: list[str]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(stems):
        pair = tuple(stems[at : at + 2])
        if pair in _TOGETHER:
            out += [stem(word) for word in _TOGETHER[pair].split()]
            at += 2
        else:
            out.append(stems[at])
            at += 1
    return out
