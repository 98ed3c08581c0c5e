"""``napari-cellclip evaluate simulated``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, WorkOption, conclude


def simulated(
    out: OutOption,
    model: Annotated[str, typer.Option(help="Name of a model card, or a model folder.")] = "demo",
    shuffled_model: Annotated[
        str | None,
        typer.Option(
            show_default=False, help="The same model trained with shuffled captions, for comparison."
        ),
    ] = None,
    plates: Annotated[int, typer.Option(min=1, help="How many plates.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first plate; training uses seeds below 10000.")
    ] = 90_001,
    wells: Annotated[int, typer.Option(help="Plate format.")] = 96,
    sites: Annotated[int, typer.Option(min=1, help="Fields in each well.")] = 2,
    work: WorkOption = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Find the mechanisms of simulated plates.

    The model never sees their labels. Average precision of each mechanism's wells, beside random order,
    exchanged queries and mean intensities. Simulated cells: this measures the program and its bundled
    model, no biology.

    Example: napari-cellclip evaluate simulated --plates 5 --seed 90001 --out figures
    """
    from napari_cellclip.evaluation.protocols.simulated.mechanism_retrieval import (
        as_table,
        evaluate,
        report_of,
    )
    from napari_cellclip.model import load_model

    loaded = load_model(model)
    shuffled = load_model(shuffled_model) if shuffled_model else None
    with tempfile.TemporaryDirectory() as scratch:
        result = evaluate(
            work or Path(scratch),
            loaded,
            plates=plates,
            seed=seed,
            wells=wells,
            sites=sites,
            shuffled_model=shuffled,
            report=lambda message: print(message, file=sys.stderr),
        )
    print(as_table(result))
    conclude(out, "simulated", *report_of(result), update_card=update_card)
