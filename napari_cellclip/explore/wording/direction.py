"""Directions of prompts in the shared space, their sums, and the cosines of wells with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen


def direction(
    model: Model, prompts: Sequence[str], weights: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Compute the weighted mean of the prompts' embeddings on the unit sphere, float32 (E,) of length 1.

    Parameters
    ----------
    model : Model
        Embeds the prompts.
    prompts : sequence of str
        At least one.
    weights : sequence of float, optional
        Of the prompts; all alike where not given. Negative ones point away.

    Raises
    ------
    CellClipError
        If the prompts cancel each other out.
    """
    return summed(model.embed_texts(list(prompts)), weights)


def summed(vectors: NDArray[np.floating], weights: Sequence[float] | None = None) -> NDArray[np.float32]:
    """Compute the weighted mean of vectors (k, E) on the unit sphere, float32 (E,) of length 1.

    Raises
    ------
    CellClipError
        If they cancel each other out.
    """
    exact = np.asarray(vectors, np.float64)
    shares = np.ones(len(exact)) if weights is None else np.asarray(weights, np.float64)
    total = shares @ unit_rows(exact, np.float64) / max(np.abs(shares).sum(), 1e-12)
    length = np.linalg.norm(total)
    if not length > 1e-6:
        raise CellClipError(
            "these prompts point in opposite directions and leave nothing to ask: send fewer of them"
        )
    return np.asarray(total / length, np.float32)


def cosines(screen: Screen, unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute every well's cosine with a vector of length 1, (n_wells,) float32; NaN without embedding."""
    # Lengths are kept by the screen: dividing the products is far cheaper than dividing all embeddings.
    with np.errstate(invalid="ignore", divide="ignore"):
        return (screen.embeddings @ unit) / screen.norms
