"""Simulated fields of which only part of the cells respond, pixel by pixel known which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

from napari_cellclip.evaluation.protocols.simulated.blind_plates import truth_of
from napari_cellclip.model import Model
from napari_cellclip.plates import Plate, PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.simulation import (
    Design,
    Nuisance,
    Phenotype,
    Staining,
    Treatment,
    compound_treatment,
    dmso,
)
from napari_cellclip.simulation import phenix as instrument
from napari_cellclip.simulation.pharmacology import responding_share
from napari_cellclip.simulation.plate import write_platemap
from napari_cellclip.simulation.render import render_field
from napari_cellclip.simulation.treated_well import look_of
from napari_cellclip.vocabulary import STAINS, site_id, split_id, well_name
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, Mechanism

Arrangement = Literal["side", "mixed"]
ARRANGEMENTS: tuple[Arrangement, ...] = ("side", "mixed")
"""All cells on one side of a line are reached by the treatment, or half of all cells, here and there."""

DOSE = 30.0
SHAPE = (8, 12)
PIXEL_SIZE = 0.6
NO_CELL, OTHER, RESPONDING = 0, 1, 2


@dataclass(frozen=True)
class PartialPlate:
    """A plate with one field a well, encoded blind.

    Attributes
    ----------
    folder : Path
        Of the plate.
    plate : Plate
        The images.
    screen : Screen
        Knows wells and control types only.
    fields : DataFrame
        Treated fields, indexed by site id: ``mechanism`` (key), ``treatment``, ``effect``, ``arrangement``.
    """

    folder: Path
    plate: Plate
    screen: Screen
    fields: pd.DataFrame

    def truth(self, site: str) -> NDArray[np.uint8]:
        """What is at each pixel (Y, X): ``NO_CELL``, a cell that does not respond, or one that does."""
        return np.asarray(tifffile.imread(_truth_path(self.folder, split_id(site)[1])))


def partial_plate(
    folder: Path,
    model: Model,
    seed: int,
    *,
    mechanisms: Sequence[Mechanism] = MECHANISMS,
    arrangements: Sequence[Arrangement] = ARRANGEMENTS,
    controls: int = 8,
    size: int = 512,
) -> PartialPlate:
    """Simulate such a plate and encode it blind; what is in `folder` already is used again.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept.
    model : Model
        What encodes.
    seed : int
        Draws compounds, staining, cells, and the line of each field.
    mechanisms, arrangements : sequence
        One well for each pair.
    controls : int
        Vehicle wells.
    size : int
        Side of a field, pixels.
    """
    name = f"partial-{seed}"
    path = folder / "plates" / name
    if not (path / "platemap.csv").exists():
        _simulate(path, name, seed, mechanisms, arrangements, controls, size)
    opened = open_plate(path)
    out = folder / "screens" / f"{name}-{model.card.card_hash[:12]}"
    screen = encode(opened, PlateMap.read(path / "platemap.csv").blind(), model, out)
    arranged = pd.read_csv(path / "arrangements.csv", index_col="well")
    fields = truth_of(path / "platemap.csv", opened.name)
    fields.index = pd.Index([site_id(opened.name, well, 1) for well in fields["well"]], name="site_id")
    fields["arrangement"] = arranged["arrangement"].reindex(fields["well"]).to_numpy()
    fields["mechanism"] = arranged["mechanism"].reindex(fields["well"]).to_numpy()
    fields = fields.loc[fields["arrangement"].notna(), ["mechanism", "treatment", "effect", "arrangement"]]
    return PartialPlate(path, opened, screen, fields)


def _simulate(
    path: Path,
    name: str,
    seed: int,
    mechanisms: Sequence[Mechanism],
    arrangements: Sequence[Arrangement],
    controls: int,
    size: int,
) -> None:
    rng = np.random.default_rng([seed, 5])
    nuisance = Nuisance()
    stained = [np.exp(spread * rng.standard_normal(len(STAINS))) for spread in _spreads(nuisance)]
    staining = Staining(*stained)
    jobs: list[tuple[Treatment, Arrangement | None, str]] = [(dmso(), None, "")] * controls
    for mechanism in mechanisms:
        compound = mechanism.compounds[rng.integers(len(mechanism.compounds))]
        treatment = compound_treatment(compound, mechanism, DOSE)
        jobs += [(treatment, arrangement, mechanism.key) for arrangement in arrangements]
    places = [well_name(row, column) for row in range(SHAPE[0]) for column in range(SHAPE[1])]
    wells = [places[i] for i in rng.permutation(len(places))[: len(jobs)]]
    for number, (well, (treatment, arrangement, _)) in enumerate(zip(wells, jobs, strict=True)):
        field = render_field(
            _look(treatment),
            _response(treatment, arrangement, size, rng),
            seed=np.random.SeedSequence([seed, 6, number]),
            shape=(size, size),
            pixel_size=PIXEL_SIZE,
            nuisance=nuisance,
            staining=staining,
        )
        instrument.write_site(path, well, 1, field.pixels)
        answers = np.concatenate([[NO_CELL], np.where(field.responding, RESPONDING, OTHER)])
        (path / "truth").mkdir(exist_ok=True)
        tifffile.imwrite(_truth_path(path, well), answers.astype(np.uint8)[field.cells], compression="zlib")
    instrument.write_index(path, name, SHAPE, wells, 1, (size, size), PIXEL_SIZE)
    rows = [(w, a, key) for w, (_, a, key) in zip(wells, jobs, strict=True) if a]
    pd.DataFrame(rows, columns=["well", "arrangement", "mechanism"]).to_csv(
        path / "arrangements.csv", index=False
    )
    # Written last: a folder with a plate map is a whole plate.
    treatments = {well: job[0] for well, job in zip(wells, jobs, strict=True)}
    write_platemap(path / "platemap.csv", Design(treatments, SHAPE))


def _spreads(nuisance: Nuisance) -> tuple[float, float]:
    return nuisance.plate_gain, nuisance.background_gain


def _look(treatment: Treatment) -> Callable[[float], Phenotype]:
    strength = treatment.effect**0.5
    return lambda cell: look_of(treatment, strength * cell)


def _response(
    treatment: Treatment, arrangement: Arrangement | None, size: int, rng: np.random.Generator
) -> float | Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    angle = rng.random() * 2 * np.pi  # drawn for every field, so that the others do not depend on it
    share = responding_share(treatment.effect) if treatment.mechanism else 0.0
    if arrangement == "side":
        across = np.array([np.sin(angle), np.cos(angle)])
        return lambda centres: share * ((centres - size / 2) @ across > 0)
    return share / 2 if arrangement == "mixed" else 0.0


def _truth_path(plate: Path, well: str) -> Path:
    return plate / "truth" / f"{well}.tif"
