"""Test whether replicates of a treatment agree: does it do anything that control wells do not?"""

from __future__ import annotations

from itertools import pairwise
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model.prototypes.sphering import Sphering

DRAWS = 500
"""Exchanges of wells drawn for each treatment; the smallest p is 1 in 501."""

FEWEST_POSITIONS = 20
"""Positions that must be controls on all plates to stand for replicates that share a position."""

FEWEST_EXCHANGES = 100
"""Ways to exchange a treatment's wells with controls of its own plates, below which controls of all plates
take part: five controls could not give a single well a p below 1 in 6."""

MOST_IN_POOL = 600
"""Controls that a treatment's wells are exchanged with; more are thinned by a seeded draw."""

FEW_WELLS = 32
"""Replicates up to which products of pairs are looked up one by one, which is faster."""


def replicate_agreement(
    centred: NDArray[np.floating],
    plates: NDArray[np.integer],
    controls: NDArray[np.bool_],
    rows: NDArray[np.intp],
    starts: NDArray[np.intp],
    positions: NDArray[np.object_],
    *,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare the agreement of replicate wells with that of wells exchanged with controls.

    The statistic is the length of the mean of the wells' unit vectors times their mean length: replicates
    that go far in one direction have a high value. It is a permutation test: a treatment's wells and the
    negative controls of the same plates are exchanged, and nothing that is done to them before tells one from
    the other. Profiles are sphered on all wells, and each plate is centred on the mean of both; whitening on
    controls alone makes these shorter than any new well, and the error of their mean would pass for an
    effect that replicates share. So p holds however few controls there are; with few it cannot be small.
    Where fewer than `FEWEST_EXCHANGES` are possible, controls of all plates take part. Where all replicates
    share one position, so do the controls of each set, or the place on the plate would pass for an effect.

    Parameters
    ----------
    centred : ndarray (n, F)
        Profiles, each less a mean of its plate.
    plates : ndarray of int (n,)
    controls : ndarray of bool (n,)
    rows, starts : ndarray of int
        Wells of the replicate groups in compressed rows.
    positions : ndarray of str (n,)
        Place of each well on its plate, such as ``B03``.
    seed : int
        Of the exchanges.

    Returns
    -------
    agreement : ndarray of float64 (T,)
        Mean cosine between replicates; NaN for single wells.
    p : ndarray of float64 (T,)
        Share of exchanges with as high a statistic; NaN where there are no controls.
    """
    n = len(starts) - 1
    agreement, p = np.full(n, np.nan), np.full(n, np.nan)
    everywhere = np.flatnonzero(controls)
    if not n:
        return agreement, p
    sphered = Sphering.fit(centred, seed=seed)(centred)
    members = {int(plate): np.flatnonzero(controls & (plates == plate)) for plate in np.unique(plates)}
    exchanges: dict[tuple[tuple[int, int], ...], _Exchanges] = {}
    sets: dict[tuple[int, ...], NDArray[np.intp]] = {}
    for i, (start, stop) in enumerate(pairwise(starts)):
        own = rows[start:stop]
        own = own[np.argsort(plates[own], kind="stable")]
        found, counts = np.unique(plates[own], return_counts=True)
        pattern = tuple(zip(found.tolist(), counts.tolist(), strict=True))
        if pattern not in exchanges:
            exchanges[pattern] = _Exchanges(sphered, plates, members, everywhere, pattern, seed)
        made = exchanges[pattern]
        table, length = made.products(own)
        size, at = len(own), len(table) - len(own)
        if size > 1:
            inside = table[at:, at:]
            agreement[i] = (float(inside.sum()) - float((length[at:] > 0).sum())) / (size * (size - 1))
        if not len(everywhere):
            continue
        value = float(_statistics(table, length, np.arange(at, len(table))[None])[0])
        drawn = made.drawn
        if size > 1 and len(found) == size and len(set(positions[own])) == 1:
            key = tuple(found.tolist())
            if key not in sets:
                sets[key] = _at_positions(made.pool, plates, positions, found)
            if len(sets[key]) >= FEWEST_POSITIONS:
                drawn = sets[key]
        null = _statistics(table, length, drawn)
        p[i] = (1 + np.count_nonzero(null >= value * (1 - 1e-9))) / (1 + len(null))
    return agreement, p


def _at_positions(
    pool: NDArray[np.intp],
    plates: NDArray[np.integer],
    positions: NDArray[np.object_],
    found: NDArray[np.integer],
) -> NDArray[np.intp]:
    """List, by place in the pool, the wells of positions that are controls on all plates, (S, size)."""
    at = [
        {positions[pool[k]]: k for k in np.flatnonzero(plates[pool] == plate)} for plate in found
    ]  # fmt: skip
    shared = sorted(set.intersection(*(set(of_plate) for of_plate in at)))
    return np.array([[of_plate[position] for of_plate in at] for position in shared], np.intp).reshape(
        len(shared), len(found)
    )


def _statistics(
    table: NDArray[np.float64], length: NDArray[np.float64], drawn: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Compute the statistic of sets of wells, given the cosines between all and their lengths, (S,)."""
    if (size := drawn.shape[1]) <= FEW_WELLS:
        squared = table[drawn[:, :, None], drawn[:, None, :]].sum(axis=(1, 2))
    else:
        inside = np.zeros((len(drawn), len(table)))
        np.put_along_axis(inside, drawn, 1.0, axis=1)
        squared = ((inside @ table) * inside).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squared, 0)) / size * length[drawn].mean(axis=1), np.float64)


class _Exchanges:
    """Exchanges of a treatment's wells with controls, drawn once for all treatments that lie alike.

    Attributes
    ----------
    pool : ndarray of int (c,)
        The controls.
    drawn : ndarray of int (`DRAWS`, size)
        Sets of wells: places in the pool, and behind it those of the treatment's own in the order of plates.
    """

    def __init__(
        self,
        sphered: NDArray[np.float64],
        plates: NDArray[np.integer],
        members: dict[int, NDArray[np.intp]],
        everywhere: NDArray[np.intp],
        pattern: tuple[tuple[int, int], ...],
        seed: int,
    ) -> None:
        self.sphered, self.plates = sphered, plates
        rng = np.random.default_rng([seed, 13, *(number for pair in pattern for number in pair)])
        blocks = [(members[plate], count) for plate, count in pattern]
        if prod(comb(len(wells) + count, count) for wells, count in blocks) < FEWEST_EXCHANGES:
            blocks = [(everywhere, sum(count for _, count in pattern))]
        most = MOST_IN_POOL // len(blocks)
        blocks = [
            (wells if len(wells) <= most else np.sort(rng.choice(wells, most, replace=False)), count)
            for wells, count in blocks
        ]
        self.pool = np.concatenate([wells for wells, _ in blocks])
        drawn, controls_before, own_before = [], 0, len(self.pool)
        for wells, count in blocks:
            order = rng.random((DRAWS, len(wells) + count)).argsort(axis=1)[:, :count]
            own = order >= len(wells)
            drawn.append(np.where(own, order - len(wells) + own_before, order + controls_before))
            controls_before += len(wells)
            own_before += count
        self.drawn = np.concatenate(drawn, axis=1)
        self._among = sphered[self.pool] @ sphered[self.pool].T

    def products(self, own: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute cosines between the pool and a treatment's wells, and lengths, plates centred on both."""
        wells, n = np.concatenate([self.pool, own]), len(self.pool)
        table = np.empty((len(wells), len(wells)))
        table[:n, :n] = self._among
        table[n:, :n] = self.sphered[own] @ self.sphered[self.pool].T
        table[:n, n:] = table[n:, :n].T
        table[n:, n:] = self.sphered[own] @ self.sphered[own].T
        if n:
            _, plate = np.unique(self.plates[wells], return_inverse=True)
            share = np.eye(plate.max() + 1)[plate]
            mean = (share / share.sum(axis=0)).T
            table -= (mean @ table)[plate]
            table -= (table @ mean.T)[:, plate]
        length = np.sqrt(np.maximum(np.diag(table), 0))
        scale = np.where(length > 1e-9 * max(float(length.max(initial=0)), 1e-9), length, np.inf)
        return table / scale[:, None] / scale[None, :], length
