"""``napari-cellclip evaluate phrasings``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, conclude


def phrasings(
    out: OutOption,
    model: Annotated[str, typer.Option(help="Name of a model card, or a model folder.")] = "demo",
    plates: Annotated[int, typer.Option(min=1, help="How many plates.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the first plate; training uses seeds below 10000.")] = 90_001,
    expand: Annotated[
        bool, typer.Option(help="Recognise and expand the texts; else send them as they are typed.")
    ] = True,
    work: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            show_default=False,
            help="Keep plates and screens here; what is there is used again.",
        ),
    ] = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Ask for twelve mechanisms in ten unfamiliar phrasings each, on simulated plates.

    How often the answer is the same as to the mechanism's own name, and how often it is the mechanism
    meant. Only the table of this package takes part, never the plate map. The failures are listed.

    Example: napari-cellclip evaluate phrasings --out figures
    """
    from benchmarks.accuracy.phrasings import evaluate, report_of
    from napari_cellclip.model import load_model

    with tempfile.TemporaryDirectory() as scratch:
        result = evaluate(
            work or Path(scratch),
            load_model(model),
            plates=plates,
            seed=seed,
            expand=expand,
            report=lambda said: print(said, file=sys.stderr),
        )
    summary, table, figure = report_of(result)
    conclude(out, "phrasings", summary, table, figure, update_card=update_card)
    for text in summary["failed"]:  # type: ignore[attr-defined]
        print(f"not always as its name: {text}")
