"""Which wells of a run's screens are for training, which for validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from napari_cellclip.screen import Screen
from napari_cellclip.training.config_sections import SplitConfig
from napari_cellclip.training.data.splits import PARTS, Split, refuse_leakage, split_wells
from napari_cellclip.vocabulary import CellClipError


def split_of(screens: Sequence[Screen], config: SplitConfig) -> Split:
    """Divide the wells of screens as a run's settings say, and refuse a split that leaks.

    Parameters
    ----------
    screens : sequence of Screen
        With plate maps.
    config : SplitConfig
        How.

    Returns
    -------
    Split

    Raises
    ------
    CellClipError
        If a listed name is not known or in two lists, a treatment is on two sides, or a part stays empty.
    """
    wells = pd.concat([screen.wells for screen in screens])
    if config.by == "none":
        return Split(tuple(map(str, wells.index)), by="none", seed=config.seed)
    if config.by == "lists":
        split = _listed(wells, config)
    else:
        split = split_wells(wells, config.by, config.fractions, config.seed)
    refuse_leakage(split, wells)
    return split


def _listed(wells: pd.DataFrame, config: SplitConfig) -> Split:
    """The split that lists of wells, plates and treatments mean."""
    by_plate = wells.groupby("Metadata_Plate", sort=False).indices
    by_name = wells.groupby("Metadata_treatment", sort=False).indices
    names = {name: getattr(config, name) for name in PARTS}
    parts: dict[str, list[str]] = {}
    for part, listed in names.items():
        found: dict[str, None] = {}
        for entry in listed:
            if entry in wells.index:
                found[entry] = None
            elif entry in by_plate or entry in by_name:
                rows = by_plate[entry] if entry in by_plate else by_name[entry]
                found |= dict.fromkeys(map(str, wells.index[rows]))
            else:
                raise CellClipError(
                    f"split.{part} names {entry!r}, which is no well, plate or treatment of these screens"
                )
        parts[part] = list(found)
    if not parts["train"]:
        held = {*parts["validation"], *parts["test"]}
        parts["train"] = [str(well) for well in wells.index if well not in held]
    plates_only = all(entry in by_plate for listed in names.values() for entry in listed)
    train, validation, test = (tuple(parts[name]) for name in PARTS)
    return Split(
        train,
        validation,
        test,
        by="plate" if plates_only else "compound",
        seed=config.seed,
    )
