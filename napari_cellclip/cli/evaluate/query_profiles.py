"""``napari-cellclip evaluate query-profiles TABLE…``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, conclude


def query_profiles(
    tables: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="TABLE",
            show_default=False,
            help="CellProfiler profiles of the plates, as 'import-profiles' takes them.",
        ),
    ],
    annotations: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, show_default=False, help="Table with moa_list of each compound."
        ),
    ],
    out: OutOption,
    folds: Annotated[int, typer.Option(min=2, help="Folds by compound.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the folds and the heads.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Training steps of each head, for a try.")
    ] = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Judge verdicts on real profiles, through heads that never saw the compounds.

    Heads of compound-grouped folds are asked for mechanisms by name among the compounds held out:
    realised against accepted false discoveries, and the recall of each mechanism. Ten minutes on two cores.

    Example: napari-cellclip evaluate query-profiles BR*.csv.gz --annotations annotations.tsv --out figures
    """
    from dataclasses import replace

    from benchmarks.accuracy.cpjump1 import WORDS
    from benchmarks.accuracy.query_profiles import query_profiles as run
    from napari_cellclip.screen import import_profiles

    settings = WORDS if steps is None else replace(WORDS, steps=steps)
    with tempfile.TemporaryDirectory() as scratch:
        screen = import_profiles(tables, Path(scratch) / "screen", annotations=annotations, cell_line="U2OS")
        result = run(screen, settings, n=folds, seed=seed, report=lambda said: print(said, file=sys.stderr))
    conclude(out, "query-profiles", *result, update_card=update_card)
