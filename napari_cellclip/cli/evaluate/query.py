"""``napari-cellclip evaluate query``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, WorkOption, conclude


def query(
    out: OutOption,
    model: Annotated[str, typer.Option(help="Name of a model card, or a model folder.")] = "demo",
    plates: Annotated[int, typer.Option(min=1, help="How many simulated layouts.")] = 20,
    replicates: Annotated[int, typer.Option(min=1, max=8, help="Plates of each layout, asked together.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first layout; training uses seeds below 10000.")
    ] = 91_001,
    untouched: Annotated[
        int | None,
        typer.Option(
            show_default=False,
            help="First layout that played no part in choosing the method: figures from there on are apart.",
        ),
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Ask a model of random weights too.")
    ] = False,
    shuffled_model: Annotated[
        str | None,
        typer.Option(show_default=False, help="The same model trained with shuffled captions; asked too."),
    ] = None,
    null_screens: Annotated[
        int, typer.Option(min=0, help="Screens made from embeddings alone, without any answer.")
    ] = 1000,
    screen: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            show_default=False,
            help="Score this screen by the mechanisms of its plate map, in place of simulated plates.",
        ),
    ] = None,
    work: WorkOption = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Measure how often verdicts are right.

    Realised share of false discoveries at 5 and 10 %, matches for mechanisms that are not there, power by
    dose, and the same for models and screens from which no match is right. Plate-map expansion is off.

    Example: napari-cellclip evaluate query --plates 20 --random-weights --out figures
    """
    from napari_cellclip.evaluation.protocols.labelled_screen import labelled_screen
    from napari_cellclip.evaluation.protocols.simulated.verdict_answers import Wells
    from napari_cellclip.evaluation.protocols.simulated.verdicts import query as run
    from napari_cellclip.model import load_model
    from napari_cellclip.screen import Screen

    if screen is not None:
        opened = Screen.open(screen)
        conclude(
            out,
            "query-screen",
            *labelled_screen(Wells.of_screen(opened), opened.model),
            update_card=update_card,
        )
        return
    loaded = load_model(model)
    with tempfile.TemporaryDirectory() as scratch:
        result = run(
            work or Path(scratch),
            loaded,
            plates=plates,
            replicates=replicates,
            seed=seed,
            untouched=untouched,
            random=random_weights,
            shuffled_model=load_model(shuffled_model) if shuffled_model else None,
            null_screens=null_screens,
            report=lambda message: print(message, file=sys.stderr),
        )
    conclude(out, "query", *result, update_card=update_card)
