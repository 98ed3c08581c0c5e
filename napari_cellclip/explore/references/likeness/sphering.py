"""Sphere control wells as treated wells are: by transforms that were fitted without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model.prototypes.sphering import Sphering

CROSS_FITS = 5
"""Parts of the controls that are sphered by the others."""


def controls_as_unseen(
    sphered: NDArray[np.floating],
    centred: NDArray[np.floating],
    controls: NDArray[np.bool_],
    plates: NDArray[np.integer],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Sphere control wells as treated wells are: by a transform that was fitted without them.

    Whitening makes the very wells it was fitted to shorter than new ones, and a plate's mean lies nearer to
    the controls it was taken of; compared with such controls any treatment would seem to do something.

    Parameters
    ----------
    sphered, centred : ndarray (n, F)
        All wells after and before sphering.
    controls : ndarray of bool (n,)
    plates : ndarray of int (n,)
    seed : int
        Of the parts.

    Returns
    -------
    ndarray of float64 (n, F)
        `sphered`, with other rows for the controls.
    """
    out = np.asarray(sphered, np.float64).copy()
    rows = np.flatnonzero(controls)
    part = np.random.default_rng([seed, 18]).permutation(len(rows)) % CROSS_FITS
    for number in np.unique(part):
        inside, outside = rows[part == number], rows[part != number]
        if len(outside) > 1:
            out[inside] = Sphering.fit(centred[outside], seed=seed)(centred[inside])
    for plate in np.unique(plates[rows]):
        own = rows[plates[rows] == plate]
        if (n := len(own)) > 1:
            out[own] *= np.sqrt((n + 1) / (n - 1))
    return out
