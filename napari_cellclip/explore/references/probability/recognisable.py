"""Test whether a mechanism can be recognised: do its reference treatments find each other?"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.references.look_alikes import Compared, LookAlikes
from napari_cellclip.screen import Progress
from napari_cellclip.screen.progress import finished

PERMUTATIONS = 999
"""Random sets of references; the smallest p is 1 in 1,000."""

OPEN = 0.05
"""p up to which a mechanism counts as recognisable."""

FEWEST = 2
"""References of which a likeness can be told."""

FEWEST_TO_OPEN = 3
"""References that a mechanism must have to be recognisable. Two have a single likeness:
that few pairs reach it tells that these two are alike, and nothing about a third."""


@dataclass(frozen=True)
class Recognisable:
    """Test of how well the references of a mechanism find each other, each compound left out in turn.

    Attributes
    ----------
    references : int
        Compounds or genes that carry it.
    precision : float
        Average precision of ranking all annotated references by the mean vote of the others of the set; NaN
        for fewer than two.
    chance : float
        Mean of the same over random sets of references of that size.
    p : float
        Share of random sets at least as good, itself counted; 1 for fewer than two references.
    """

    references: int
    precision: float
    chance: float
    p: float

    @property
    def open(self) -> bool:
        """Whether a match for it can be significant."""
        return self.references >= FEWEST_TO_OPEN and self.p <= OPEN


def recognisable(look_alikes: LookAlikes, members: NDArray[np.bool_], *, seed: int = 0) -> Recognisable:
    """Test one set of references against random sets of the same size, by profiles alone.

    Parameters
    ----------
    look_alikes : LookAlikes
    members : ndarray of bool (G,)
        References that carry what is asked.
    seed : int
        Of the random sets.

    Returns
    -------
    Recognisable
    """
    size = int(members.sum())
    if size < FEWEST:
        return Recognisable(size, float("nan"), float("nan"), 1.0)
    votes, candidates = _annotated_votes(look_alikes)
    if candidates[members].all():
        observed = float(set_precisions(votes, members[candidates][None])[0])
        null = _NULLS.setdefault(look_alikes, {}).get((size, seed))
        if null is None:
            null = _NULLS[look_alikes][size, seed] = _random_sets(votes, size, seed)
    else:
        pool = np.flatnonzero(candidates | members)
        among = group_votes(look_alikes)[0][np.ix_(pool, pool)]
        observed = float(set_precisions(among, members[pool][None])[0])
        null = _random_sets(among, size, seed)
    p = (1 + np.count_nonzero(null >= observed - 1e-12)) / (1 + PERMUTATIONS)
    return Recognisable(size, observed, float(null.mean()), float(p))


_VOTES: WeakKeyDictionary[LookAlikes, tuple[NDArray[np.float64], NDArray[np.bool_]]] = WeakKeyDictionary()
_NULLS: WeakKeyDictionary[LookAlikes, dict[tuple[int, int], NDArray[np.float64]]] = WeakKeyDictionary()
"""Precisions of random sets by their size and seed: all mechanisms of as many references share them."""


def _annotated_votes(look_alikes: LookAlikes) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Votes of the annotated references for each other, and which they are; made once."""
    found = _VOTES.get(look_alikes)
    if found is None:
        votes, annotated = group_votes(look_alikes)
        found = _VOTES[look_alikes] = votes[np.ix_(annotated, annotated)], annotated
    return found


def _random_sets(votes: NDArray[np.float64], size: int, seed: int) -> NDArray[np.float64]:
    """Precision of random sets of references, (`PERMUTATIONS`,)."""
    rng = np.random.default_rng([seed, 14, size])
    drawn = np.zeros((PERMUTATIONS, len(votes)), bool)
    for row in drawn:
        row[rng.choice(len(votes), size, replace=False)] = True
    return set_precisions(votes, drawn)


def group_votes(
    look_alikes: Compared, *, structures: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Average the votes for the doses of each reference treatment: (G, G), and which are annotated (G,)."""
    groups = look_alikes.rows["group"].to_numpy(np.intp)
    n = len(look_alikes)
    total = np.zeros((n, n))
    votes = look_alikes.own.structures if structures else look_alikes.own.profiles
    assert votes is not None
    np.add.at(total, groups, np.nan_to_num(votes))
    total /= np.bincount(groups, minlength=n)[:, None]
    annotated = np.array(
        [
            bool(mechanisms or genes)
            for mechanisms, genes in zip(
                look_alikes.annotated_mechanisms, look_alikes.annotated_genes, strict=True
            )
        ]
    )
    return total, annotated


def table_of_mechanisms(look_alikes: LookAlikes, *, least: int = FEWEST, seed: int = 0) -> pd.DataFrame:
    """Test every mechanism of the references: what can this assay see?

    Returns
    -------
    DataFrame
        Indexed by mechanism, best first: ``references``, ``precision``, ``chance``, ``p``, ``q``,
        ``recognisable`` and the ``names`` of the references. p and ``recognisable`` say it of each mechanism
        alone; q is the false-discovery rate over all that are listed (Benjamini-Hochberg). Two references are
        never recognisable: their p rests on a single likeness.
    """
    return finished(iter_table_of_mechanisms(look_alikes, least=least, seed=seed))


def iter_table_of_mechanisms(
    look_alikes: LookAlikes, *, least: int = FEWEST, seed: int = 0
) -> Generator[Progress, None, pd.DataFrame]:
    """Test every mechanism, as :func:`table_of_mechanisms`, with progress; may be closed at any step."""
    rows = []
    tested = {n: members for n, members in look_alikes.mechanisms.items() if members.sum() >= least}
    for number, (name, members) in enumerate(tested.items()):
        yield Progress(number, len(tested), f"Testing {name}", stage="mechanisms")
        found = recognisable(look_alikes, members, seed=seed)
        names = ", ".join(np.array(look_alikes.names, object)[members])
        rows.append((name, found.references, found.precision, found.chance, found.p, found.open, names))
    columns = ["mechanism", "references", "precision", "chance", "p", "recognisable", "names"]
    table = pd.DataFrame(rows, columns=columns).set_index("mechanism")
    table.insert(4, "q", benjamini_hochberg(table["p"].to_numpy(float)))
    return table.sort_values(["p", "precision"], ascending=[True, False], kind="stable")


def set_precisions(votes: NDArray[np.float64], sets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the average precision of finding each set's members by the mean vote of its others, (S,)."""
    member = sets.astype(np.float64)
    # (S, G): the vote of a reference for itself is 0
    total = votes[:, sets[0]].sum(axis=1)[None] if len(sets) == 1 else member @ votes.T
    others = member.sum(axis=1, keepdims=True) - member
    score = total / np.maximum(others, 1)
    order = np.argsort(-score, axis=1, kind="stable")
    hit = np.take_along_axis(sets, order, axis=1)
    rank = np.arange(1, sets.shape[1] + 1)
    precision = np.cumsum(hit, axis=1) / rank
    return np.asarray((precision * hit).sum(axis=1) / hit.sum(axis=1), np.float64)
