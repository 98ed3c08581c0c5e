"""Placing labels on a map near what they name, without overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

RINGS, STEPS = 24, 16
"""Distances and angles tried around an anchor."""


def place_labels(
    anchors: ArrayLike,
    sizes: ArrayLike,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    avoid: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Compute centres of labels near their anchors such that no two overlap.

    Labels are placed in the order given, each as near to its anchor as possible: on it, else around it in
    ever wider rings, and never over a point that is to be avoided.

    Parameters
    ----------
    anchors : array_like (k, 2)
        x and y of what is labelled.
    sizes : array_like (k, 2)
        Width and height of each label, in the same units.
    bounds : tuple of float, optional
        ``(left, bottom, right, top)``, within which labels must lie.
    avoid : array_like (m, 2), optional
        Points that labels must not cover.

    Returns
    -------
    ndarray of float64 (k, 2)
        NaN for a label that fits nowhere.
    """
    points = np.asarray(anchors, np.float64).reshape(-1, 2)
    boxes = np.asarray(sizes, np.float64).reshape(-1, 2)
    placed = np.full(points.shape, np.nan)
    others = np.zeros((0, 2)) if avoid is None else np.asarray(avoid, np.float64).reshape(-1, 2)
    angles = 2 * np.pi * np.arange(STEPS) / STEPS
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for i, (point, box) in enumerate(zip(points, boxes, strict=True)):
        rings = [point[None], *(point + ring * 0.5 * box * around for ring in range(1, RINGS + 1))]
        tries = np.concatenate(rings)
        free = np.isfinite(tries).all(axis=1)
        if bounds is not None:
            low, high = np.asarray(bounds[:2]) + box / 2, np.asarray(bounds[2:]) - box / 2
            free &= ((tries >= low) & (tries <= high)).all(axis=1)
        there = np.isfinite(placed[:i]).all(axis=1)
        needed = (boxes[:i][there] + box) / 2
        apart = np.abs(tries[:, None] - placed[:i][there][None])
        free &= ~(apart < needed[None]).all(axis=-1).any(axis=-1)
        free &= ~(np.abs(tries[:, None] - others[None]) < box / 2).all(axis=-1).any(axis=-1)
        if free.any():
            nearest = np.hypot(*(tries - point).T)
            placed[i] = tries[np.where(free, nearest, np.inf).argmin()]
    return placed
