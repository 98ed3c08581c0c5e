"""A bank of background prompts: what else might have been asked.

The list (``background.json``: mechanisms, compounds, knockouts, over-expressed genes and plain words from all
over pharmacology, 210 in all) is worded by the model card's own templates. It is never shown as an answer;
it says how a model's texts are spread, against which a question is compared. What is computed with it is
remembered for each screen, card and cell line in ``screen_calibration.py``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model.unit_vectors import unit_rows

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.model.prompts import PromptTemplates


@cache
def background_terms() -> dict[str, tuple[str, ...]]:
    """Read the terms of the bank by kind: mechanisms, compounds, knockouts, expressed, texts."""
    table = json.loads(Path(__file__).with_name("background.json").read_text(encoding="utf-8"))
    return {kind: tuple(terms) for kind, terms in table.items()}


def background_prompts(templates: PromptTemplates, cell_line: str = "") -> tuple[str, ...]:
    """Write the bank as prompts of a model.

    Parameters
    ----------
    templates : PromptTemplates
        Of the model card.
    cell_line : str
        Of the cells asked about; the card's where empty.
    """
    terms = background_terms()
    prompts = [templates.for_mechanism(term, cell_line) for term in terms["mechanisms"]]
    prompts += [templates.for_compound(term, cell_line=cell_line) for term in terms["compounds"]]
    prompts += [templates.for_knockout(term, cell_line=cell_line) for term in terms["knockouts"]]
    prompts += [templates.for_expression(term, cell_line) for term in terms["expressed"]]
    return tuple(dict.fromkeys([*prompts, *terms["texts"]]))


def background_vectors(model: Model, templates: PromptTemplates, cell_line: str = "") -> NDArray[np.float32]:
    """Compute unit embeddings of the bank, float32 (B, E)."""
    return unit_rows(model.embed_texts(list(background_prompts(templates, cell_line))))
