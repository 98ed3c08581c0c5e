"""``napari-cellclip simulate OUT``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.progress import follow


class Layout(StrEnum):
    """The layouts a simulated plate can be written in."""

    PHENIX = "phenix"
    OME_ZARR = "ome-zarr"


def simulate(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", show_default=False, help="Folder to write the plate into.")
    ],
    wells: Annotated[int, typer.Option(help="Plate format: 6, 12, 24, 48, 96, 384 or 1536 wells.")] = 96,
    sites: Annotated[int, typer.Option(min=1, help="Fields of view in each well.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same number gives the same plate.")] = 0,
    layout: Annotated[
        Layout, typer.Option(help="How the images are written: as an Opera Phenix does, or as OME-Zarr.")
    ] = Layout.PHENIX,
    size: Annotated[int, typer.Option(min=32, help="Height and width of a field in pixels.")] = 320,
    truth: Annotated[
        bool, typer.Option("--truth", help="Also write where each cell is and whether it responded.")
    ] = False,
) -> None:
    """Write a simulated plate with known answers.

    Cells with all five stains, treated with real compounds of a dozen mechanisms, as a simulation
    imagines them: good for learning the program and for testing, no evidence about real cells.
    What each well got is in OUT/platemap.csv.

    Example: napari-cellclip simulate my-plate --wells 96 --sites 4 --seed 7
    """
    from napari_cellclip.simulation import iter_simulate
    from napari_cellclip.vocabulary import PLATE_SHAPES

    if wells not in PLATE_SHAPES:
        known = ", ".join(map(str, PLATE_SHAPES))
        raise typer.BadParameter(f"no plate has {wells} wells: choose {known}", param_hint="--wells")
    steps = iter_simulate(
        out, wells=wells, sites=sites, seed=seed, layout=layout.value, size=(size, size), truth=truth
    )
    follow(steps, "simulating")
    print(out)
