"""Whether a model was ever taught the words of a question.

A text tower gives every text a direction, *asdf* too, and a small one gives it a direction that means
something else. No score tells the two apart, so a card may say what its model was taught:
``training["taught"]`` maps a name of each thing (a mechanism, a compound) to the texts it was called by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.concepts import Phrase, read_phrase
from napari_cellclip.explore.wording.wording import Prompt, Wording, word

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.model.prompts import PromptTemplates

KEY = "taught"
"""Key of a card's ``training`` under which the texts are kept."""

SPECIFIC = 0.02
"""Share of things taught beyond which a word speaks of none of them; at least two are allowed."""

KNOWN_WORDS = 0.5
"""Share of a text's words that must have been taught."""

ENOUGH = 1 / 3
"""Share of the prompts' weight that must be of texts the model was taught."""

MOST_OTHERS = 3
"""Taught names that are sent of a mechanism where none of the tables' first names was taught."""

COMPOUNDS = 0.5
"""Share of a mechanism's compounds that must have been taught, two at least, where none of its names was."""


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
    phrases : frozenset of Phrase
        What the texts say.
    """

    texts: frozenset[str]
    concepts: frozenset[str]
    common: frozenset[str] = frozenset()
    phrases: frozenset[Phrase] = frozenset()

    @classmethod
    def of_card(cls, training: Mapping[str, object]) -> Taught | None:
        """Read off a card's ``training``; ``None`` where it says nothing."""
        groups = training.get(KEY)
        if not isinstance(groups, Mapping):
            return None
        lists = {str(name): texts for name, texts in groups.items() if isinstance(texts, list | tuple)}
        read = cls.of({name: [t for t in texts if isinstance(t, str)] for name, texts in lists.items()})
        return read if read.texts else None

    @classmethod
    def of_model(cls, model: Model) -> Taught | None:
        """Read off the card of a model, once; ``None`` where there is no card, or it says nothing."""
        training = getattr(getattr(model, "card", None), "training", None) or {}
        known = _READ.get(id(training))
        if known is None or known[0] is not training:
            _READ.clear()
            known = _READ[id(training)] = (training, cls.of_card(training))
        return known[1]

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
        phrases: set[Phrase] = set()
        for group in groups.values():
            own = {" ".join(text.split()) for text in group} - {""}
            texts |= {text.casefold() for text in own}
            # Structures are compared whole: their letters are no words.
            words = [text for text in own if not _STRUCTURE.search(text) and not _CODE.fullmatch(text)]
            counts.update({concept for text in words for concept in _concepts(text)})
            phrases.update(map(read_phrase, words))
        most = max(2.0, SPECIFIC * len(groups))
        specific = frozenset(c for c, n in counts.items() if n <= most)
        told = frozenset(phrase for phrase in phrases if phrase.concepts)
        return cls(frozenset(texts), specific, frozenset(counts) - specific, told)

    def names(self, name: str) -> bool:
        """Whether something was taught by this name, in whatever spelling, or by this structure.

        A compound may be named by both, as in a card's sentence: ``"taxol, SMILES: CC"``.
        """
        name, _, structure = name.partition("SMILES:")
        name, structure = name.strip(" ,"), structure.strip()
        if {name.casefold(), structure.casefold()} & self.texts:
            return True
        return not _STRUCTURE.search(name) and read_phrase(name) in self.phrases

    def knows(self, text: str, fewest: int = 1) -> bool:
        """Whether a text was taught, or speaks of something taught in words of which half are known.

        Parameters
        ----------
        text : str
        fewest : int
            Of its words that must be known. Of a free text one word of a longer name is not enough:
            *mitochondria* may be anything of theirs.

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
        if read_phrase(words) in self.phrases:
            return True
        own = _concepts(words)
        known = own & (self.concepts | self.common)
        return bool(own & self.concepts) and len(known) >= max(fewest, KNOWN_WORDS * len(own))


_READ: dict[int, tuple[object, Taught | None]] = {}
"""What the last card said; it is asked for with every question."""

_STRUCTURE = re.compile(r"[=#\[\]()@\\/]\S|^[A-Za-z0-9]{25,}$")


_CODE = re.compile(r"[A-Za-z]{1,5}[- ]?\d{2,}[A-Za-z]?")
"""Names such as GSK461364: their letters speak of the company."""


def _concepts(text: str) -> frozenset[str]:
    return frozenset(c for c in read_phrase(text).concepts if len(c) > 2)


def is_familiar(taught: Taught, wording: Wording, templates: PromptTemplates, cell_line: str = "") -> bool:
    """Whether a question is one that the model was taught words for.

    What the tables know must have been taught itself: by one of its names in whatever spelling, as a gene, as
    a structure, or (a mechanism, a target) by half of its compounds, two at least. That the model knows its
    cousin does not count: CDK4 and CDK9 are kinases of cyclins both. Of a free text half of the words must
    have been taught, two at least and a telling one among them, where the whole was not.

    Parameters
    ----------
    taught : Taught
        What the model was taught.
    wording : Wording
        As the tables word it.
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about.
    """
    text = wording.text.strip()
    typed = _content(text, templates, cell_line)
    if wording.kind == "control" or taught.names(typed):
        return True
    if wording.kind == "free":
        if typed != text:  # a sentence of the card: what it speaks of decides
            return word(typed, templates=templates, cell_line=cell_line, taught=taught).familiar
        return taught.knows(typed, fewest=2)
    about = [(p.kind, _content(p.text, templates, cell_line)) for p in wording.prompts]
    kind = "mechanism" if wording.kind == "target" else wording.kind
    names = [text for what, text in about if what == kind]
    if any(map(taught.names, (*names, *wording.names))):
        return True
    compounds = [text for what, text in about if what == "compound"]
    known = sum(map(taught.names, compounds))
    if wording.kind in ("compound", "smiles"):
        return known > 0
    return known >= max(2, COMPOUNDS * len(compounds))


def are_familiar(
    taught: Taught, prompts: Sequence[Prompt], templates: PromptTemplates, cell_line: str = ""
) -> bool:
    """Whether a third of what somebody sends in prompts of their own is familiar, each read as if typed."""
    sent = [prompt for prompt in prompts if prompt.on and prompt.weight]
    known = 0.0
    for prompt in sent:
        text = _content(prompt.text, templates, cell_line)
        if word(text, templates=templates, cell_line=cell_line, taught=taught).familiar:
            known += abs(prompt.weight)
    return known >= ENOUGH * sum(abs(prompt.weight) for prompt in sent) > 0


def fitted(wording: Wording, taught: Taught | None, templates: PromptTemplates, cell_line: str) -> Wording:
    """Send only what the model was taught, where some of it was; the other prompts are ticked off.

    A mechanism whose very name was taught is sent by the names that were taught alone: compounds and
    knockouts speak of single cases and draw the direction away from what the name stands for.

    Parameters
    ----------
    wording : Wording
        As the tables word it.
    taught : Taught or None
        ``None`` leaves it as it is.
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about.
    """
    if taught is None:
        return wording
    wording = replace(wording, familiar=is_familiar(taught, wording, templates, cell_line))
    if not wording.familiar:
        return wording
    on = [prompt for prompt in wording.prompts if prompt.on and prompt.weight]
    said = [(prompt, _content(prompt.text, templates, cell_line)) for prompt in on]
    names = [p for p, text in said if p.kind == "mechanism" and text.casefold() in taught.texts] or [
        p for p, text in said if p.kind == "mechanism" and taught.names(text)
    ]
    known = names or [prompt for prompt, text in said if taught.names(text)]
    others = [] if names else [name for name in wording.names if taught.names(name)][:MOST_OTHERS]
    if others:  # the tables' first names were not taught, others of theirs were
        known = [
            Prompt(templates.for_mechanism(name, cell_line), 1 / len(others), "model card", "mechanism")
            for name in others
        ]
    if not known or (not others and len(known) == len(on)):
        return wording
    keep = set(map(id, known))
    prompts = tuple(replace(p, on=p.on and id(p) in keep) for p in wording.prompts)
    off = sum(prompt.on for prompt in wording.prompts) - sum(prompt.on for prompt in prompts)
    what = "the names" if names or others else "the words"
    left = "prompt is" if off == 1 else "prompts are"
    note = f"Sent in {what} that this model was taught; {off} {left} ticked off."
    prompts = (*known, *prompts) if others else prompts
    return replace(wording, prompts=prompts, notes=(*wording.notes, note))


def _content(text: str, templates: PromptTemplates, cell_line: str) -> str:
    """What a sentence of the card speaks of: a name (with its structure), a gene; any other text as it is."""
    for frame in (
        templates.for_compound("\0", "", cell_line),
        templates.for_mechanism("\0", cell_line),
        templates.for_knockout("\0", cell_line=cell_line),
        templates.for_expression("\0", cell_line),
    ):
        start, _, end = frame.partition("\0")
        if text.startswith(start) and text.endswith(end):
            return text[len(start) : len(text) - len(end)]
    return text
