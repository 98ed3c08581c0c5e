"""``napari-cellclip evaluate query-null MODEL``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import WorkOption


def query_null(
    model: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="MODEL",
            show_default=False,
            help="Model folder; the result is written into its card.",
        ),
    ],
    plates: Annotated[int, typer.Option(min=1, help="How many simulated plates to measure it on.")] = 5,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Seed of the first plate; use none of these plates to evaluate verdicts."),
    ] = 90_001,
    work: WorkOption = None,
) -> None:
    """Measure how often texts fit by chance.

    How often a model's texts fit treatments they do not describe, stored in its card. Queries take
    their p-values from this null. Texts that a model was trained on lie far apart from each other, so
    that directions drawn at random are too strict a comparison. Without it, verdicts are more
    conservative.

    Example: napari-cellclip evaluate query-null my-model --plates 5
    """
    from napari_cellclip.evaluation.protocols.simulated.blind_plates import blind_plates
    from napari_cellclip.evaluation.protocols.simulated.query_null import measure_query_null, store_query_null
    from napari_cellclip.evaluation.protocols.simulated.verdict_answers import Wells
    from napari_cellclip.evaluation.protocols.simulated.verdict_plates import QueryPlate
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
        null = measure_query_null(wells, loaded, data)
    store_query_null(model, null, loaded)
    print(f"{model}: null of {null.pairs} pairs of mechanism and treatment, smallest p {null.smallest_p:.2g}")
