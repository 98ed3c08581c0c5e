"""Replicate precision in plain NumPy, written from its definition: what the library's is checked against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def plain_replicate_precision(
    vectors: ArrayLike, perturbation: Sequence[str], plate: Sequence[str], control: ArrayLike
) -> NDArray[np.float64]:
    """Average precision of each treated well at finding its replicates among its plate's controls.

    For a treated well w let P be the other wells of its perturbation, on whatever plate, and N the negative
    controls of its own plate. The wells of P and N are put in order of their cosine with w. The average
    precision is the mean, over the wells of P, of the share of P among all that stand at or before it.

    Parameters
    ----------
    vectors : array_like (n, E)
        Finite.
    perturbation, plate : sequence of str (n,)
        What was done, and where.
    control : array_like of bool (n,)
        The negative controls.

    Returns
    -------
    ndarray of float64 (n,)
        NaN for controls and for wells without a replicate.
    """
    x = np.asarray(vectors, np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    names, plates, negative = np.asarray(perturbation), np.asarray(plate), np.asarray(control, bool)
    out = np.full(len(x), np.nan)
    for w in np.flatnonzero(~negative):
        positives = np.flatnonzero(~negative & (names == names[w]) & (np.arange(len(x)) != w))
        negatives = np.flatnonzero(negative & (plates == plates[w]))
        if not len(positives):
            continue
        near, far = x[positives] @ x[w], x[negatives] @ x[w]
        before = (near[None, :] >= near[:, None]).sum(axis=1)
        out[w] = np.mean(before / (before + (far[None, :] >= near[:, None]).sum(axis=1)))
    return out
