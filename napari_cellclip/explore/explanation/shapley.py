"""Exact Shapley values: what each of a few players adds to a value, whatever the order in which they come."""

from __future__ import annotations

from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

MOST_PLAYERS = 12
"""Beyond this, evaluating every subset is out of question."""


def subsets(players: int) -> NDArray[np.bool_]:
    """Every subset of so many players, bool (2 ** players, players).

    Player ``i`` is in row ``k`` if bit ``i`` of ``k`` is set: the first row is nobody, the last everybody.

    Examples
    --------
    >>> subsets(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(1 << players)[:, None] >> np.arange(players) & 1).astype(bool)


def shapley_values(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share the value of everybody together fairly among the players (Shapley 1953).

    A player's share is the mean, over all orders in which the players may come, of what the value gains when
    it joins those before it. Shares add up to the value of everybody less that of nobody; players who always
    add the same get the same; one who never adds anything gets nothing.

    Parameters
    ----------
    values : ndarray (..., 2 ** n)
        Value of every subset of `n` players, in the order of :func:`subsets`.

    Returns
    -------
    ndarray of float64 (..., n)

    Raises
    ------
    ValueError
        If the last axis does not have one value for every subset.

    Examples
    --------
    >>> shapley_values(np.array([0.0, 1.0, 3.0, 10.0])).tolist()
    [4.0, 6.0]
    """
    exact = np.asarray(values, np.float64)
    players = int(exact.shape[-1]).bit_length() - 1 if exact.ndim else 0
    if not 1 <= players <= MOST_PLAYERS or exact.shape[-1] != 1 << players:
        raise ValueError(f"values of shape {exact.shape} are not those of all subsets of 1..{MOST_PLAYERS}")
    return np.asarray(exact @ _weights(players), np.float64)


@cache
def _weights(players: int) -> NDArray[np.float64]:
    """What the value of each subset counts for each player: (2 ** players, players)."""
    inside = subsets(players)
    size = inside.sum(axis=1)
    orders = [factorial(k) * factorial(players - k - 1) / factorial(players) for k in range(players)]
    # A subset with the player is what stands after it joined, one without it is what stood before.
    joined = np.array([0.0, *orders])[size][:, None]
    before = np.array([*orders, 0.0])[size][:, None]
    weights = np.where(inside, joined, -before)
    weights.flags.writeable = False
    return weights
