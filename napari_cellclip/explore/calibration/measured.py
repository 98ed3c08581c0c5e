"""What a calibration measures of a screen before any question, in arrays that can be kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.activity import activity
from napari_cellclip.explore.calibration.bank_cosines import BankCosines
from napari_cellclip.explore.calibration.nulls.control_null import ControlNull, Pattern, tail_tables
from napari_cellclip.explore.calibration.nulls.random_directions import (
    RandomDirections,
    SortedCosines,
    all_are_sorted,
)
from napari_cellclip.explore.calibration.nulls.tail_table import TailTable
from napari_cellclip.explore.calibration.replicates import ReplicateGroups
from napari_cellclip.explore.calibration.scale import PlateScale, over_prompts
from napari_cellclip.explore.vectors.well_vectors import GroupDirections, WellVectors

PATTERNS = 128
"""Nulls of control sets up to which a question goes through all of each; else some of each are kept, in a
:class:`~napari_cellclip.explore.calibration.nulls.tail_table.TailTable`."""

Tails = tuple[TailTable, NDArray[np.intp], NDArray[np.intp]]
"""A table, the treatments it speaks of, and the row of each."""


@dataclass(frozen=True)
class ToMeasure:
    """Wells, controls, replicates and prompts that measures rest on; names of treatments are not among them.

    Attributes
    ----------
    vectors : WellVectors
        Of the n wells.
    groups : ReplicateGroups
    plates : ndarray of int (n,)
        Plate of each well.
    names : sequence of str
        Plates.
    controls : ndarray of bool (n,)
        Negative controls.
    bank : ndarray of float32 (B, E)
        Unit embeddings of the background prompts.
    seed : int
        Of random directions and control sets.
    drawn : RandomDirections, optional
        Of that bank and seed, if they are drawn already.
    """

    vectors: WellVectors
    groups: ReplicateGroups
    plates: NDArray[np.intp]
    names: Sequence[str]
    controls: NDArray[np.bool_]
    bank: NDArray[np.float32]
    seed: int
    drawn: RandomDirections | None = None

    @cached_property
    def directions(self) -> RandomDirections:
        """Random directions of the bank."""
        return self.drawn or RandomDirections.of(self.bank, seed=self.seed)

    @property
    def cosines(self) -> BankCosines:
        """Cosines of the wells with the bank."""
        return BankCosines(self.vectors, self.bank)

    def control_null(self, scale: PlateScale) -> ControlNull:
        """Make the null of sets of controls, of which nothing is computed yet."""
        members = np.flatnonzero(self.controls & np.isfinite(scale.base)[self.plates])
        cosines = BankCosines(self.vectors, self.bank, members)
        return ControlNull(cosines, self.plates[members], scale, seed=self.seed)

    def patterns(self, null: ControlNull) -> dict[Pattern, list[int]]:
        """Find which treatments share a null, by their numbers of wells on each plate."""
        enough = [null.has_enough(plate) for plate in range(len(self.names))]
        patterns: dict[Pattern, list[int]] = {}
        for i, pattern in enumerate(self.groups.on_plates(self.plates)):
            if all(enough[plate] for plate, _ in pattern):
                patterns.setdefault(pattern, []).append(i)
        return patterns

    def directions_of(self, *, upward: bool = False) -> GroupDirections:
        """Mean vectors of the treatments; upward, of those with higher doses, with these."""
        groups = self.groups
        rows, starts = (groups.upward_rows, groups.upward_starts) if upward else (groups.rows, groups.starts)
        return self.vectors.group_directions(rows, starts)

    @property
    def digest(self) -> str:
        """SHA-256 of all that measures rest on."""
        digest = hashlib.sha256(self.vectors.digest.encode())
        digest.update(json.dumps([list(self.names), self.seed, self.bank.shape]).encode())
        groups = self.groups
        for array, kind in (
            *((self.bank, "<f4"), (self.plates, "<i8"), (self.controls, "u1"), (groups.rows, "<i8")),
            *((groups.starts, "<i8"), (groups.upward_rows, "<i8"), (groups.upward_starts, "<i8")),
            *((groups.higher, "u1"),),
        ):
            digest.update(len(array).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(array, kind).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Measured:
    """Measures of a screen that every question reads.

    Attributes
    ----------
    scale : PlateScale
    well_median, well_spread : ndarray of float32 (n,)
        Of each well's standard scores over the background prompts.
    lengths, upward_lengths : ndarray of float64 (T,), (U,)
        Length of the mean vector of each treatment; and with its higher doses, where there are any.
    own, above : SortedCosines or TailTable
        Cosines of those means with all random directions.
    activity : ndarray of float64 (T,)
        p of doing nothing at all.
    null_sizes : ndarray of int (T,)
        Number of null scores of each treatment; 0 where controls are too few.
    pooled : tuple of ndarray of float32
        Null scores of each pattern, if these are few.
    tails : tuple of Tails
        If they are many: tables of them.
    """

    scale: PlateScale
    well_median: NDArray[np.float32]
    well_spread: NDArray[np.float32]
    lengths: NDArray[np.float64]
    upward_lengths: NDArray[np.float64]
    own: SortedCosines | TailTable
    above: SortedCosines | TailTable
    activity: NDArray[np.float64]
    null_sizes: NDArray[np.intp]
    pooled: tuple[NDArray[np.float32], ...]
    tails: tuple[Tails, ...]

    def arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Hand over all arrays by name, and what else there is."""
        scale = self.scale
        tails: dict[str, NDArray[Any]] = {}
        for i, (table, members, rows) in enumerate(self.tails):
            tails |= {f"tail{i}": table.values, f"tail{i}_members": members, f"tail{i}_rows": rows}
        arrays: dict[str, NDArray[Any]] = {
            "compared_with": scale.compared_with,
            "base": scale.base,
            "chance": scale.chance,
            "well_median": self.well_median,
            "well_spread": self.well_spread,
            "lengths": self.lengths,
            "upward_lengths": self.upward_lengths,
            "own": _values(self.own),
            "above": _values(self.above),
            "activity": self.activity,
            "null_sizes": self.null_sizes,
            "pooled": np.concatenate([np.zeros(0, np.float32), *self.pooled]),
            **tails,
        }
        about = {
            "common": scale.common,
            "special": scale.special,
            "notes": list(scale.notes),
            "pooled": [len(scores) for scores in self.pooled],
            "tails": [table.n for table, _, _ in self.tails],
        }
        return arrays, about

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], asked: ToMeasure, directions: int
    ) -> Measured:
        """Make measures of arrays that were kept.

        Raises
        ------
        ValueError, KeyError, TypeError
            If they are not those of this screen: compiled loops believe sizes and positions.
        """
        n, plates = len(asked.vectors), len(asked.names)
        groups, higher = len(asked.groups), len(asked.groups.upward_starts) - 1

        def array(name: str, kind: type, *shape: int) -> NDArray[Any]:
            found = arrays[name]
            if found.dtype != kind or found.shape != shape:
                raise ValueError(f"{name} has shape {found.shape} and type {found.dtype}")
            return found

        def near(name: str, points: int) -> SortedCosines | TailTable:
            if all_are_sorted(points, directions):
                return SortedCosines(array(name, np.float32, points, directions))
            return table(name, directions, points)

        def table(name: str, size: int, rows: int) -> TailTable:
            empty = TailTable.empty(size, 0)
            return TailTable(empty.ranks, array(name, np.float32, rows, empty.values.shape[1]), size)

        def positions(name: str, below: int, length: int) -> NDArray[np.intp]:
            found = array(name, np.intp, length)
            if len(found) and not (found.min() >= 0 and found.max() < below):
                raise ValueError(f"{name} points beyond its table")
            return found

        tails = []
        for i, size in enumerate(about["tails"]):
            length, rows = len(arrays[f"tail{i}_members"]), len(arrays[f"tail{i}"])
            of = table(f"tail{i}", size, rows)
            tails.append(
                (of, positions(f"tail{i}_members", groups, length), positions(f"tail{i}_rows", rows, length))
            )
        ends = np.cumsum([0, *about["pooled"]])
        pooled = array("pooled", np.float32, int(ends[-1]))
        scale = PlateScale(
            asked.plates,
            array("compared_with", np.bool_, n),
            array("base", np.float64, plates),
            array("chance", np.float64, plates),
            float(about["common"]),
            float(about["special"]),
            tuple(str(note) for note in about["notes"]),
        )
        null = asked.control_null(scale)
        if not tails and list(about["pooled"]) != [null.size_of(p) for p in asked.patterns(null)]:
            raise ValueError("null scores of controls are not those of the treatments")
        return cls(
            scale,
            array("well_median", np.float32, n),
            array("well_spread", np.float32, n),
            array("lengths", np.float64, groups),
            array("upward_lengths", np.float64, higher),
            near("own", groups),
            near("above", higher),
            array("activity", np.float64, groups),
            array("null_sizes", np.intp, groups),
            tuple(np.split(pooled, ends[1:-1])) if len(ends) > 1 else (),
            tuple(tails),
        )


Measure = Callable[[ToMeasure], Measured]


def measure(asked: ToMeasure) -> Measured:
    """Measure a screen, some thousand wells or treatments at a time."""
    vectors, groups, directions = asked.vectors, asked.groups, asked.directions
    cosines = asked.cosines
    scale = PlateScale.of(cosines, asked.plates, asked.names, asked.controls)
    null = asked.control_null(scale)
    patterns = asked.patterns(null)
    sizes = np.zeros(len(groups), np.intp)
    for pattern, members in patterns.items():
        sizes[members] = null.size_of(pattern)
    many = len(patterns) > PATTERNS
    lengths, own = _against(asked, directions, upward=False)
    upward_lengths, above = _against(asked, directions, upward=True)
    return Measured(
        scale,
        *over_prompts(cosines, scale),
        lengths,
        upward_lengths,
        own,
        above,
        activity(vectors, asked.plates, asked.controls, asked.bank, groups.rows, groups.starts),
        sizes,
        () if many else tuple(null.of(pattern) for pattern in patterns),
        tuple(tail_tables(null, patterns)) if many else (),
    )


def _against(
    asked: ToMeasure, directions: RandomDirections, *, upward: bool
) -> tuple[NDArray[np.float64], SortedCosines | TailTable]:
    """Lengths of the treatments' mean vectors, and their cosines with random directions."""
    lengths = np.ones(len(asked.groups.upward_starts if upward else asked.groups.starts) - 1)

    def points() -> Iterator[NDArray[np.float32]]:
        for some, block, own in asked.directions_of(upward=upward):
            lengths[some] = own
            yield block

    return lengths, directions.against(points(), len(lengths))


def _values(near: SortedCosines | TailTable) -> NDArray[np.float32]:
    return near.cosines if isinstance(near, SortedCosines) else near.values
