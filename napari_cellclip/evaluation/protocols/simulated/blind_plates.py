"""Simulated plates encoded without their labels, and the truth kept beside them for scoring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_cellclip.model import Model
from napari_cellclip.plates import Plate, PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.simulation import Nuisance, simulate_plate
from napari_cellclip.vocabulary import STAINS, well_id


@dataclass(frozen=True)
class BlindPlate:
    """One encoded plate whose screen knows wells and control types only.

    Attributes
    ----------
    plate : Plate
        The images.
    screen : Screen
        Encoded with the blind plate map.
    truth : DataFrame
        Indexed by well id: ``treatment``, ``kind``, ``mechanism``, ``effect``, ``control_type``.
    """

    plate: Plate
    screen: Screen
    truth: pd.DataFrame

    @property
    def negative(self) -> pd.Series[bool]:
        """Mask of the wells that are negative controls (the one thing the blind plate map tells)."""
        return self.truth["control_type"] == "negcon"


def blind_plates(
    folder: Path,
    model: Model,
    seeds: Sequence[int],
    *,
    wells: int = 96,
    sites: int = 2,
    size: tuple[int, int] = (256, 256),
    nuisance: Nuisance | None = None,
) -> Iterator[BlindPlate]:
    """Simulate one plate per seed, encode it blind and give it with its truth.

    What is already in `folder` is used again.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept.
    model : Model
        What encodes them.
    seeds : sequence of int
        One plate each; seeds not used in training.
    wells, sites, size
        Format of the plates; size in pixels (Y, X).
    nuisance : Nuisance, optional
        Staining, camera and focus settings of the simulation.

    Yields
    ------
    BlindPlate
    """
    for seed in seeds:
        name = f"blind-{seed}"
        path = folder / "plates" / name
        if not (path / "platemap.csv").exists():
            settings = {} if nuisance is None else {"nuisance": nuisance}
            path = simulate_plate(path, wells=wells, sites=sites, seed=seed, size=size, name=name, **settings)
        yield encode_blind(path, model, folder / "screens" / f"{name}-{model.card.card_hash[:12]}")


def encode_blind(path: Path, model: Model, out: Path) -> BlindPlate:
    """Encode a simulated plate with a plate map of wells and control types only."""
    plate = open_plate(path)
    labels = PlateMap.read(path / "platemap.csv")
    screen = encode(plate, labels.blind(), model, out)
    return BlindPlate(plate, screen, truth_of(path / "platemap.csv", plate.name))


def truth_of(platemap: Path, plate: str) -> pd.DataFrame:
    """Simulated truth of a plate, indexed by well id."""
    table = pd.read_csv(platemap, keep_default_na=False)
    table.index = pd.Index([well_id(plate, well) for well in table["well"]], name="well_id")
    table["effect"] = pd.to_numeric(table["effect"], errors="coerce").fillna(0.0)
    return table


def mean_intensities(plate: Plate) -> pd.DataFrame:
    """Mean pixel value of each well (rows, by id) and stain (columns) of a plate."""
    rows = {
        well.id: np.mean([site.read(STAINS).mean((1, 2)) for site in well.sites], axis=0)
        for well in plate.wells
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[str(stain) for stain in STAINS])
