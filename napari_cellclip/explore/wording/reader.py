"""Reading plain text: what was typed becomes prompts in the words a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.name_index import PLATE_MAP, NameIndex
from napari_cellclip.explore.wording.name_sources import (
    installed_tables,
    names_of_platemap,
    names_of_tables,
)
from napari_cellclip.explore.wording.recognise import Recogniser
from napari_cellclip.explore.wording.vocabulary_prompts import (
    content_of,
    is_in_vocabulary,
    prefer_vocabulary,
)
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotation_tables import AnnotationTable

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.model.prompts import PromptTemplates

LONGEST = 1000
"""Characters of a text that are read; the rest is left off."""

ENOUGH = 1 / 3
"""Share of the weight of a user's own prompts that must be in the model's vocabulary."""


def read_text(
    text: str,
    *,
    templates: PromptTemplates,
    cell_line: str = "",
    platemap: pd.DataFrame | None = None,
    annotations: Sequence[AnnotationTable] | None = None,
    use_own_table: bool = True,
    vocabulary: ModelVocabulary | None = None,
) -> Wording:
    """Read one term of a query (see :func:`napari_cellclip.explore.wording.query_grammar.parse`).

    A text that is recognised is sent in the words of the tables: a compound with its structure, a mechanism
    by its names, by compounds that act so and by knockouts that are expected to look alike. Where the
    model's vocabulary is known, only the prompts in it are sent; the others stay in the list, ticked off.
    Other texts are sent as they are, with a note. Nothing typed is refused.

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
        then rest on its labels: leave it out where a model is to be scored.
    annotations : sequence of AnnotationTable, optional
        Tables to expand from; the installed ones where nothing is given, none for ``()``.
    use_own_table : bool
        Whether the table in the package is used.
    vocabulary : ModelVocabulary, optional
        Of the model, where its card lists one.

    Returns
    -------
    Wording
        Without prompts where there is nothing to send: an empty text, or a structure that is none.

    Examples
    --------
    >>> from napari_cellclip.model.prompts import PromptTemplates
    >>> read_text("microtubule blockers", templates=PromptTemplates(), annotations=()).recognised
    'tubulin polymerisation inhibitor'
    """
    notes: list[str] = []
    tables = _known_names(annotations, use_own_table, notes)
    plate = names_of_platemap(platemap) if platemap is not None else None
    found = Recogniser(templates, cell_line, tables, plate).read(_clean(text, notes))
    found = replace(found, text=text)
    if vocabulary is not None:
        own = _is_in_vocabulary(found, vocabulary, Recogniser(templates, cell_line, tables, None))
        found = replace(found, in_vocabulary=own)
        if own:
            found = prefer_vocabulary(found, vocabulary, templates, cell_line)
    return replace(found, notes=(*notes, *found.notes, *_plate_note(found.prompts)))


def prompts_in_vocabulary(
    prompts: Sequence[Prompt], vocabulary: ModelVocabulary, templates: PromptTemplates, cell_line: str = ""
) -> bool:
    """Tell whether a third of a user's own prompts, each read as if typed, is in the vocabulary."""
    sent = [prompt for prompt in prompts if prompt.on and prompt.weight]
    known = 0.0
    for prompt in sent:
        text = content_of(prompt.text, templates, cell_line)
        if read_text(text, templates=templates, cell_line=cell_line, vocabulary=vocabulary).in_vocabulary:
            known += abs(prompt.weight)
    return known >= ENOUGH * sum(abs(prompt.weight) for prompt in sent) > 0


def _is_in_vocabulary(wording: Wording, vocabulary: ModelVocabulary, recogniser: Recogniser) -> bool:
    """As :func:`is_in_vocabulary`; of a sentence of the card, what it names decides."""
    templates, cell_line = recogniser.templates, recogniser.cell_line
    text = wording.text.strip()
    named = content_of(text, templates, cell_line)
    if named == text:
        return is_in_vocabulary(wording, vocabulary, templates, cell_line)
    if wording.kind != "free":
        return is_in_vocabulary(replace(wording, text=named), vocabulary, templates, cell_line)
    clean = _clean(named, [])
    return vocabulary.has_name(named) or _is_in_vocabulary(recogniser.read(clean), vocabulary, recogniser)


def _plate_note(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    here = sum(prompt.on and prompt.source == PLATE_MAP for prompt in prompts)
    if not here:
        return ()
    compounds = "compound" if here == 1 else "compounds"
    return (f"{here} {compounds} of this plate map are part of the query: the answer rests on its labels.",)


def _clean(text: str, notes: list[str]) -> str:
    """Without control characters and surrogates, which no tokenizer takes, and at most LONGEST long."""
    head = text[: 4 * LONGEST]
    clean = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    if len(clean) > LONGEST or len(text) > len(head):
        notes.append(f"Only the first {LONGEST} of {len(text)} characters are read.")
    return clean[:LONGEST].strip()


def _known_names(tables: Sequence[AnnotationTable] | None, own: bool, notes: list[str]) -> NameIndex:
    wanted = installed_tables() if tables is None else tuple(tables)
    try:
        return names_of_tables(wanted, own)
    except CellClipError as error:
        notes.append(f"Annotation tables are left out: {error}.")
        return names_of_tables((), own)
