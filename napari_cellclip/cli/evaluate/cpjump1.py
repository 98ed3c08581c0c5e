"""``napari-cellclip evaluate cpjump1 TABLE…``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, conclude


def cpjump1(
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
            exists=True,
            dir_okay=False,
            show_default=False,
            help="Table with moa_list and target_list of each compound.",
        ),
    ],
    out: OutOption,
    seeds: Annotated[int, typer.Option(min=1, help="How often compounds are dealt to folds anew.")] = 3,
    folds: Annotated[int, typer.Option(min=2, help="Folds by compound.")] = 5,
    rotate: Annotated[bool, typer.Option(help="Also leave out plate after plate (seen compounds).")] = True,
    steps: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Training steps of each head, for a try.")
    ] = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Train small heads on profiles and ask for compounds they never saw.

    Retrieval both ways and mechanisms asked for in words, by compound-grouped folds, beside structures in
    place of words, nearest neighbours, random prompts and random order. Half an hour on two cores.

    Example: napari-cellclip evaluate cpjump1 BR*.csv.gz --annotations annotations.tsv --out figures
    """
    from dataclasses import replace

    from benchmarks.accuracy.cpjump1 import SETTINGS, replicate_figures, study
    from benchmarks.accuracy.cpjump1_tables import all_tables, figures_of, picture, table_of
    from napari_cellclip.screen import import_profiles

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    settings = {
        reads: chosen if steps is None else replace(chosen, steps=steps) for reads, chosen in SETTINGS.items()
    }
    with tempfile.TemporaryDirectory() as scratch:
        screen = import_profiles(tables, Path(scratch) / "screen", annotations=annotations, cell_line="U2OS")
        found = study(
            screen,
            seeds=range(seeds),
            n=folds,
            settings=settings,
            rotation_seeds=(0,) if rotate else (),
            report=say,
        )
        found["replicates"] = replicate_figures(screen)
    for name, table in all_tables(found).items():
        print(f"\n{name}\n\n{table}")
    print()
    summary = {**found, "figures": figures_of(found)}
    conclude(out, "cpjump1", summary, table_of(found), picture(found), update_card=update_card)
