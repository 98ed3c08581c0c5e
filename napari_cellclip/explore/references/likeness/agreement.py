"""Test whether replicates of a treatment agree: does it do anything that control wells do not?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

DRAWS = 500
"""Sets of control wells drawn for each pattern of replicates; the smallest p is 1 in 501."""

FEWEST_POSITIONS = 20
"""Positions that must be controls on all plates to stand for replicates that share a position."""


def replicate_agreement(
    sphered: NDArray[np.floating],
    plates: NDArray[np.integer],
    controls: NDArray[np.bool_],
    rows: NDArray[np.intp],
    starts: NDArray[np.intp],
    positions: NDArray[np.object_],
    *,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare the agreement of replicate wells with that of control wells of the same plates.

    The statistic is the length of the mean of the wells' unit vectors times their mean length: replicates
    that go far in one direction have a high value. Of a single well it is its length. Controls that stand for
    a block lie on the same plates, as many on each, where there are enough. Where all replicates share one
    position, so do the controls of each set, or the place on the plate would pass for an effect.

    Parameters
    ----------
    sphered : ndarray (n, F)
        Profiles sphered on the controls.
    plates : ndarray of int (n,)
    controls : ndarray of bool (n,)
    rows, starts : ndarray of int
        Wells of the replicate groups in compressed rows.
    positions : ndarray of str (n,)
        Place of each well on its plate, such as ``B03``.
    seed : int
        Of the control sets.

    Returns
    -------
    agreement : ndarray of float64 (T,)
        Mean cosine between replicates; NaN for single wells.
    p : ndarray of float64 (T,)
        Share of control sets with as high a statistic; NaN where no plate has controls.
    """
    exact = np.asarray(sphered, np.float64)
    length = np.linalg.norm(exact, axis=1)
    unit = exact / np.where(length > 0, length, 1)[:, None]
    members = {int(p): np.flatnonzero(controls & (plates == p)) for p in np.unique(plates)}
    nulls: dict[tuple[object, ...], NDArray[np.float64]] = {}
    n = len(starts) - 1
    agreement, p = np.full(n, np.nan), np.full(n, np.nan)
    for i, (start, stop) in enumerate(pairwise(starts)):
        own = rows[start:stop]
        size = len(own)
        if size > 1:
            total = unit[own].sum(axis=0)
            agreement[i] = (float(total @ total) - float((length[own] > 0).sum())) / (size * (size - 1))
        found, counts = np.unique(plates[own], return_counts=True)
        pattern = tuple(zip(found.tolist(), counts.tolist(), strict=True))
        one_place = size > 1 and len(found) == size and len(set(positions[own])) == 1
        key = (one_place, *pattern)
        if key not in nulls:
            null = _of_positions(unit, length, members, found, positions) if one_place else np.zeros(0)
            drawn = len(null) < FEWEST_POSITIONS
            nulls[key] = _null(unit, length, members, pattern, seed) if drawn else null
        null = nulls[key]
        if len(null):
            value = _statistic(unit[own], length[own])
            p[i] = (1 + np.count_nonzero(null >= value)) / (1 + len(null))
    return agreement, p


def _of_positions(
    unit: NDArray[np.float64],
    length: NDArray[np.float64],
    members: dict[int, NDArray[np.intp]],
    plates: NDArray[np.integer],
    positions: NDArray[np.object_],
) -> NDArray[np.float64]:
    """Statistic of each position that is a control on all of these plates."""
    at = [{positions[well]: well for well in members[int(plate)]} for plate in plates]
    shared = sorted(set.intersection(*(set(of_plate) for of_plate in at)))
    sets = (np.array([of_plate[position] for of_plate in at], np.intp) for position in shared)
    return np.array([_statistic(unit[wells], length[wells]) for wells in sets])


def _statistic(unit: NDArray[np.float64], length: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(unit.mean(axis=0)) * length.mean())


def _null(
    unit: NDArray[np.float64],
    length: NDArray[np.float64],
    members: dict[int, NDArray[np.intp]],
    pattern: tuple[tuple[int, int], ...],
    seed: int,
) -> NDArray[np.float64]:
    everywhere = np.concatenate([*members.values(), np.zeros(0, np.intp)])
    if not len(everywhere):
        return np.zeros(0)
    rng = np.random.default_rng([seed, 13, *(number for pair in pattern for number in pair)])
    out = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = [
            rng.choice(pool, count, replace=len(pool) < count)
            for plate, count in pattern
            for pool in (members[plate] if len(members[plate]) >= count else everywhere,)
        ]
        wells = np.concatenate(chosen)
        out[draw] = _statistic(unit[wells], length[wells])
    return out
