"""Split wells into those a model learns from and those it is tested on.

There is no split by well position. Replicate plates share one layout, so a position is one treatment on all
of them; where a treatment has several positions, such a split puts it on both sides, and where it has one,
the split is by compound under a worse name. Either way what is measured hangs on how the plate was laid out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import get_args

import numpy as np
import pandas as pd

from napari_cellclip.training.data.treatments import By, split_keys, treatment_groups
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.identity import role_of

PARTS = ("train", "validation", "test")

SPLIT_WELLS = "split_wells"
"""Key of a card's ``training`` for the digests of the wells of each part (see `Split.digests`)."""


@dataclass(frozen=True, slots=True)
class Split:
    """Well ids by what they are for.

    Attributes
    ----------
    train, validation, test : tuple of str
        Well ids, in the order of the wells that were split.
    by : str
        What was kept together.
    seed : int
        What decided.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    by: str = "compound"
    seed: int = field(default=0, kw_only=True)

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The three parts by name."""
        return {name: getattr(self, name) for name in PARTS}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 (hex) of the sorted well ids of each part, one a line: tells splits apart without lists."""
        return {
            name: hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
            for name, ids in self.parts.items()
        }


def split_wells(
    wells: pd.DataFrame,
    by: By = "compound",
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
) -> Split:
    """Divide wells into training, validation and test.

    Parameters
    ----------
    wells : DataFrame
        `Screen.wells`, of one screen or of several joined by ``pd.concat``.
    by : {"compound", "scaffold", "plate"}
        What stays together: all wells of a treatment (one compound under all its names and spellings, one
        gene), all compounds of one scaffold, or all wells of a plate. By plate the same treatments are on all
        sides: it measures how well *seen* compounds are found again, and where plates share a layout a model
        may do so by remembering positions. Report it under that name only.
    fractions : sequence of 3 float
        Shares of training, validation and test, by number of treatments (or plates).
    seed : int
        The same wells, settings and seed give the same split, whatever the order of the wells.

    Returns
    -------
    Split
        Wells whose plate map says nothing, and empty ones, are in no part. Negative controls are in all: they
        are divided by the same shares on each plate (by plate: they go with it).

    Raises
    ------
    CellClipError
        If there are too few treatments for the parts asked for, a well comes twice, or scaffolds are asked
        for and RDKit is absent.
    """
    shares = np.asarray(fractions, float)
    if shares.shape != (3,) or not (np.isfinite(shares).all() and shares.min() >= 0 and shares.sum() > 0):
        raise CellClipError(
            f"a split needs three shares (training, validation, test) of at least 0, not {list(fractions)}"
        )
    shares = shares / shares.sum()
    part_of = _divide(wells, by, shares, seed)
    return _split(wells, part_of, by, seed)


def folds(
    wells: pd.DataFrame, by: By = "compound", n: int = 5, seed: int = 0, *, validation: float = 0.125
) -> list[Split]:
    """Divide wells so that each treatment is tested once.

    Parameters
    ----------
    wells, by, seed
        As in `split_wells`.
    n : int
        Number of folds.
    validation : float
        Share of what is not tested that goes to validation; 0 leaves none.

    Returns
    -------
    list of Split
        One for each fold; their tests are disjoint and together hold every treatment.

    Raises
    ------
    CellClipError
        If there are fewer treatments than folds, or as in `split_wells`.
    """
    if n < 2:
        raise CellClipError(f"cross-validation needs at least 2 folds, not {n}")
    if not 0 <= validation < 1:
        raise CellClipError(f"the share of validation is at least 0 and below 1, not {validation:g}")
    fold_of = _divide(wells, by, np.full(n, 1 / n), seed)
    found = []
    for tested in range(n):
        rest = wells[[fold_of.get(str(well)) not in (None, tested) for well in wells.index]]
        inner = _divide(rest, by, np.array([1 - validation, validation]), seed)
        held = {well: 2 for well, fold in fold_of.items() if fold == tested}
        found.append(_split(wells, {**inner, **held}, by, seed))
    return found


def refuse_leakage(split: Split, wells: pd.DataFrame) -> None:
    """Make sure that no treatment is on both sides of a split, under whatever name.

    Parameters
    ----------
    split : Split
        Made here or read from a list.
    wells : DataFrame
        The wells it divides, as in `split_wells`.

    Raises
    ------
    CellClipError
        If nothing is left to train on, a well is unknown or in two parts, or two parts share a treatment (by
        name, by structure, by gene), a scaffold if ``split.by`` is ``"scaffold"``, or, if it is ``"plate"``,
        a plate instead. Negative controls may be anywhere.
    """
    _require_unique(wells)
    if not split.train:
        raise CellClipError("the split leaves no well to train on: give training a larger share")
    part_of: dict[str, str] = {}
    for name, ids in split.parts.items():
        for well in ids:
            if well not in wells.index:
                raise CellClipError(f"the {name} part names {well}, which these screens do not have")
            if part_of.setdefault(well, name) != name:
                raise CellClipError(f"well {well} is in {part_of[well]} and in {name}: leave it in one")
    seen: dict[str, dict[str, str]] = {name: {} for name in PARTS}
    keys = split_keys(wells, split.by)
    for well, name in part_of.items():
        for key in keys[well]:
            seen[name].setdefault(key, well)
    leaks: dict[tuple[str, str], str] = {}
    for one, other in combinations(PARTS, 2):
        for key in sorted(set(seen[one]) & set(seen[other])):
            here, there = seen[one][key], seen[other][key]
            what = "the same " + key.split(" ")[0]
            leaks.setdefault(
                (here, there),
                f"{_described(wells, here)} in {one} and {_described(wells, there)} in {other} have {what}",
            )
    if leaks:
        more = f", and {len(leaks) - 3} more" if len(leaks) > 3 else ""
        raise CellClipError(
            f"the split leaks: {'; '.join(list(leaks.values())[:3])}{more}: move these wells to one side, or "
            "let split_wells divide them"
        )


def _described(wells: pd.DataFrame, well: str) -> str:
    row = wells.loc[well]
    name = row.get("Metadata_treatment") or row.get("Metadata_genes") or row.get("Metadata_smiles")
    return f"{name} ({well})"


def _divide(wells: pd.DataFrame, by: By, shares: np.ndarray, seed: int) -> dict[str, int]:
    """Number of the part of each well that is of use."""
    if by not in get_args(By):
        raise CellClipError(
            f"wells are split by {', '.join(get_args(By))}, not by {by!r}"
            + (": replicate plates share one layout" if "position" in by else "")
        )
    _require_unique(wells)
    roles = {str(well): role_of(row) for well, row in wells.iterrows()}
    treated = wells[[roles[str(well)] == "treatment" for well in wells.index]]
    controls = wells[[roles[str(well)] == "negative control" for well in wells.index]]
    if by == "plate":
        used = wells[[roles[str(well)] != "nothing" for well in wells.index]]
        return _dealt(treatment_groups(used, by), {}, shares, seed, "plates")
    groups = treatment_groups(treated, by)
    names = treatment_groups(treated, "compound")
    compounds: dict[int, set[int]] = {}
    for well, group in groups.items():
        compounds.setdefault(group, set()).add(names[well])
    sizes = {group: len(members) for group, members in compounds.items()}
    what = "scaffolds" if by == "scaffold" else "treatments"
    part_of = _dealt(groups, sizes, shares, seed, what)
    for number, (_, plate) in enumerate(controls.groupby("Metadata_Plate", sort=True)):
        rng = np.random.default_rng([seed, 1, number])
        ids = rng.permutation(sorted(map(str, plate.index)))
        ends = np.round(np.cumsum(shares) * len(ids)).astype(int)
        part_of |= {str(well): int(np.searchsorted(ends, place, "right")) for place, well in enumerate(ids)}
    return part_of


def _dealt(
    groups: Mapping[str, int], sizes: Mapping[int, int], shares: np.ndarray, seed: int, what: str
) -> dict[str, int]:
    """Deal groups out to parts, in random order, each to the part that lacks most of its share."""
    numbers = sorted(set(groups.values()))
    asked = np.flatnonzero(shares > 0)
    if len(numbers) < len(asked):
        raise CellClipError(
            f"{len(asked)} parts cannot be made of {len(numbers)} {what}: add wells with a treatment in"
            " the plate map, or ask for fewer parts"
        )
    size = np.array([sizes.get(number, 1) for number in numbers], float)
    wanted, got = shares * size.sum(), np.zeros(len(shares))
    part_of: dict[int, int] = {}
    order = np.random.default_rng([seed, 0]).permutation(len(numbers))
    for left, place in zip(range(len(order), 0, -1), order, strict=True):
        empty = asked[got[asked] == 0]
        # No part that was asked for stays empty, however small its share.
        candidates = empty if left <= len(empty) else asked
        part = int(candidates[np.argmax((wanted - got)[candidates])])
        part_of[numbers[place]] = part
        got[part] += size[place]
    return {well: part_of[group] for well, group in groups.items()}


def _split(wells: pd.DataFrame, part_of: Mapping[str, int], by: str, seed: int) -> Split:
    parts: list[list[str]] = [[], [], []]
    for well in map(str, wells.index):
        if well in part_of:
            parts[part_of[well]].append(well)
    train, validation, test = map(tuple, parts)
    return Split(train, validation, test, by, seed=seed)


def _require_unique(wells: pd.DataFrame) -> None:
    if not wells.index.is_unique:
        twice = wells.index[wells.index.duplicated()][0]
        raise CellClipError(f"well {twice} comes twice: rename one of the plates of this name")
