"""Train small heads on CellProfiler profiles and query unseen compounds: the study of docs/cpjump1.md."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.accuracy.profiles.study import SETTINGS, replicate_figures, study
from benchmarks.accuracy.profiles.tables import all_tables, figures_of, picture, table_of
from benchmarks.accuracy.script import AnnotationsOption, TablesArgument, progress
from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, conclude
from napari_cellclip.screen import import_profiles


def main(
    tables: TablesArgument,
    annotations: AnnotationsOption,
    out: OutOption,
    seeds: Annotated[int, typer.Option(min=1, help="How many times compounds are split into folds.")] = 3,
    folds: Annotated[int, typer.Option(min=2, help="Folds by compound.")] = 5,
    rotate: Annotated[bool, typer.Option(help="Also leave out one plate at a time (seen compounds).")] = True,
    steps: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Training steps of each head, for a trial.")
    ] = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Train small heads on profiles and query them about compounds they never saw.

    Retrieval both ways and mechanism queries in words, by compound-grouped folds, compared with structures in
    place of words, nearest neighbours, random prompts and random order. Half an hour on two cores.

    Example: python -m benchmarks.accuracy.cpjump1 BR*.csv.gz --annotations annotations.tsv --out figures
    """
    settings = {
        reads: chosen if steps is None else replace(chosen, steps=steps) for reads, chosen in SETTINGS.items()
    }
    with tempfile.TemporaryDirectory() as scratch:
        screen = import_profiles(
            tables, Path(scratch) / "screen", annotations=annotations, cell_line="U2OS", model=""
        )
        found = study(
            screen,
            seeds=range(seeds),
            n=folds,
            settings=settings,
            rotation_seeds=(0,) if rotate else (),
            report=progress,
        )
        found["replicates"] = replicate_figures(screen)
    for name, table in all_tables(found).items():
        print(f"\n{name}\n\n{table}")
    print()
    summary = {**found, "figures": figures_of(found)}
    conclude(out, "cpjump1", summary, table_of(found), picture(found), update_card=update_card)


if __name__ == "__main__":
    typer.run(main)
