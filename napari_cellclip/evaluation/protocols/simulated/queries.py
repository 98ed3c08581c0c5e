"""Questions as :func:`napari_cellclip.explore.ask` puts them, without plate map and installed tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.wording.direction import direction
from napari_cellclip.explore.wording.familiarity import Taught
from napari_cellclip.explore.wording.wording import Wording, word
from napari_cellclip.model import Model


def question(model: Model, text: str, *, expand: bool = True) -> Wording:
    """Word a text for a model: by the package's own table and what the model's card says it was taught.

    Parameters
    ----------
    model : Model
        Whose words are used.
    text : str
        What is asked.
    expand : bool
        Whether the package's own table is used; else the text is sent as it is typed.
    """
    return word(
        text,
        templates=model.card.prompts,
        annotations=(),
        use_own_table=expand,
        taught=Taught.of_model(model),
    )


def sent(wording: Wording) -> tuple[list[str], list[float]]:
    """Texts and weights of the prompts that are sent."""
    on = [prompt for prompt in wording.prompts if prompt.on and prompt.weight]
    return [prompt.text for prompt in on], [prompt.weight for prompt in on]


def directions(model: Model, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Directions of questions, and which of them the model was taught words for, as far as its card says.

    Returns
    -------
    vectors : ndarray of float32 (n, E)
    familiar : ndarray of bool (n,)
        ``ask`` answers the others with "No confident match", whatever their scores.
    """
    worded = [question(model, text) for text in texts]
    vectors = np.stack([direction(model, *sent(wording)) for wording in worded])
    return vectors, np.array([wording.familiar for wording in worded])
