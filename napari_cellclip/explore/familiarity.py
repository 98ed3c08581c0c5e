"""Whether a model was ever taught the words of a question.

A text tower gives every text a direction, *asdf* too, and a small one gives it a direction that means
something else. No score tells the two apart, so a card may say what its model was taught:
``training["taught"]`` maps a name of each thing (a mechanism, a compound) to the texts it was called by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_cellclip.explore.concepts import read_phrase
from napari_cellclip.explore.wording import Wording

KEY = "taught"
"""Key of a card's ``training`` under which the texts are kept."""

SPECIFIC = 0.02
"""Share of things taught beyond which a word speaks of none of them; at least two are allowed."""

KNOWN_WORDS = 0.5
"""Share of a text's words that must have been taught."""

ENOUGH = 1 / 3
"""Share of the prompts' weight that must be of texts the model was taught."""


@dataclass(frozen=True)
class Taught:
    """What a model was taught.

    Attributes
    ----------
    texts : frozenset of str
        Texts as they were, case folded; structures among them.
    concepts : frozenset of str
        Words, brought to families, that speak of few things only.
    common : frozenset of str
        The other words.
    """

    texts: frozenset[str]
    concepts: frozenset[str]
    common: frozenset[str] = frozenset()

    @classmethod
    def of_card(cls, training: Mapping[str, object]) -> Taught | None:
        """Read off a card's ``training``; ``None`` where it says nothing."""
        groups = training.get(KEY)
        if not isinstance(groups, Mapping) or not groups:
            return None
        return cls.of({str(name): [str(text) for text in texts] for name, texts in groups.items()})

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[str]]) -> Taught:
        """Count words over things.

        Parameters
        ----------
        groups : mapping of str to iterable of str
            Texts by the thing they speak of.
        """
        texts: set[str] = set()
        counts: Counter[str] = Counter()
        for group in groups.values():
            own = {" ".join(text.split()) for text in group}
            texts |= {text.casefold() for text in own}
            # Structures are compared whole: their letters are no words.
            words = [text for text in own if not _STRUCTURE.search(text) and not _CODE.fullmatch(text)]
            counts.update({concept for text in words for concept in _concepts(text)})
        most = max(2.0, SPECIFIC * len(groups))
        specific = frozenset(c for c, n in counts.items() if n <= most)
        return cls(frozenset(texts), specific, frozenset(counts) - specific)

    def knows(self, text: str) -> bool:
        """Whether a text was taught, or speaks of something taught in words of which half are known.

        Examples
        --------
        >>> taught = Taught.of({"a": ["actin blocker"], "b": ["tubulin blocker"], "c": ["HDAC blocker"]})
        >>> taught.knows("something that breaks actin"), taught.knows("blocker of something")
        (True, False)
        """
        words, _, structure = text.partition("SMILES:")
        if structure and structure.strip().casefold() in self.texts:
            return True
        if text.casefold() in self.texts:
            return True
        own = _concepts(words)
        known = own & (self.concepts | self.common)
        return bool(own & self.concepts) and len(known) >= KNOWN_WORDS * len(own)


_STRUCTURE = re.compile(r"[=#\[\]()@\\/]\S|^[A-Za-z0-9]{25,}$")


_CODE = re.compile(r"[A-Za-z]{1,5}[- ]?\d{2,}[A-Za-z]?")
"""Names such as GSK461364: their letters speak of the company."""


def _concepts(text: str) -> frozenset[str]:
    return frozenset(c for c in read_phrase(text).concepts if len(c) > 2)


def is_familiar(taught: Taught, wording: Wording) -> bool:
    """Whether a question was worded with texts that the model was taught."""
    if wording.text.strip().casefold() in taught.texts or taught.knows(wording.text):
        return True
    sent = [prompt for prompt in wording.prompts if prompt.on]
    total = sum(abs(prompt.weight) for prompt in sent)
    known = sum(abs(prompt.weight) for prompt in sent if taught.knows(prompt.text))
    return total > 0 and known >= ENOUGH * total
