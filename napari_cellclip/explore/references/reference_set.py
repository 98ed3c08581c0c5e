"""Reference sets: treatments whose identity is known, with consensus profiles and their control wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.replicates import ReplicateGroups, group_means
from napari_cellclip.explore.references.likeness.agreement import replicate_agreement
from napari_cellclip.explore.references.profiles import WellProfiles
from napari_cellclip.model.prototypes.sphering import MOST_CONTROLS
from napari_cellclip.vocabulary import CellClipError, Kind

COLUMNS = (
    *("name", "kind", "smiles", "inchikey", "mechanism", "genes", "dose", "cell_line", "source"),
    *("wells", "plates", "positions", "agreement", "agreement_p"),
)
"""Of the table of reference treatments."""

ACTIVE = 0.05
"""p of replicate agreement up to which a dose is said to do something."""

FEWEST_SHARED = 50
"""Features that sets must share to be compared."""

SEPARATOR = "|"
"""Between several mechanisms, genes or positions in one cell."""


@dataclass(frozen=True)
class ReferenceSource:
    """Source of reference treatments.

    Attributes
    ----------
    name : str
    cell_line : str
    hours : float or None
        Time between treatment and fixation.
    licence, attribution : str
        Of the data, shown wherever they are used.
    """

    name: str
    cell_line: str = ""
    hours: float | None = None
    licence: str = ""
    attribution: str = ""


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Reference treatments of one or more sources in one feature space.

    Attributes
    ----------
    treatments : DataFrame
        One row for each treatment and dose, columns `COLUMNS`: ``mechanism`` and ``genes`` parted by ``|``,
        ``dose`` in micromolar (NaN where unknown), ``source``, number of ``wells`` and ``plates``,
        ``positions`` on the plates, and ``agreement`` of the replicates with its ``agreement_p``.
    profiles : ndarray of float32 (R, F)
        Mean of a treatment's wells, each less the mean of its plate's negative controls.
    controls : ndarray of float32 (C, F)
        Negative control wells of the sources, centred alike.
    features : tuple of str
    space : str
        See :class:`~napari_cellclip.explore.references.profiles.WellProfiles`.
    sources : tuple of ReferenceSource
    """

    treatments: pd.DataFrame
    profiles: NDArray[np.float32]
    controls: NDArray[np.float32]
    features: tuple[str, ...]
    space: str
    sources: tuple[ReferenceSource, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.treatments)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Mask of the rows that are used: doses whose replicates agree, bool (R,).

        A treatment of which no dose does keeps its highest one, or it could not be told from one that is
        not there. Where agreement cannot be told (one well) a row is used.
        """
        p = self.treatments["agreement_p"].to_numpy(float)
        active = ~(p > ACTIVE)
        doses = self.treatments["dose"].fillna(-1.0)
        keys = [self.treatments[c] for c in ("source", "kind", "name", "cell_line")]
        for rows in doses.groupby(keys, sort=False).indices.values():
            if not active[rows].any():
                active[rows[np.argmax(doses.to_numpy()[rows])]] = True
        return np.asarray(active, bool)

    @classmethod
    def of_wells(
        cls, wells: WellProfiles, source: ReferenceSource, *, known_only: bool = True, seed: int = 0
    ) -> ReferenceSet:
        """Build a set from the treatments that a plate map names.

        Parameters
        ----------
        wells : WellProfiles
            Of a screen.
        source : ReferenceSource
            What to call it.
        known_only : bool
            Leave out treatments of which the plate map says neither mechanism nor gene.
        seed : int
            Of the test of replicate agreement.

        Raises
        ------
        CellClipError
            If the plate map names no treatment.
        """
        replicates = ReplicateGroups.of(wells.wells, wells.plates)
        centred = wells.centred
        table = _treatments(wells, replicates, source)
        known = table["name"] != ""
        if known_only:
            known &= (table["mechanism"] != "") | (table["genes"] != "")
        if not known.any():
            raise CellClipError(
                f"{source.name} names no treatment with a mechanism or target: add the"
                " columns treatment and mechanism (or genes), or an annotation table"
            )
        controls = centred[wells.controls]
        agreement, p = replicate_agreement(
            centred,
            wells.plates,
            wells.controls,
            replicates.rows,
            replicates.starts,
            wells.positions,
            seed=seed,
        )
        table["agreement"], table["agreement_p"] = agreement, p
        if len(controls) > MOST_CONTROLS:
            chosen = np.random.default_rng([seed, 12]).choice(len(controls), MOST_CONTROLS, replace=False)
            controls = controls[np.sort(chosen)]
        keep = known.to_numpy()
        return cls(
            table[keep].reset_index(drop=True),
            group_means(centred, replicates.rows, replicates.starts)[keep].astype(np.float32),
            controls.astype(np.float32),
            wells.features,
            wells.space,
            (source,),
        )

    def restricted(self, features: Sequence[str]) -> ReferenceSet:
        """Return the set with these of its features, in this order."""
        if tuple(features) == self.features:
            return self
        column = {name: i for i, name in enumerate(self.features)}
        at = [column[name] for name in features]
        return ReferenceSet(
            self.treatments,
            self.profiles[:, at],
            self.controls[:, at],
            tuple(features),
            self.space,
            self.sources,
        )

    def subset(self, rows: NDArray[np.bool_]) -> ReferenceSet:
        """Return the set with some of its rows; all controls stay."""
        return ReferenceSet(
            self.treatments[rows].reset_index(drop=True),
            self.profiles[rows],
            self.controls,
            self.features,
            self.space,
            self.sources,
        )


def joined(sets: Sequence[ReferenceSet]) -> ReferenceSet:
    """Put sets together on the features that all of them have.

    Raises
    ------
    CellClipError
        If they are of different spaces, or share fewer than `FEWEST_SHARED` features.
    """
    if not sets:
        raise CellClipError("there are no reference treatments: name a screen or a reference file")
    shared = shared_features([(s.sources[0].name if s.sources else "", s.space, s.features) for s in sets])
    parts = [s.restricted(shared) for s in sets]
    return ReferenceSet(
        pd.concat([part.treatments for part in parts], ignore_index=True),
        np.concatenate([part.profiles for part in parts]),
        np.concatenate([part.controls for part in parts]),
        shared,
        parts[0].space,
        tuple(source for part in parts for source in part.sources),
    )


def shared_features(parts: Sequence[tuple[str, str, tuple[str, ...]]]) -> tuple[str, ...]:
    """List the features that all parts have, in the order of the first.

    Parameters
    ----------
    parts : sequence of (str, str, tuple of str)
        Name, space and features of each.

    Raises
    ------
    CellClipError
        If spaces differ or too few features are shared.
    """
    name, space, features = parts[0]
    common = set(features)
    for other, other_space, other_features in parts[1:]:
        if other_space != space:
            raise CellClipError(
                f"{other} has {_words(other_space)} and {name} has {_words(space)}: reference treatments must"
                " be measured as the wells are; encode both with the same model"
            )
        common &= set(other_features)
    # Sets that measure the very same may have fewer; that is a choice, not a misfit.
    if len(common) < FEWEST_SHARED and any(set(part[2]) != common for part in parts):
        raise CellClipError(
            f"only {len(common)} features are shared by {', '.join(p[0] for p in parts)}; {FEWEST_SHARED} are"
            " needed to compare profiles"
        )
    return tuple(feature for feature in features if feature in common)


def _words(space: str) -> str:
    return f"features of the {space}" if space.startswith("encoder") else space


def _treatments(wells: WellProfiles, replicates: ReplicateGroups, source: ReferenceSource) -> pd.DataFrame:
    first = wells.wells.iloc[replicates.rows[replicates.starts[:-1]]]

    def column(name: str) -> list[str]:
        if name not in first:
            return [""] * len(first)
        return [str(value).strip() if value == value else "" for value in first[name].fillna("")]

    kinds = column("Metadata_kind")
    return pd.DataFrame(
        {
            "name": column("Metadata_treatment"),
            "kind": [kind or str(Kind.COMPOUND) for kind in kinds],
            "smiles": column("Metadata_smiles"),
            "inchikey": column("Metadata_InChIKey"),
            "mechanism": column("Metadata_mechanism"),
            "genes": column("Metadata_genes"),
            "dose": replicates.table["dose"].to_numpy(float),
            "cell_line": [text or source.cell_line for text in column("Metadata_cell_line")],
            "source": source.name,
            "wells": replicates.table["n_wells"].to_numpy(int),
            "plates": replicates.table["n_plates"].to_numpy(int),
            "positions": _positions(wells, replicates),
        }
    )


def _positions(wells: WellProfiles, replicates: ReplicateGroups) -> list[str]:
    """Distinct positions of each block's wells, such as ``B03|C07``."""
    at = wells.positions
    ends = zip(replicates.starts[:-1], replicates.starts[1:], strict=True)
    return [SEPARATOR.join(sorted(set(at[replicates.rows[start:stop]]))) for start, stop in ends]
