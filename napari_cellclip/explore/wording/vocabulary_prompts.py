"""Which readings are in a model's vocabulary, and which of their prompts to send."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.wording import Prompt, Wording

if TYPE_CHECKING:
    from napari_cellclip.model.prompts import PromptTemplates

MOST_OTHERS = 3
"""Names in the vocabulary that are sent of a mechanism where none of the tables' first names is in it."""

COMPOUNDS = 0.5
"""Share of a mechanism's compounds that must be in the vocabulary, two at least, where no name of it is."""


def content_of(text: str, templates: PromptTemplates, cell_line: str) -> str:
    """Take a sentence of the card out of its template: a name (with its structure), a gene; else the text."""
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


def is_in_vocabulary(
    wording: Wording, vocabulary: ModelVocabulary, templates: PromptTemplates, cell_line: str = ""
) -> bool:
    """Tell whether a model was trained on the words of a text.

    What the tables know must be in the vocabulary itself: by one of its names in whatever spelling, as a
    gene, as a structure, or (a mechanism, a target) by half of its compounds, two at least. That a relative
    is in it does not count: CDK4 and CDK9 are kinases of cyclins both. Of a free text half of the words must
    be in it, two at least and a specific one among them, where the whole is not.

    Parameters
    ----------
    wording : Wording
        The text as the tables read it.
    vocabulary : ModelVocabulary
        Of the model.
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about.
    """
    typed = wording.text.strip()
    if wording.kind == "control" or vocabulary.has_name(typed):
        return True
    if wording.kind == "free":
        return vocabulary.has_text(typed, fewest=2)
    about = [(p.kind, content_of(p.text, templates, cell_line)) for p in wording.prompts]
    kind = "mechanism" if wording.kind == "target" else wording.kind
    names = [text for what, text in about if what == kind]
    if any(map(vocabulary.has_name, (*names, *wording.names))):
        return True
    compounds = [text for what, text in about if what == "compound"]
    known = sum(map(vocabulary.has_name, compounds))
    if wording.kind in ("compound", "smiles"):
        return known > 0
    return known >= max(2, COMPOUNDS * len(compounds))


def prefer_vocabulary(
    wording: Wording, vocabulary: ModelVocabulary, templates: PromptTemplates, cell_line: str
) -> Wording:
    """Send only the prompts that are in the vocabulary, where some are; the others are ticked off.

    A mechanism of which a name is in the vocabulary is sent by such names alone: compounds and knockouts
    speak of single cases and draw the direction away from what the name stands for.

    Parameters
    ----------
    wording : Wording
        The text as the tables read it.
    vocabulary : ModelVocabulary
        Of the model.
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about.
    """
    on = [prompt for prompt in wording.prompts if prompt.on and prompt.weight]
    contents = [(prompt, content_of(prompt.text, templates, cell_line)) for prompt in on]
    names = [p for p, text in contents if p.kind == "mechanism" and text.casefold() in vocabulary.texts] or [
        p for p, text in contents if p.kind == "mechanism" and vocabulary.has_name(text)
    ]
    known = names or [prompt for prompt, text in contents if vocabulary.has_name(text)]
    others = [] if names else [name for name in wording.names if vocabulary.has_name(name)][:MOST_OTHERS]
    if others:  # the tables' first names are not in the vocabulary, others of theirs are
        known = [
            Prompt(templates.for_mechanism(name, cell_line), 1 / len(others), "model card", "mechanism")
            for name in others
        ]
    if not known or (not others and len(known) == len(on)):
        return wording
    sent = set(map(id, known))
    prompts = tuple(replace(p, on=p.on and id(p) in sent) for p in wording.prompts)
    off = sum(prompt.on for prompt in wording.prompts) - sum(prompt.on for prompt in prompts)
    what = "names" if names or others else "words"
    left = "prompt is" if off == 1 else "prompts are"
    note = f"Only the {what} in the model's vocabulary are sent; {off} other {left} ticked off."
    prompts = (*known, *prompts) if others else prompts
    return replace(wording, prompts=prompts, notes=(*wording.notes, note))
