"""What is really asked: a typed text becomes prompts in the words a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.model.prompts import PromptTemplates

WordingKind = Literal[
    "compound", "knockout", "overexpression", "mechanism", "target", "smiles", "control", "free"
]


@dataclass(frozen=True)
class Prompt:
    """One sentence sent to the model.

    Attributes
    ----------
    text : str
    weight : float
        Share in the mean on the unit sphere.
    source : str
        ``typed`` (the asker's own words), ``template`` (words of the model card), ``plate map``, or the name of
        the annotation table the words were taken from.
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
    """How a text was read, and what is sent for it.

    Attributes
    ----------
    text : str
        What was typed.
    kind : str
        What it was taken for.
    prompts : tuple of Prompt
        Empty where nothing can be sent; the notes say why.
    notes : tuple of str
        Sentences for the asker.
    recognised : str
        Name of what was recognised, ``"tubulin polymerisation inhibitor"``; empty for free text.
    """

    text: str
    kind: WordingKind
    prompts: tuple[Prompt, ...]
    notes: tuple[str, ...] = ()
    recognised: str = ""


def word(
    text: str,
    *,
    templates: PromptTemplates,
    cell_line: str = "",
    platemap: pd.DataFrame | None = None,
    annotations: Sequence[object] | None = None,
    use_own_table: bool = True,
) -> Wording:
    """Word one term of a query (see :func:`napari_cellclip.explore.terms.parse`).

    Parameters
    ----------
    text : str
        A mechanism, compound, gene, structure, control, or anything else.
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about.
    platemap : DataFrame, optional
        ``Screen.wells``; lets mechanisms and targets be worded with compounds of this very plate.
    annotations : sequence of AnnotationTable, optional
        Tables to expand from; the installed ones where nothing is given, none for ``()``.
    use_own_table : bool
        Whether the table in the package is used.
    """
    clean = " ".join(text.split())
    prompts = tuple(Prompt(prompt) for prompt in templates.for_query(clean, cell_line))
    return Wording(text, "free", prompts, () if prompts else ("there is nothing to ask: write a few words",))
