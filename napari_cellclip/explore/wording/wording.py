"""What is really asked: a typed text becomes prompts in the words a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from napari_cellclip.explore.wording.library import PLATE_MAP, Library
from napari_cellclip.explore.wording.sources import installed, library, plate_library
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotation_tables import AnnotationTable

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore.wording.familiarity import Taught
    from napari_cellclip.model.prompts import PromptTemplates

WordingKind = Literal[
    "compound", "knockout", "overexpression", "mechanism", "target", "smiles", "control", "free"
]

LONGEST = 1000
"""Characters of a text that are read; the rest is left off."""


@dataclass(frozen=True)
class Prompt:
    """One sentence sent to the model.

    Attributes
    ----------
    text : str
    weight : float
        Share in the mean on the unit sphere.
    source : str
        ``typed`` (the asker's own words), ``template`` (words of the model card), ``plate map``, or the name
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
    names : tuple of str
        All names that the tables have for a mechanism that was recognised.
    familiar : bool
        ``False`` where it is known that the model was never taught such words.
    """

    text: str
    kind: WordingKind
    prompts: tuple[Prompt, ...]
    notes: tuple[str, ...] = ()
    recognised: str = ""
    names: tuple[str, ...] = ()
    familiar: bool = True


def word(
    text: str,
    *,
    templates: PromptTemplates,
    cell_line: str = "",
    platemap: pd.DataFrame | None = None,
    annotations: Sequence[AnnotationTable] | None = None,
    use_own_table: bool = True,
    taught: Taught | None = None,
) -> Wording:
    """Word one term of a query (see :func:`napari_cellclip.explore.wording.terms.parse`).

    A text that is recognised is sent in the words of the tables: a compound with its structure, a mechanism
    by its names, by compounds that act so and by knockouts that are expected to look alike. Where it is known
    which of these the model was taught, only those are sent; the others stay in the list, ticked off. Other
    texts are sent as they are, with a note. Nothing typed is refused.

    Parameters
    ----------
    text : str
        A mechanism, compound, gene, structure, control, or anything else.
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about.
    platemap : DataFrame, optional
        ``Screen.wells``; lets mechanisms and targets be worded with compounds of this very plate. Answers
        then rest on its labels: leave it out where a model is to be judged.
    annotations : sequence of AnnotationTable, optional
        Tables to expand from; the installed ones where nothing is given, none for ``()``.
    use_own_table : bool
        Whether the table in the package is used.
    taught : Taught, optional
        What the model was taught, where its card says so.

    Returns
    -------
    Wording
        Without prompts where there is nothing to send: an empty text, or a structure that is none.

    Examples
    --------
    >>> from napari_cellclip.model.prompts import PromptTemplates
    >>> word("microtubule blockers", templates=PromptTemplates(), annotations=()).recognised
    'tubulin polymerisation inhibitor'
    """
    from napari_cellclip.explore.wording.familiarity import fitted
    from napari_cellclip.explore.wording.reading import Reader

    notes: list[str] = []
    known = _library(annotations, use_own_table, notes)
    plate = plate_library(platemap) if platemap is not None else None
    clean = _clean(text, notes)
    found = Reader(templates, cell_line, known, plate).read(clean)
    found = fitted(replace(found, text=text), taught, templates, cell_line)
    return replace(found, notes=(*notes, *found.notes, *_plate_note(found.prompts)))


def _plate_note(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    here = sum(prompt.on and prompt.source == PLATE_MAP for prompt in prompts)
    if not here:
        return ()
    return (
        f"Worded with {here} {'compound' if here == 1 else 'compounds'} of this plate: its labels take part.",
    )


def _clean(text: str, notes: list[str]) -> str:
    """Without control characters and surrogates, which no tokenizer takes, and at most LONGEST long."""
    head = text[: 4 * LONGEST]
    clean = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    if len(clean) > LONGEST or len(text) > len(head):
        notes.append(f"Only the first {LONGEST} of {len(text)} characters are read.")
    return clean[:LONGEST].strip()


def _library(tables: Sequence[AnnotationTable] | None, own: bool, notes: list[str]) -> Library:
    wanted = installed() if tables is None else tuple(tables)
    try:
        return library(wanted, own)
    except CellClipError as error:
        notes.append(f"Annotation tables are left out: {error}.")
        return library((), own)
