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
from weakref import WeakKeyDictionary

from napari_cellclip.explore.concepts import Phrase, read_phrase
from napari_cellclip.explore.wording import Prompt, Wording

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
        if not isinstance(groups, Mapping) or not groups:
            return None
        return cls.of({str(name): [str(text) for text in texts] for name, texts in groups.items()})

    @classmethod
    def of_model(cls, model: Model) -> Taught | None:
        """Read off the card of a model, once; ``None`` where there is no card, or it says nothing."""
        card = getattr(model, "card", None)
        known = _READ.get(model)
        if known is None or known[0] is not card:
            known = _READ[model] = (card, cls.of_card(getattr(card, "training", None) or {}))
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
            own = {" ".join(text.split()) for text in group}
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
        """Whether something was taught by this name, in whatever spelling."""
        return name.casefold() in self.texts or read_phrase(name) in self.phrases

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


_READ: WeakKeyDictionary[Model, tuple[object, Taught | None]] = WeakKeyDictionary()

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
    on = [prompt for prompt in wording.prompts if prompt.on and prompt.weight]
    said = [(prompt, _name_in(prompt, templates, cell_line)) for prompt in on]
    names = [p for p, name in said if name.casefold() in taught.texts] or [
        p for p, name in said if name and taught.names(name)
    ]
    wording = replace(wording, familiar=bool(names) or _is_familiar(taught, wording, on))
    known = names or [prompt for prompt in on if taught.knows(prompt.text)]
    if not wording.familiar or not known or len(known) == len(on):
        return wording
    off = len(on) - len(known)
    what = "the names" if names else "the words"
    left = "prompt is" if off == 1 else "prompts are"
    note = f"Sent in {what} that this model was taught; {off} {left} ticked off."
    keep = set(map(id, known))
    prompts = tuple(replace(p, on=p.on and id(p) in keep) for p in wording.prompts)
    return replace(wording, prompts=prompts, notes=(*wording.notes, note))


def _is_familiar(taught: Taught, wording: Wording, on: Sequence[Prompt]) -> bool:
    if wording.kind == "free":
        return taught.knows(wording.text, fewest=2)
    if wording.kind != "mechanism":
        return is_familiar(taught, wording)
    # The tables tell CDK4 from CDK9: that both are kinases of cyclins does not make one known by the other.
    compounds = [prompt for prompt in on if prompt.kind == "compound"]
    known = sum(taught.knows(prompt.text) for prompt in compounds)
    return known >= max(2, COMPOUNDS * len(compounds))


def _name_in(prompt: Prompt, templates: PromptTemplates, cell_line: str) -> str:
    """The mechanism that a prompt names in the card's sentence, empty where it is none."""
    start, _, end = templates.for_mechanism("\0", cell_line).partition("\0")
    text = prompt.text
    if prompt.kind != "mechanism" or not (text.startswith(start) and text.endswith(end)):
        return ""
    return text[len(start) : len(text) - len(end)]
