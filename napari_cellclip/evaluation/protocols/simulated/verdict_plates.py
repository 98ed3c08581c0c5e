"""Simulated plates on which some mechanisms are absent, for judging whether answers can be trusted.

Every plate holds 12 of the 18 mechanisms, one compound each at three doses in two wells, four inert compounds
in two wells each, and 16 vehicle wells. Over three layouts each mechanism is absent once. A second plate of
the same layout gives two more wells of everything, as replicate plates of a screen do. The screen is told
opaque codes in place of names: which wells are replicates and their doses, nothing of what was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.protocols.simulated.blind_plates import truth_of
from napari_cellclip.model import Model
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.simulation import simulate_plate
from napari_cellclip.simulation.design import Design, dose_response_design
from napari_cellclip.vocabulary import Kind, Perturbation
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, Mechanism

FIRST_SEED = 91_001
"""First layout of this protocol; training plates use seeds below 10 000, the retrieval protocol 90 001."""

NEXT_PLATE = 1_000
"""What is added to a layout's seed for each further plate of it."""

ABSENT = 6
"""Mechanisms left out of a layout."""

REPLICATES = 2
"""Wells of a treatment and dose on one plate."""

INERT = 4
"""Inert compounds of a layout."""


@dataclass(frozen=True)
class QueryPlate:
    """One encoded plate that knows replicates and controls only.

    Attributes
    ----------
    layout : int
        Seed of the layout; plates of one layout are replicates of each other.
    screen : Screen
        Encoded with opaque treatment codes.
    truth : DataFrame
        Indexed by well id: ``treatment``, ``kind``, ``mechanism``, ``dose``, ``effect``, ``control_type``.
    """

    layout: int
    screen: Screen
    truth: pd.DataFrame


def absent_mechanisms(layout: int) -> tuple[Mechanism, ...]:
    """Choose the mechanisms that a layout leaves out; three layouts in a row leave out each one once."""
    turn, part = divmod(layout - FIRST_SEED, len(MECHANISMS) // ABSENT)
    order = np.random.default_rng([FIRST_SEED, turn]).permutation(len(MECHANISMS))
    return tuple(MECHANISMS[i] for i in order[part * ABSENT : (part + 1) * ABSENT])


def query_design(layout: int) -> Design:
    """Treatments of one layout on a 96-well plate, at random places.

    Parameters
    ----------
    layout : int
        Seed, from `FIRST_SEED` on.
    """
    absent = absent_mechanisms(layout)
    present = [mechanism for mechanism in MECHANISMS if mechanism not in absent]
    return dose_response_design([layout, 7], present, replicates=REPLICATES, inert=INERT)


def coded(platemap: PlateMap) -> PlateMap:
    """Put codes in place of a plate map's treatments: replicates, doses and controls are told, no names."""
    names = sorted({p.name for p in platemap.wells.values() if p.control is None})
    code = {name: f"T{i:03d}" for i, name in enumerate(np.random.default_rng(0).permutation(names), 1)}
    return PlateMap(
        {
            well: (
                Perturbation(kind=Kind.CONTROL, control=p.control)
                if p.control
                else Perturbation(kind=Kind.UNKNOWN, name=code[p.name], dose=p.dose)
            )
            for well, p in platemap.wells.items()
        }
    )


def simulate_layout(folder: Path, layout: int, plate: int = 0, *, sites: int = 2, size: int = 256) -> Path:
    """Simulate one plate of a layout, or find it where it was simulated before.

    Parameters
    ----------
    folder : Path
        Where plates are kept.
    layout : int
        Seed of the layout.
    plate : int
        Which plate of that layout: other cells and staining, the same treatments in the same wells.
    sites, size : int
        Fields a well, pixels a side.
    """
    name = f"query-{layout}-{'abcdefgh'[plate]}"
    path = Path(folder) / "plates" / name
    if not (path / "platemap.csv").exists():
        simulate_plate(
            path,
            seed=layout + NEXT_PLATE * plate,
            sites=sites,
            size=(size, size),
            design=query_design(layout),
            name=name,
        )
    return path


def query_plates(
    folder: Path, model: Model, layouts: Sequence[int], *, plates: int = 1
) -> Iterator[list[QueryPlate]]:
    """Simulate and encode the plates of each layout; what is in `folder` already is used again.

    Yields
    ------
    list of QueryPlate
        The plates of one layout.
    """
    for layout in layouts:
        yield [
            encode_coded(simulate_layout(folder, layout, plate), model, folder, layout)
            for plate in range(plates)
        ]


def encode_coded(path: Path, model: Model, folder: Path, layout: int) -> QueryPlate:
    """Encode a plate with a plate map of codes."""
    opened = open_plate(path)
    out = Path(folder) / "screens" / f"{opened.name}-{model.card.card_hash[:12]}"
    screen = encode(opened, coded(PlateMap.read(path / "platemap.csv")), model, out)
    return QueryPlate(layout, screen, truth_of(path / "platemap.csv", opened.name))
