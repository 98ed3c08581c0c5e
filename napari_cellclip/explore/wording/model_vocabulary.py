"""The words a model was trained on, as far as its card lists them.

A text tower gives every text a direction, *asdf* too, and a small one gives it a direction that means
something else. No score tells the two apart, so a card may list the texts that the model was trained on
(:attr:`napari_cellclip.model.ModelCard.vocabulary`): by a name of each thing (a mechanism, a compound), the
texts it was called by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.phrases import Phrase, read_phrase

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

SPECIFIC = 0.02
"""Share of the things in a vocabulary beyond which a word is specific to none; at least two are allowed."""

KNOWN_WORDS = 0.5
"""Share of a text's words that must be in the vocabulary."""

# A formula by its bonds, brackets or length; names may hold brackets before a hyphen, (+)-JQ1.
_STRUCTURE = re.compile(r"[=#\[\]()@\\/]\S|^[A-Za-z0-9]{25,}$")

_CODE = re.compile(r"[A-Za-z]{1,5}[- ]?\d{2,}[A-Za-z]?")
"""Names such as GSK461364: their letters stand for the company."""


@dataclass(frozen=True)
class ModelVocabulary:
    """Texts that a model was trained on.

    Attributes
    ----------
    texts : frozenset of str
        Texts as they were, case folded; structures among them.
    specific : frozenset of str
        Words, brought to families, that few things are called by.
    common : frozenset of str
        The other words.
    phrases : frozenset of Phrase
        The texts taken apart.
    """

    texts: frozenset[str]
    specific: frozenset[str]
    common: frozenset[str] = frozenset()
    phrases: frozenset[Phrase] = frozenset()

    @classmethod
    def of_card(cls, card: ModelCard) -> ModelVocabulary | None:
        """Read the vocabulary of a model card; ``None`` where the card lists none."""
        return _of_groups(tuple((name, tuple(texts)) for name, texts in card.vocabulary.items()))

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[str]]) -> ModelVocabulary:
        """Count words over things.

        Parameters
        ----------
        groups : mapping of str to iterable of str
            Texts by the thing they name.
        """
        texts: set[str] = set()
        counts: Counter[str] = Counter()
        phrases: set[Phrase] = set()
        for group in groups.values():
            own = {" ".join(text.split()) for text in group} - {""}
            texts |= {text.casefold() for text in own}
            # Structures are compared whole: their letters are no words.
            words = [text for text in own if not _STRUCTURE.search(text) and not _CODE.fullmatch(text)]
            counts.update({concept for text in words for concept in _words(text)})
            phrases.update(map(read_phrase, words))
        most = max(2.0, SPECIFIC * len(groups))
        specific = frozenset(c for c, n in counts.items() if n <= most)
        filled = frozenset(phrase for phrase in phrases if phrase.concepts)
        return cls(frozenset(texts), specific, frozenset(counts) - specific, filled)

    def has_name(self, name: str) -> bool:
        """Tell whether this very name, in whatever spelling, or this structure is in the vocabulary.

        A compound may be named by both, as in a card's sentence: ``"taxol, SMILES: CC"``.
        """
        name, _, structure = name.partition("SMILES:")
        name, structure = name.strip(" ,"), structure.strip()
        if {name.casefold(), structure.casefold()} & self.texts:
            return True
        return not _STRUCTURE.search(name) and read_phrase(name) in self.phrases

    def has_text(self, text: str, fewest: int = 1) -> bool:
        """Tell whether a text, or half of its words with a specific one among them, are in the vocabulary.

        Parameters
        ----------
        text : str
        fewest : int
            Of its words that must be known. Of a free text one word of a longer name is not enough:
            *mitochondria* may be anything of theirs.

        Examples
        --------
        >>> known = {"a": ["actin blocker"], "b": ["tubulin blocker"], "c": ["HDAC blocker"]}
        >>> vocabulary = ModelVocabulary.of(known)
        >>> vocabulary.has_text("something that breaks actin"), vocabulary.has_text("blocker of something")
        (True, False)
        """
        words, _, structure = text.partition("SMILES:")
        if structure and structure.strip().casefold() in self.texts:
            return True
        if text.casefold() in self.texts or read_phrase(words) in self.phrases:
            return True
        own = _words(words)
        known = own & (self.specific | self.common)
        return bool(own & self.specific) and len(known) >= max(fewest, KNOWN_WORDS * len(own))


@lru_cache(maxsize=8)
def _of_groups(groups: tuple[tuple[str, tuple[str, ...]], ...]) -> ModelVocabulary | None:
    """Every question asks for it: made once for each list."""
    made = ModelVocabulary.of(dict(groups))
    return made if made.texts else None


def _words(text: str) -> frozenset[str]:
    return frozenset(c for c in read_phrase(text).concepts if len(c) > 2)
