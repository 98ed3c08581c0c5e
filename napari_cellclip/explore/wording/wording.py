"""What a text was read as, and the prompts that are sent for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WordingKind = Literal[
    "compound", "knockout", "overexpression", "mechanism", "target", "smiles", "control", "free"
]


@dataclass(frozen=True)
class Prompt:
    """One sentence for the text tower.

    Attributes
    ----------
    text : str
    weight : float
        Share in the mean on the unit sphere.
    source : str
        ``typed`` (the user's own words), ``template`` (words of the model card), ``plate map``, or the name
        of the annotation table the words were taken from.
    kind : str
        What the sentence speaks of; one of the kinds of :class:`Wording`.
    on : bool
        Whether it is sent.
    """

    text: str
    weight: float = 1.0
    source: str = "typed"
    kind: WordingKind = "free"
    on: bool = True


@dataclass(frozen=True)
class Wording:
    """Reading of a text, and the prompts that are sent for it.

    Attributes
    ----------
    text : str
        What was typed.
    kind : str
        What it was taken for.
    prompts : tuple of Prompt
        Empty where nothing can be sent; the notes say why.
    notes : tuple of str
        Sentences for the user.
    recognised : str
        Name of what was recognised, ``"tubulin polymerisation inhibitor"``; empty for free text.
    names : tuple of str
        All names that the tables have for a mechanism that was recognised.
    in_vocabulary : bool
        ``False`` where the text is known not to be in the model's vocabulary.
    """

    text: str
    kind: WordingKind
    prompts: tuple[Prompt, ...]
    notes: tuple[str, ...] = ()
    recognised: str = ""
    names: tuple[str, ...] = ()
    in_vocabulary: bool = True
