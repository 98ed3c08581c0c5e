"""Whether a treatment does anything at all, tested without a question."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.vectors.well_vectors import AT_ONCE, WellVectors

SHARE = 0.95
"""Share of the background prompts' variance in whose axes wells are compared."""

CONTROLS_AN_AXIS = 3
"""Degrees of freedom needed for each axis."""


def activity(
    vectors: WellVectors,
    plates: NDArray[np.integer],
    controls: NDArray[np.bool_],
    bank: NDArray[np.floating],
    rows: NDArray[np.intp],
    starts: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Test each group of wells against the negative controls of its plates (Hotelling's T², 1931).

    Wells are compared along the principal axes of the background prompts, as many as hold 95 % of their
    variance and as the controls allow. Means are taken plate by plate, the covariance is pooled over plates,
    and the difference of a group's mean from its controls' is taken to be normal if nothing was done.

    Parameters
    ----------
    vectors : WellVectors
        Unit embeddings of the n wells.
    plates : ndarray of int (n,)
        Plate of each well.
    controls : ndarray of bool (n,)
        Negative controls.
    bank : ndarray (B, E)
        Unit embeddings of the background prompts.
    rows, starts : ndarray of int
        Wells of the groups in compressed rows; see
        :class:`napari_cellclip.explore.calibration.replicates.ReplicateGroups`.

    Returns
    -------
    ndarray of float64 (T,)
        p of each group; NaN for groups with a well on a plate without controls, and everywhere if there
        are too few.
    """
    n_groups = len(starts) - 1
    n_plates = int(plates.max(initial=-1)) + 1
    counts = np.bincount(plates[controls], minlength=n_plates).astype(float)
    freedom = int(counts.sum() - (counts > 0).sum())
    exact = np.asarray(bank, np.float64)
    _, lengths, axes = np.linalg.svd(exact - exact.mean(axis=0), full_matrices=False)
    shares = np.cumsum(lengths**2) / max(float((lengths**2).sum()), 1e-300)
    dims = min(int(np.searchsorted(shares, SHARE)) + 1, freedom // CONTROLS_AN_AXIS)
    if dims < 1 or not n_groups:
        return np.full(n_groups, np.nan)
    members = np.flatnonzero(controls)
    inside = np.concatenate(
        [
            np.asarray(vectors.rows(members[start : start + AT_ONCE]), np.float64) @ axes[:dims].T
            for start in range(0, len(members), AT_ONCE)
        ]
    )
    means = np.zeros((n_plates, dims))
    np.add.at(means, plates[controls], inside)
    means /= np.where(counts > 0, counts, np.nan)[:, None]
    inside -= means[plates[controls]]
    covariance = inside.T @ inside / freedom
    if not np.linalg.cond(covariance) < 1e12:
        return np.full(n_groups, np.nan)
    sizes = np.diff(starts)
    group = np.repeat(np.arange(n_groups), sizes)
    pairs, held = np.unique(group * n_plates + plates[rows], return_counts=True)
    group, plate = pairs // n_plates, pairs % n_plates
    # The means of groups are projected, of which there are fewer than wells; means of plates come off then.
    mean = np.empty((n_groups, dims))
    for some, points, lengths in vectors.group_directions(rows, starts):
        mean[some] = np.asarray(points, np.float64) @ axes[:dims].T * lengths[:, None]
    first = np.searchsorted(group, np.arange(n_groups))
    mean -= np.add.reduceat(means[plate] * (held / sizes[group])[:, None], first, axis=0)
    distance = ((mean @ np.linalg.inv(covariance)) * mean).sum(axis=1)
    # A group shares the error of its plates' control means; wells of one plate share it fully.
    of_plate = np.where(counts > 0, counts, np.nan)[plate]
    shared = np.bincount(group, weights=held**2 / of_plate, minlength=n_groups)
    variance = 1 / sizes + shared / sizes**2
    from scipy.stats import f

    ratio = distance / variance * (freedom - dims + 1) / (freedom * dims)
    return np.asarray(f.sf(ratio, dims, freedom - dims + 1), np.float64)
