"""``napari-cellclip evaluate explanation``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import OutOption, SeedOption, UpdateCardOption, conclude


def explanation(
    out: OutOption,
    model: Annotated[str, typer.Option(help="Name of a model card, or a model folder.")] = "demo",
    plates: Annotated[int, typer.Option(min=1, help="Screening plates, for which stain.")] = 5,
    partial_plates: Annotated[
        int, typer.Option(min=1, help="Plates of fields that respond in part, for where.")
    ] = 2,
    first: Annotated[int, typer.Option(help="Seed of the first; training uses seeds below 10000.")] = 90_001,
    work: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            show_default=False,
            help="Keep plates and screens here; what is there is used again.",
        ),
    ] = None,
    seed: SeedOption = 0,
    update_card: UpdateCardOption = None,
) -> None:
    """Check explanations against simulated truth: which stain was changed, and where cells respond.

    The share of wells whose changed stain leads, and how heat maps rank responding places; beside random
    weights. Simulated cells: this measures the program and its bundled model, no biology.

    Example: napari-cellclip evaluate explanation --plates 5 --out figures
    """
    from benchmarks.accuracy.explanation import explanation as run
    from napari_cellclip.evaluation.protocols.random_weights import random_weights
    from napari_cellclip.model import load_model

    judged = load_model(model)
    with tempfile.TemporaryDirectory() as scratch:
        result = run(
            work or Path(scratch),
            judged,
            random_weights(judged, seed),
            plates=plates,
            partial_plates=partial_plates,
            seed=first,
            report=lambda said: print(said, file=sys.stderr),
        )
    conclude(out, "explanation", *result, update_card=update_card)
