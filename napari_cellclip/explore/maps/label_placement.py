"""Placing labels on a map near what they name, without overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

RINGS, STEPS = 24, 16
"""Distances and angles tried around an anchor."""

SAMPLES = 16
"""Places along a line from a label to its anchor that must be free of other labels."""


def place_labels(
    anchors: ArrayLike,
    sizes: ArrayLike,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    avoid: ArrayLike | None = None,
    reach: float = np.inf,
) -> NDArray[np.float64]:
    """Compute centres of labels near their anchors such that no two overlap.

    Labels are placed in the order given, each as near to its anchor as possible: on it, else around it in
    ever wider rings, never over a point that is to be avoided, and never so that the line from a label to its
    anchor crosses another label or its line: one would read the wrong name.

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
    reach : float
        Most distance between a label and its anchor.

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
        nearest = np.hypot(*(tries - point).T)
        free &= nearest <= reach
        for j in np.flatnonzero(there):
            if (np.abs(point - placed[j]) >= boxes[j] / 2).any():  # else every line to it crosses that label
                free &= ~_crosses(tries, point, placed[j], boxes[j])
            free &= ~_crosses(placed[j], points[j], tries, box)
            free &= ~_meet(tries, point, placed[j], points[j])
        if free.any():
            placed[i] = tries[np.where(free, nearest, np.inf).argmin()]
    return placed


def _crosses(
    starts: NDArray[np.float64],
    stop: NDArray[np.float64],
    centre: NDArray[np.float64],
    box: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether lines from `starts` to `stop` run through boxes; starts or centres may be many."""
    share = np.linspace(0, 1, SAMPLES)[:, None, None]
    on_line = starts * (1 - share) + stop * share
    return np.asarray((np.abs(on_line - centre) < box / 2).all(axis=-1).any(axis=0))


def _meet(
    starts: NDArray[np.float64],
    stop: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether lines from `starts` to `stop` cross the line from `start` to `end`."""

    def side(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
        one, other = b - a, c - a
        return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])

    apart = side(start, end, starts) * side(start, end, stop) < 0
    return np.asarray(apart & (side(starts, stop, start) * side(starts, stop, end) < 0))
