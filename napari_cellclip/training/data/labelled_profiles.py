"""Labelled profiles of a screen: what a head that is fitted in closed form learns from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model.card import FEATURES_FILE
from napari_cellclip.model.prototypes.fitting import rows_of
from napari_cellclip.model.prototypes.profile_sets import ProfileSet
from napari_cellclip.model.prototypes.sphering import MOST_CONTROLS
from napari_cellclip.screen import Screen
from napari_cellclip.training.data.platemap_captions import parts
from napari_cellclip.training.data.screen_bags import treatment_names
from napari_cellclip.vocabulary import STAINS, CellClipError, split_id


def profile_set(
    screen: Screen,
    wells: Collection[str] | None = None,
    *,
    name: str = "",
    most_controls: int = MOST_CONTROLS,
    seed: int = 0,
) -> ProfileSet:
    """Collect the labelled treatments of a screen of measured profiles.

    The wells of a treatment and dose, over all plates, become one profile: their mean, each less the mean of
    its plate's negative controls.

    Parameters
    ----------
    screen : Screen
        Imported profiles; several plates stay comparable, since each was standardised on its own controls.
    wells : collection of str, optional
        Ids of the wells to learn from; all where not given.
    name : str
        Of the set; the screen's where not given.
    most_controls : int
        Control wells that are kept, drawn by `seed`.
    seed : int

    Raises
    ------
    CellClipError
        If the screen holds no measured profiles, no negative controls, or no treatment with a mechanism.
    """
    features, values, ids = _named(screen)
    rows = screen.wells.loc[list(ids)]
    control = (rows["Metadata_control_type"] == "negcon").to_numpy(bool)
    chosen = np.array([wells is None or well in wells for well in ids], bool)
    plates = np.array([split_id(well)[0] for well in ids], object)
    centred = np.asarray(values, np.float64)
    for plate in dict.fromkeys(plates.tolist()):
        own = plates == plate
        if not (own & control).any():
            raise CellClipError(
                f"plate {plate} of {screen.name} has no negative controls: name them in the plate map"
            )
        centred[own] -= centred[own & control].mean(axis=0)
    names = treatment_names(screen.wells)
    members: dict[tuple[str, float], list[int]] = {}
    labels: dict[tuple[str, float], dict[str, None]] = {}
    for row, (well, mechanism, dose) in enumerate(
        zip(ids, rows["Metadata_mechanism"], rows["Metadata_dose"], strict=True)
    ):
        if chosen[row] and well in names and (named := parts(str(mechanism))):
            key = (names[well], float(dose) if dose == dose else 0.0)
            members.setdefault(key, []).append(row)
            labels.setdefault(key, {}).update(dict.fromkeys(named))
    if not members:
        raise CellClipError(
            f"screen {screen.name} has no treatment with a mechanism to learn: import it with annotations"
        )
    at = np.flatnonzero(control & chosen) if (control & chosen).any() else np.flatnonzero(control)
    if len(at) > most_controls:
        at = np.sort(np.random.default_rng([seed, 5]).choice(at, most_controls, replace=False))
    return ProfileSet(
        name or screen.name,
        features,
        np.stack([centred[of].mean(axis=0) for of in members.values()]).astype(np.float32),
        tuple(tuple(labels[key]) for key in members),
        centred[at].astype(np.float32),
        treatments=tuple(name for name, _ in members),
    )


def joined(sets: Collection[ProfileSet], name: str) -> ProfileSet:
    """Join sets that measured the same features, such as time points of one assay, into one."""
    first, *others = sets
    if any(other.features != first.features for other in others):
        raise CellClipError(f"the sets of {name} measure different features: keep them apart")
    return replace(
        first,
        name=name,
        profiles=np.concatenate([found.profiles for found in sets]),
        labels=tuple(labels for found in sets for labels in found.labels),
        controls=np.concatenate([found.controls for found in sets]),
        treatments=tuple(treatment for found in sets for treatment in found.treatments),
    )


def _named(screen: Screen) -> tuple[tuple[str, ...], NDArray[np.float32], tuple[str, ...]]:
    """Feature names, each once, and the values of each well that has any."""
    if screen.card.encoder.kind != "profile":
        raise CellClipError(f"screen {screen.name} holds no measured profiles: import some, or train a head")
    rows = rows_of((screen.path / FEATURES_FILE).read_text(encoding="utf-8"))
    place: dict[str, tuple[int, int]] = {}
    for row, stain in enumerate(STAINS):
        for column, feature in enumerate(rows[stain]):
            place.setdefault(feature, (row, column))
    at_row, at_column = np.array(list(place.values()), np.intp).T
    wells = screen.fields["Metadata_Well_id"]
    every = screen.features(list(wells.index))[:, at_row, at_column]
    groups = wells.groupby(wells, sort=False).indices
    values = np.stack([every[of].mean(axis=0) for of in groups.values()])
    return tuple(place), values.astype(np.float32), tuple(map(str, groups))
