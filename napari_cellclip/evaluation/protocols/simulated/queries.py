"""Questions as :func:`napari_cellclip.explore.ask` puts them, without plate map and installed tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.wording.direction import direction
from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.reader import read_text
from napari_cellclip.explore.wording.wording import Wording
from napari_cellclip.model import Model


def question(model: Model, text: str, *, expand: bool = True) -> Wording:
    """Read a text for a model: by the package's own table and the model's vocabulary.

    Parameters
    ----------
    model : Model
        Whose words are used.
    text : str
        What is asked.
    expand : bool
        Whether the package's own table is used; else the text is sent as it is typed.
    """
    return read_text(
        text,
        templates=model.card.prompts,
        annotations=(),
        use_own_table=expand,
        vocabulary=ModelVocabulary.of_card(model.card),
    )


def sent(wording: Wording) -> tuple[list[str], list[float]]:
    """Texts and weights of the prompts that are sent."""
    on = [prompt for prompt in wording.prompts if prompt.on and prompt.weight]
    return [prompt.text for prompt in on], [prompt.weight for prompt in on]


def directions(model: Model, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Embed questions, and tell which of them are in the model's vocabulary, as far as its card says.

    Returns
    -------
    vectors : ndarray of float32 (n, E)
    in_vocabulary : ndarray of bool (n,)
        ``ask`` answers the others with "No confident match", whatever their scores.
    """
    worded = [question(model, text) for text in texts]
    vectors = np.stack([direction(model, *sent(wording)) for wording in worded])
    return vectors, np.array([wording.in_vocabulary for wording in worded])
