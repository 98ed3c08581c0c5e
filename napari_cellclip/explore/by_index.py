"""Rank wells by the index of a screen, in milliseconds among a million; nothing is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.by_words import model_of_words, parts_of, read_questions
from napari_cellclip.explore.vectors.well_index import FINE, WellIndex
from napari_cellclip.explore.wording.direction import summed
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

RANKS_ONLY = (
    "Found by an index: wells are ranked by cosine and nothing is tested, for p needs the scores of all wells"
    " and controls: ask(screen, text, index=True) tests them."
)


def ask_index(
    screen: Screen,
    text: str = "",
    *,
    wells: tuple[str, ...] = (),
    top: int = 100,
    use_platemap: bool = True,
    model: Model | None = None,
) -> Answer:
    """Rank the wells nearest to a text, or to example wells, by the index of a screen; nothing is tested.

    Parameters
    ----------
    screen : Screen
        In a local folder, its embeddings not corrected.
    text : str
        As for :func:`napari_cellclip.explore.query.ask`, without doses, cell lines, AND and NOT.
    wells : tuple of str
        Ids of examples, in place of a text.
    top : int
        Wells listed.
    use_platemap : bool
        As for :func:`napari_cellclip.explore.query.ask`.
    model : Model, optional
        The screen's own, if it is loaded already.

    Raises
    ------
    CellClipError
        If the question needs the scores of all wells, or there is nothing to ask.
    """
    if bool(text.strip()) == bool(wells):
        raise CellClipError("an index is asked for a text or for example wells: give one of the two")
    prompts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if wells:
        missing = [well for well in wells if well not in screen.wells.index]
        if missing:
            raise CellClipError(f"screen {screen.name} has no well {missing[0]!r}")
        index = WellIndex.of(screen)
        rows = screen.wells.index.get_indexer(list(wells))
        vector = summed(index.fine[rows] * (index.largest[rows, None] / FINE))
    else:
        model = model_of_words(screen, model)
        questions, filters, _, notes = read_questions(screen, text, None, use_platemap, model)
        parts = parts_of(model, questions, "mean")
        if filters or len(parts) > 1:
            raise CellClipError(
                "an index finds wells for one direction: ask without it for doses, cell lines, AND and NOT"
            )
        index, vector = WellIndex.of(screen), parts[0].vectors[0]
        prompts = tuple(prompt.text for question in questions for prompt in question.on)
    found, cosine = index.nearest(vector, top)
    scores = pd.DataFrame(
        {"cosine": cosine.astype(np.float64), "score": np.nan, "rank": np.arange(1, len(found) + 1)},
        index=screen.wells.index[found],
    ).assign(z=np.nan, q=np.nan)
    return Answer(
        query=text or f"like {', '.join(wells[:3])}",
        prompts=prompts,
        source=f"templates of the model card {screen.card.name!r}" if prompts else "example wells",
        scores=scores,
        model=screen.card.name,
        notes=(*notes, RANKS_ONLY),
        treatments=screen.wells["Metadata_treatment"],
        direction=vector,
        evidence="words" if prompts else "example wells",
    )
