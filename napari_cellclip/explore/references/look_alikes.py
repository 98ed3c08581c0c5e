"""Compare the treatments of a screen with reference treatments, and those with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.replicates import ReplicateGroups, group_means
from napari_cellclip.explore.references.likeness.agreement import replicate_agreement
from napari_cellclip.explore.references.likeness.votes import (
    Votes,
    best_of_groups,
    soft_votes,
    structure_likeness,
)
from napari_cellclip.explore.references.profiles import WellProfiles
from napari_cellclip.explore.references.reference_set import SEPARATOR, ReferenceSet, shared_features
from napari_cellclip.model.prototypes.sphering import Sphering
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary.identity import (
    described_well,
    groups_of,
    names_without_structure,
    treatment_keys,
)


class Compared(Protocol):
    """Treatments beside references, and those references beside each other; see :class:`LookAlikes`."""

    rows: pd.DataFrame
    mechanisms: dict[str, NDArray[np.bool_]]
    genes: dict[str, NDArray[np.bool_]]
    annotated_mechanisms: tuple[frozenset[str], ...]
    annotated_genes: tuple[frozenset[str], ...]
    queries: Votes
    own: Votes
    same_treatment: NDArray[np.bool_]

    def __len__(self) -> int: ...


class LookAlikes:
    """Likeness of every treatment of a screen to every reference treatment; depends on no question.

    Parameters
    ----------
    wells : WellProfiles
        Of the screen that is asked.
    references : ReferenceSet
        Of the same space. Features that one of the two lacks are left out.
    seed : int
        Of the sphering, where controls are thinned.

    Attributes
    ----------
    replicates : ReplicateGroups
        Treatments and doses of the screen; rows are of `wells`.
    names : tuple of str (G,)
        Reference treatments, doses together.
    rows : DataFrame
        The reference rows in use, with ``group``: which reference treatment a row is a dose of.
    mechanisms : dict of str to ndarray of bool (G,)
        References of each mechanism.
    queries : Votes
        For the replicates.
    own : Votes
        For the reference rows themselves, each without its own treatment (leave one compound out).
    same_treatment : ndarray of bool (q, G)
        Which references are a replicate's own treatment, under any name.
    features : tuple of str
        What was compared.

    Raises
    ------
    CellClipError
        If the spaces differ or too few features are shared.
    """

    def __init__(self, wells: WellProfiles, references: ReferenceSet, *, seed: int = 0) -> None:
        shared = shared_features(
            [
                ("the references", references.space, references.features),
                ("the screen", wells.space, wells.features),
            ]
        )
        self.features = shared
        column = {name: i for i, name in enumerate(wells.features)}
        centred = wells.centred[:, [column[name] for name in shared]]
        used = references.restricted(shared).subset(references.active)
        self.sphering = Sphering.fit(np.concatenate([centred[wells.controls], used.controls]), seed=seed)
        self._centred = centred
        self.sphered = self.sphering(centred)
        self.replicates = ReplicateGroups.of(wells.wells, wells.plates)
        self.wells = wells
        table = used.treatments.copy()
        replicates = self.replicates
        firsts = wells.wells.iloc[replicates.rows[replicates.starts[:-1]]].to_dict("records")
        treated = [described_well(row) for row in firsts]
        unstructured = names_without_structure([*treated, *table.to_dict("records")])
        keys = [treatment_keys(row, unstructured) for row in table.to_dict("records")]
        group = groups_of(keys)
        table["group"] = group
        n = int(group.max(initial=-1)) + 1
        first = np.unique(group, return_index=True)[1]
        self.rows = table
        self.names = tuple(table["name"].to_numpy(object)[first])
        self._group_keys: list[set[str]] = [set() for _ in range(n)]
        for number, found in zip(group, keys, strict=True):
            self._group_keys[number] |= set(found)
        self.annotated_mechanisms = tuple(_union(table["mechanism"], group, n))
        self.annotated_genes = tuple(_union(table["genes"], group, n))
        self.kinds = tuple(table["kind"].to_numpy(object)[first])
        self.mechanisms = _members(self.annotated_mechanisms)
        self.genes = _members(self.annotated_genes)
        self.smiles = tuple(table["smiles"].to_numpy(object)[first])
        self._profiles = unit_rows(self.sphering(used.profiles), np.float64)
        means = (
            group_means(self.sphered, replicates.rows, replicates.starts)
            if len(replicates)
            else self.sphered[:0]
        )
        self.points = unit_rows(means, np.float64)
        self.treatment_keys = [treatment_keys(row, unstructured) for row in treated]
        positions = wells.positions
        places = [
            frozenset(positions[replicates.rows[a:b]])
            for a, b in zip(replicates.starts[:-1], replicates.starts[1:], strict=True)
        ]
        self.queries = self._votes(
            self.points, self.treatment_keys, places, [str(row["smiles"]) for row in treated]
        )
        own_places = [frozenset(str(text).split(SEPARATOR)) for text in table["positions"]]
        self.own = self._votes(self._profiles, keys, own_places, [str(s) for s in table["smiles"]])
        self.same_treatment = self._same(self.treatment_keys)

    def __len__(self) -> int:
        """Number of reference treatments."""
        return len(self.names)

    def agreement(self, *, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Test whether the replicates of each treatment agree: mean cosine and p, (q,) each."""
        wells, groups = self.wells, self.replicates
        return replicate_agreement(
            self._centred,
            wells.plates,
            wells.controls,
            groups.rows,
            groups.starts,
            wells.positions,
            seed=seed,
        )

    def members(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Mark reference treatments by any of the names that their sources give them, bool (G,)."""
        called = self.rows["name"].isin(set(names)).to_numpy()
        out = np.zeros(len(self), bool)
        out[self.rows["group"].to_numpy(np.intp)[called]] = True
        return out

    def well_scores(self, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Log mean vote of the members for each single well, by profiles, (n,)."""
        groups = self.rows["group"].to_numpy(np.intp)
        out = np.empty(len(self.sphered))
        same = np.zeros((len(out), len(self)), bool)
        for block, (a, b) in enumerate(
            zip(self.replicates.starts[:-1], self.replicates.starts[1:], strict=True)
        ):
            same[self.replicates.rows[a:b]] = ~self.queries.allowed[block]
        step = max(1, (1 << 22) // max(len(groups), 1))
        for start in range(0, len(out), step):
            part = slice(start, start + step)
            likeness = best_of_groups(
                unit_rows(self.sphered[part], np.float64) @ self._profiles.T, groups, len(self)
            )
            allowed = ~same[part]
            votes = soft_votes(np.where(allowed, likeness, -np.inf))
            out[part] = Votes(likeness, allowed, votes, None).looks(members)
        return out

    def nearest_likeness(self, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Cosine of each well with the likest member that is not its own treatment, (n,); NaN without one."""
        inside = members[self.rows["group"].to_numpy(np.intp)]
        if not inside.any():
            return np.full(len(self.sphered), np.nan)
        groups = self.rows["group"].to_numpy(np.intp)[inside]
        likeness = unit_rows(self.sphered, np.float64) @ self._profiles[inside].T
        if len(self.replicates):
            own = ~self.queries.allowed[self.replicates.of_row]
            rows = self.replicates.rows
            likeness[rows] = np.where(own[:, groups], -np.inf, likeness[rows])
        best = likeness.max(axis=1)
        return np.where(np.isfinite(best), best, np.nan)

    def _votes(
        self,
        unit: NDArray[np.float64],
        keys: Sequence[tuple[str, ...]],
        places: Sequence[frozenset[str]],
        smiles: Sequence[str],
    ) -> Votes:
        groups = self.rows["group"].to_numpy(np.intp)
        n = len(self)
        likeness = unit @ self._profiles.T if len(unit) else np.zeros((0, len(groups)))
        row_places = [frozenset(str(text).split(SEPARATOR)) for text in self.rows["positions"]]
        by_place: dict[frozenset[str], list[int]] = {}
        for i, place in enumerate(row_places):
            if len(place) == 1 and place != {""}:
                by_place.setdefault(place, []).append(i)
        for q, place in enumerate(places):
            if len(place) == 1 and place in by_place:
                likeness[q, by_place[place]] = -np.inf
        best = best_of_groups(likeness, groups, n)
        allowed = np.isfinite(best) & ~self._same(keys)
        profiles = soft_votes(np.where(allowed, best, -np.inf))
        built = structure_likeness(smiles, self.smiles)
        structures = None
        if built is not None:
            known = allowed & np.isfinite(built)
            structures = np.where(known, soft_votes(np.where(known, built, -np.inf)), np.nan)
        return Votes(best, allowed, profiles, structures)

    def _same(self, keys: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
        """Tell which references are the same treatment as each query, bool (q, G)."""
        holder: dict[str, list[int]] = {}
        for number, found in enumerate(self._group_keys):
            for key in found:
                holder.setdefault(key, []).append(number)
        same = np.zeros((len(keys), len(self)), bool)
        for q, own in enumerate(keys):
            for key in own:
                same[q, holder.get(key, [])] = True
        return same


def _union(column: pd.Series, group: NDArray[np.intp], n: int) -> list[frozenset[str]]:
    out: list[set[str]] = [set() for _ in range(n)]
    for number, text in zip(group, column, strict=True):
        out[number] |= {part.strip() for part in str(text).split(SEPARATOR) if part.strip()}
    return [frozenset(found) for found in out]


def _members(annotations: Sequence[frozenset[str]]) -> dict[str, NDArray[np.bool_]]:
    every = sorted(set().union(*annotations)) if annotations else []
    return {name: np.array([name in found for found in annotations], bool) for name in every}
