"""``napari-cellclip evaluate query-reference MODEL``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def query_reference(
    model: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="MODEL",
            show_default=False,
            help="Model folder, whose card gets the reference.",
        ),
    ],
    plates: Annotated[int, typer.Option(min=1, help="How many simulated plates to measure it on.")] = 5,
    seed: Annotated[
        int, typer.Option(help="Of the first plate: one that no evaluation of the answers asks.")
    ] = 90_001,
    work: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            show_default=False,
            help="Keep plates and screens here; what is there is used again.",
        ),
    ] = None,
) -> None:
    """Measure how often a model's words fit treatments they do not describe, and keep it in its card.

    Answers read their p off this reference: texts that a model was taught lie apart from each other, so that
    comparing them with directions drawn at random is too strict. Without one, answers are more careful.

    Example: napari-cellclip evaluate query-reference my-model --plates 5
    """
    from benchmarks.accuracy.query_calibration import Wells
    from benchmarks.accuracy.query_plates import QueryPlate
    from benchmarks.accuracy.query_reference import keep_reference, reference_of
    from napari_cellclip.evaluation.protocols.blind_plates import blind_plates
    from napari_cellclip.model import load_model

    loaded = load_model(model)
    with tempfile.TemporaryDirectory() as scratch:
        wells = []
        for number, blind in enumerate(
            blind_plates(work or Path(scratch), loaded, range(seed, seed + plates)), start=1
        ):
            wells.append(Wells.of([QueryPlate(seed + number - 1, blind.screen, blind.truth)], loaded))
            print(f"encoded {number} of {plates} plates", file=sys.stderr)
        data = (
            f"{plates} simulated plates (seeds {seed} to {seed + plates - 1}): known mechanisms, asked of"
            " treatments that have another"
        )
        reference = reference_of(wells, loaded, data)
    keep_reference(model, reference, loaded)
    print(
        f"{model}: reference of {reference.pairs} pairs of mechanism and treatment, smallest p"
        f" {reference.smallest:.2g}"
    )
