"""Read what is compared with reference treatments: one standardised profile a well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.imports.stain_groups import is_embedding
from napari_cellclip.screen.imports.standardise import CLIP, MAD_TO_SD
from napari_cellclip.vocabulary import STAINS, ScreenError, split_id
from napari_cellclip.vocabulary.regular_files import read_json

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

CELLPROFILER = "CellProfiler features"
"""Space of screens imported from profiles: their features have names, and are matched by them."""

FEWEST_CONTROLS = 3
"""Negative controls that a plate needs to be standardised on them."""


@dataclass(frozen=True, eq=False)
class WellProfiles:
    """Standardised profiles of wells.

    Attributes
    ----------
    values : ndarray of float32 (n, F)
        Difference from the negative controls of the same plate, in units of their spread.
    features : tuple of str
        Names of the columns.
    space : str
        What the features are: `CELLPROFILER`, or the channel encoder they come from. Only profiles of one
        space can be compared.
    wells : DataFrame
        Rows of the plate map (``Screen.wells``), by well id.
    plates : ndarray of int (n,)
        Plate of each well.
    controls : ndarray of bool (n,)
        Negative controls.
    notes : tuple of str
        Plates that could not be standardised on their own controls.
    """

    values: NDArray[np.float32]
    features: tuple[str, ...]
    space: str
    wells: pd.DataFrame
    plates: NDArray[np.intp]
    controls: NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    @property
    def positions(self) -> NDArray[np.object_]:
        """Place of each well on its plate, such as ``B03``."""
        return np.array([split_id(str(well))[1] for well in self.wells.index], object)

    @property
    def centred(self) -> NDArray[np.float64]:
        """The values less the mean of their plate's negative controls, float64 (n, F)."""
        out = np.asarray(self.values, np.float64).copy()
        for plate in np.unique(self.plates):
            own = self.plates == plate
            controls = own & self.controls
            if controls.any():
                out[own] -= out[controls].mean(axis=0)
        return out


def profiles_of(screen: Screen) -> WellProfiles:
    """Read one profile for each well of a screen that has features.

    Profiles that were imported keep their feature names, each feature once. Of images it is the mean of the
    channel encoder's features over the sites of a well, all stains side by side, standardised by plate.

    Parameters
    ----------
    screen : Screen
        Encoded plates, or imported profiles.

    Returns
    -------
    WellProfiles

    Raises
    ------
    ScreenError
        If no well has features, or there are no negative controls to standardise on.
    """
    imported = screen.card.encoder.kind == "profile"
    features, places = _named_features(screen) if imported else ((), None)
    ids: list[str] = []
    rows: list[NDArray[np.float32]] = []
    for well, stains in _wells(screen):
        ids.append(well)
        rows.append(stains[places[0], places[1]] if places is not None else stains.reshape(-1))
    if not rows:
        raise ScreenError(f"screen {screen.name} has no features yet: encode it first")
    position = {well: i for i, well in enumerate(screen.well_ids)}
    at = np.array([position[well] for well in ids], np.intp)
    controls = screen.negative_controls[at]
    if not controls.any():
        raise ScreenError(
            f"screen {screen.name} has no negative controls: give it a plate map that marks them, since what"
            " looks alike is told from the difference to them"
        )
    codes, names = screen.plate_codes
    plates = np.asarray(codes[at], np.intp)
    values = np.stack(rows)
    notes: list[str] = []
    if not imported:
        values, notes = standardise_on_controls(values, plates, controls, names)
        features = tuple(f"{stain}_{i}" for stain in screen.card.stain_order for i in range(stains.shape[1]))
    measured = imported and not is_embedding(features)
    space = CELLPROFILER if measured else f"encoder {screen.card.encoder_hash}"
    return WellProfiles(values, features, space, screen.wells.iloc[at], plates, controls, tuple(notes))


def standardise_on_controls(
    values: NDArray[np.floating],
    plates: NDArray[np.integer],
    controls: NDArray[np.bool_],
    names: list[str] | tuple[str, ...],
) -> tuple[NDArray[np.float32], list[str]]:
    """Subtract each plate's control median and divide by the controls' spread, pooled over plates.

    A plate with fewer than `FEWEST_CONTROLS` controls is centred on the median of all its wells, which a note
    says. The spread is 1.4826 MAD of the centred controls; a feature without spread becomes 0.

    Returns
    -------
    values : ndarray of float32 (n, F)
        Clipped to ±10.
    notes : list of str
    """
    exact = np.asarray(values, np.float64).copy()
    notes = []
    for plate in np.unique(plates):
        own = plates == plate
        known = own & controls
        if known.sum() < FEWEST_CONTROLS:
            notes.append(
                f"Plate {names[plate]} has {int(known.sum())} negative controls: it is centred on all of its"
                " wells."
            )
            known = own
        exact[own] -= np.median(exact[known], axis=0)
    spread = MAD_TO_SD * np.median(np.abs(exact[controls]), axis=0)
    usable = spread > 1e-9 * np.maximum(np.abs(exact).max(axis=0), 1e-9)
    scaled = np.where(usable, exact / np.where(usable, spread, 1.0), 0.0)
    return np.clip(scaled, -CLIP, CLIP).astype(np.float32), notes


def _wells(screen: Screen) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Mean features [5, D] of each well that has any, plate after plate."""
    sites = screen.fields["Metadata_Well_id"]
    for _, of_plate in sites.groupby(screen.fields["Metadata_Plate"], sort=False):
        features = screen.features(list(of_plate.index))
        for well, rows in of_plate.groupby(of_plate, sort=False).indices.items():
            yield str(well), np.asarray(features[rows].mean(axis=0), np.float32)


def _named_features(screen: Screen) -> tuple[tuple[str, ...], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Names of imported features, each once, and their places in a row [5, D]."""
    file = screen.path / screen.card.encoder.weights.file
    try:
        stains = read_json(file)["stains"]
        lists = {stain: [str(name) for name in stains[str(stain)]] for stain in STAINS}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ScreenError(
            f"{file} does not say which features screen {screen.name} has: import the profiles again"
        ) from error
    place: dict[str, tuple[int, int]] = {}
    for row, stain in enumerate(STAINS):
        for column, name in enumerate(lists[stain]):
            place.setdefault(name, (row, column))
    rows, columns = np.array(list(place.values()), np.intp).reshape(-1, 2).T
    if not len(rows) or columns.max() >= screen.card.encoder.dim:
        raise ScreenError(f"{file} does not fit screen {screen.name}: import the profiles again")
    return tuple(place), (rows, columns)
