"""Index of treatments and mechanisms by name, synonym and phrase, and how near a text comes to each."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rapidfuzz import fuzz, process

from napari_cellclip.explore.wording.phrases import Phrase, read_phrase, words_of
from napari_cellclip.explore.wording.spelling import corrector, stem
from napari_cellclip.explore.wording.word_families import SHARED_WORDS
from napari_cellclip.vocabulary import Kind
from napari_cellclip.vocabulary.annotations import OWN_TABLE, Effect
from napari_cellclip.vocabulary.plain_names import name_key

PLATE_MAP = "plate map"
"""How the screen's own plate map is called where a source is shown."""

_SHARED_WORDS = {stem(word) for word in SHARED_WORDS}
KNOWN, COVERED, COVERED_ALONE = 0.52, 0.5, 0.8
"""Shares for a mechanism to be thought of at all: of the query that its phrases know, and of its nearest
phrase that the query says; the last is for queries of a single concept."""

_CLOSE = 88.0
"""Likeness of two names (0..100, ``fuzz.ratio``) from which one may be a misspelling of the other."""


@dataclass(frozen=True)
class NamedTreatment:
    """A treatment of one source: a compound, or a gene that was knocked out or over-expressed."""

    name: str
    smiles: str = ""
    genes: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    source: str = OWN_TABLE
    kind: Kind = Kind.COMPOUND


@dataclass(frozen=True)
class NamedMechanism:
    """A mechanism of one source.

    Attributes
    ----------
    name : str
    texts : tuple of str
        Name and synonyms.
    treatments : tuple of NamedTreatment
        Best known first.
    knockouts : tuple of str
        Genes whose knockout is expected to look alike.
    targets : tuple of str
    effect : Effect
    source : str
    """

    name: str
    texts: tuple[str, ...]
    treatments: tuple[NamedTreatment, ...]
    source: str
    knockouts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    effect: Effect = Effect.OTHER
    phrases: tuple[Phrase, ...] = field(default=(), repr=False, compare=False)

    def says(self, phrases: Iterable[Phrase]) -> bool:
        """Tell whether one of its own phrases says the same as one of these."""
        own = set(self.phrases)
        return any(p.concepts and p in own for p in phrases)


@dataclass(frozen=True)
class MechanismMatch:
    """A mechanism that a phrase may mean, and how well (0..1)."""

    mechanism: NamedMechanism
    score: float


class NameIndex:
    """Treatments and mechanisms that a text can name, in the order in which they are preferred.

    Parameters
    ----------
    treatments : iterable of NamedTreatment
    mechanisms : iterable of NamedMechanism
        Their phrases are read here.
    synonyms : iterable of (str, NamedTreatment)
        Other names of treatments.
    """

    def __init__(
        self,
        treatments: Iterable[NamedTreatment],
        mechanisms: Iterable[NamedMechanism],
        synonyms: Iterable[tuple[str, NamedTreatment]] = (),
    ) -> None:
        self.treatments: dict[str, list[NamedTreatment]] = {}
        for treatment in treatments:
            self.treatments.setdefault(name_key(treatment.name), []).append(treatment)
        for name, treatment in synonyms:
            self.treatments.setdefault(name_key(name), []).append(treatment)
        self.treatments.pop("", None)
        self.mechanisms = tuple(
            mechanism if mechanism.phrases else _read(mechanism) for mechanism in mechanisms
        )
        self.genes = frozenset(
            gene
            for genes in (
                *(treatment.genes for found in self.treatments.values() for treatment in found),
                *((*mechanism.targets, *mechanism.knockouts) for mechanism in self.mechanisms),
            )
            for gene in genes
        )
        self._bags = [
            frozenset().union(*(p.concepts for p in mechanism.phrases)) for mechanism in self.mechanisms
        ]
        counts = Counter(concept for bag in self._bags for concept in bag)
        self._weights = {c: _weight(c, len(self._bags), n) for c, n in counts.items()}
        self._correct = corrector(
            {word for mechanism in self.mechanisms for t in mechanism.texts for word in words_of(t)}
        )
        self._names: dict[str, list[NamedMechanism]] = {}
        for mechanism in self.mechanisms:
            for text in dict.fromkeys(text.casefold() for text in mechanism.texts):
                self._names.setdefault(text, []).append(mechanism)
        self._initials: dict[str, list[str]] = {}
        for key in self.treatments:
            self._initials.setdefault(key[:1], []).append(key)

    def weight(self, concept: str) -> float:
        """Weigh a concept by how much it tells; one that no mechanism has tells most."""
        return self._weights.get(concept) or _weight(concept, len(self._bags), 1)

    def read(self, text: str) -> Phrase:
        """Take a phrase apart, misspelt words taken for those of this index."""
        return read_phrase(text, self._correct)

    def treatments_named(self, name: str) -> list[NamedTreatment]:
        """Treatments called so, by name or synonym, in upper or lower case."""
        return self.treatments.get(name_key(name), [])

    def treatments_of_family(self, name: str) -> list[NamedTreatment]:
        """Treatments called so but for a last letter or number: latrunculin is A or B."""
        key = name_key(name)
        same = re.compile(rf"{re.escape(key)}(?:[a-z]\d?|\d{{1,2}})")
        if len(key) < 5:
            return []
        return [
            d
            for other in self._initials.get(key[:1], ())
            if same.fullmatch(other)
            for d in self.treatments[other]
        ]

    def treatments_misspelt(self, name: str) -> list[NamedTreatment]:
        """Treatments whose name this may be a misspelling of."""
        key = name_key(name)
        if not 6 <= len(key) <= 40 or not key.isascii():
            return []
        # Codes such as GSK-343 and GSK-543 are names of different compounds.
        near = [
            other
            for other in self._initials.get(key[:1], ())
            if len(other) >= 6 and abs(len(other) - len(key)) <= 2 and _digits(other) == _digits(key)
        ]
        found = process.extractOne(key, near, scorer=fuzz.ratio, score_cutoff=_CLOSE)
        return self.treatments[found[0]] if found else []

    def mechanisms_named(self, text: str) -> list[NamedMechanism]:
        """Mechanisms that are called exactly so, in upper or lower case."""
        return self._names.get(text.casefold(), [])

    def matches(self, query: Phrase) -> list[MechanismMatch]:
        """Mechanisms that a phrase may mean, best first.

        The score is the geometric mean of two shares, concepts weighted by how rare they are: how much of
        the query the mechanism's phrases know, and how much of its nearest phrase the query says. Phrases
        of the opposite sense are passed over.
        """
        total = self._total(query.concepts)
        found = []
        for mechanism, bag in zip(self.mechanisms, self._bags, strict=True):
            shared = query.concepts & bag
            if not shared or self._total(shared) < KNOWN * total:
                continue
            agreeing = opposite = 0.0
            for phrase in mechanism.phrases:
                share = self._total(phrase.concepts & query.concepts) / (self._total(phrase.concepts) or 1)
                if _agree(query, phrase, phrase is mechanism.phrases[0]):
                    agreeing = max(agreeing, share * (1.0 if query.sense == phrase.sense else 0.95))
                else:
                    opposite = max(opposite, share)
            # "ER stress inhibitor" is like "inhibitor of folding in the ER", but more like its opposite.
            if (
                agreeing >= (COVERED if len(query.concepts) > 1 else COVERED_ALONE)
                and agreeing >= 0.95 * opposite
            ):
                found.append(MechanismMatch(mechanism, math.sqrt(self._total(shared) / total * agreeing)))
        return sorted(found, key=lambda match: -match.score)

    def _total(self, concepts: Iterable[str]) -> float:
        return sum(map(self.weight, concepts))

    def mechanisms_of_gene(self, gene: str) -> list[NamedMechanism]:
        """Mechanisms that act upon a gene's product."""
        return [
            mechanism
            for mechanism in self.mechanisms
            if gene in mechanism.targets or gene in mechanism.knockouts
        ]

    def gene_family(self, beginning: str) -> tuple[str, ...]:
        """Genes named by a beginning and one more letter or digit: TOP2 is TOP2A and TOP2B."""
        pattern = re.compile(rf"{re.escape(beginning)}(?:[A-Z]\d?|\d)")
        return tuple(sorted(gene for gene in self.genes if pattern.fullmatch(gene)))


def _weight(concept: str, n: int, count: int) -> float:
    # Small numbers and single letters (ROCK1, F-actin) tell kinds of one thing apart, and little by
    # themselves; long numbers are codes.
    light = len(concept) == 1 or (concept.isdigit() and len(concept) < 3) or concept in _SHARED_WORDS
    return (0.25 if light else 1.0) * math.log(1 + n / count)


def _agree(query: Phrase, phrase: Phrase, is_name: bool) -> bool:
    """Whether a phrase may be meant: not the opposite; without a sense only the very name of a mechanism."""
    if query.sense == 0 and phrase.sense != 0:
        return is_name or query.acts
    return query.sense * phrase.sense >= 0 and not (query.sense < 0 and phrase.sense == 0)


def _digits(key: str) -> str:
    return re.sub(r"\D", "", key)


def _read(mechanism: NamedMechanism) -> NamedMechanism:
    return replace(mechanism, phrases=tuple(dict.fromkeys(map(read_phrase, mechanism.texts))))
