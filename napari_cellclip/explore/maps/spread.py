"""Moving marks apart on the screen, so that none lies under another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

STEPS = 60
SLACK = 0.98
"""Marks that overlap by less are left alone: two per cent of a dot are not seen."""


def remove_overlaps(points: ArrayLike, size: float, steps: int = STEPS) -> NDArray[np.float64]:
    """Move points apart until they are at least a mark's size from each other.

    Each step pushes every pair that is too near apart along the line between them, half each, so a group
    stays around its middle and points that are alone stay where they are.

    Parameters
    ----------
    points : array_like (n, 2)
        Places in pixels.
    size : float
        Diameter of a mark in pixels.
    steps : int
        At most; fewer where nothing overlaps any more. A crowd without room keeps some overlap.

    Returns
    -------
    ndarray of float64 (n, 2)
        The same for the same points; coincident ones are told apart by their order.
    """
    start = np.asarray(points, np.float64).reshape(-1, 2)
    moved = start.copy()
    if len(moved) < 2:
        return moved
    # Coincident points have no line between them: a golden-angle spiral of a thousandth gives each its own.
    turn = np.arange(len(moved)) * np.pi * (3 - np.sqrt(5))
    moved += 1e-3 * size * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    near = np.zeros(len(moved), bool)
    for _ in range(steps):
        pairs = cKDTree(moved).query_pairs(size * SLACK, output_type="ndarray")
        if not len(pairs):
            break
        one, other = pairs.T
        between = moved[one] - moved[other]
        apart = np.sqrt((between**2).sum(axis=1))
        push = between * ((size - apart) / np.maximum(apart, 1e-9) / 2)[:, None]
        near[pairs.ravel()] = True
        step = np.stack(
            [
                np.bincount(one, push[:, axis], len(moved)) - np.bincount(other, push[:, axis], len(moved))
                for axis in (0, 1)
            ],
            axis=1,
        )
        length = np.sqrt((step**2).sum(axis=1))
        moved += step * np.minimum(1, size / np.maximum(length, 1e-9))[:, None]
    return np.where(near[:, None], moved, start)


def grid_places(points: ArrayLike, cell: float) -> NDArray[np.float64]:
    """Give each point the nearest free cell of a grid, so that tiles of that size never overlap.

    Points in the order given choose first; each takes the free cell nearest to its own place.

    Parameters
    ----------
    points : array_like (n, 2)
        Places, in any unit.
    cell : float
        Side of a cell, in the same unit.

    Returns
    -------
    ndarray of float64 (n, 2)
        Centres of the cells.
    """
    places = np.asarray(points, np.float64).reshape(-1, 2) / cell
    taken: set[tuple[int, int]] = set()
    out = np.empty_like(places)
    for i, (x, y) in enumerate(places.tolist()):
        out[i] = _free_cell(x, y, taken)
        taken.add((int(out[i, 0]), int(out[i, 1])))
    return out * cell


def _free_cell(x: float, y: float, taken: set[tuple[int, int]]) -> tuple[int, int]:
    """Return the free cell nearest to a place: rings around it, until a farther ring cannot be nearer."""
    column, row = round(x), round(y)
    best, least, ring = None, np.inf, 0
    while best is None or ring - 0.5 <= least:
        for cell in _ring(column, row, ring):
            away = np.hypot(cell[0] - x, cell[1] - y)
            if cell not in taken and away < least:
                best, least = cell, float(away)
        ring += 1
    return best


def _ring(column: int, row: int, ring: int) -> list[tuple[int, int]]:
    if ring == 0:
        return [(column, row)]
    side = range(-ring, ring + 1)
    edges = [(column + i, row + j) for i in side for j in (-ring, ring)]
    return edges + [(column + i, row + j) for j in side[1:-1] for i in (-ring, ring)]
