"""The direction that an explanation is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.wording.direction import direction
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.model import Model

Asked = NDArray[np.floating] | Sequence[str | Prompt]
"""A direction in the shared space, or the prompts whose mean it is."""


def unit_direction(asked: Asked, model: Model) -> NDArray[np.float32]:
    """Compute the vector of length 1, float32 (E,), of a direction or of prompts.

    Raises
    ------
    CellClipError
        If the vector has another length than the model's embeddings, or no direction, or no prompt is on.
    """
    if not isinstance(asked, np.ndarray):
        prompts = [Prompt(prompt) if isinstance(prompt, str) else prompt for prompt in asked]
        sent = [prompt for prompt in prompts if prompt.on]
        if not sent:
            raise CellClipError("there is nothing to explain: no prompt was sent")
        return direction(model, [prompt.text for prompt in sent], [prompt.weight for prompt in sent])
    length = float(np.linalg.norm(asked))
    if asked.shape != (model.card.embed_dim,) or not (np.isfinite(length) and length > 0):
        raise CellClipError(
            f"what was asked must be one vector of {model.card.embed_dim} numbers, got shape {asked.shape}"
        )
    return (asked / length).astype(np.float32)
