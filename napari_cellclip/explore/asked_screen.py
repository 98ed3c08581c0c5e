"""What a question needs to know of the screen it is asked of: embedded wells, model, cell line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen


NAMED = 5
"""Excluded wells that a note names."""


def embedded(screen: Screen) -> NDArray[np.bool_]:
    """Find the wells that have an embedding, bool (n_wells,)."""
    return np.asarray(np.isfinite(screen.norms) & (screen.norms > 0), bool)


def require_embeddings(screen: Screen) -> NDArray[np.bool_]:
    """Find the wells that have an embedding, bool (n_wells,).

    Raises
    ------
    ScreenError
        If there is none.
    """
    there = embedded(screen)
    if not there.any():
        if screen.excluded:
            raise ScreenError(f"no well of screen {screen.name} has a site left: take back sites under QC")
        raise ScreenError(f"no well of screen {screen.name} has an embedding yet: encode it first")
    return there


def exclusion_notes(screen: Screen) -> tuple[str, ...]:
    """Say which wells are not scored, and how many are scored in part, because sites were excluded."""
    if not screen.excluded:
        return ()
    reasons = screen.wells["Metadata_Excluded"]
    wells = [str(well) for well in reasons.index[reasons != ""]]
    out = len(screen.excluded)
    notes = [f"{out} {'site is' if out == 1 else 'sites are'} left out of the embeddings, on request."]
    if wells:
        some = ", ".join(wells[:NAMED]) + (" …" if len(wells) > NAMED else "")
        gone = "1 well is" if len(wells) == 1 else f"{len(wells)} wells are"
        notes.append(f"{gone} excluded and not scored, as no site is left: {some}.")
    return tuple(notes)


def own_model(screen: Screen, model: Model | None) -> Model:
    """Return the screen's model, or the one given if it is the same.

    Raises
    ------
    ScreenError
        If another model is given.
    """
    if model is None:
        return screen.model
    screen.require_model(model)
    return model


def require_uncorrected(screen: Screen, what: str) -> None:
    """Refuse a screen whose embeddings are corrected for batch effects.

    Raises
    ------
    ScreenError
        Says what must be done.
    """
    if screen.correction is not None:
        raise ScreenError(
            f"{what} are about embeddings as the model made them, and these are corrected by"
            f" {screen.correction.method}: take the correction off (screen.correct('none'))"
        )


def cell_line_of(screen: Screen, asked: str = "") -> str:
    """Decide the cell line of every prompt of a question: question and background prompts, vocabulary check.

    Parameters
    ----------
    screen : Screen
        The screen that is asked.
    asked : str
        Cell line that the question itself names.

    Returns
    -------
    str
        The one the question names, else that of the screen if its plate map names just one, else empty: the
        model card's own.
    """
    if asked:
        return asked
    return screen.cell_lines[0] if len(screen.cell_lines) == 1 else ""
