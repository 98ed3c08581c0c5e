"""``napari-cellclip correct SCREEN``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import NullOption, SeedOption
from napari_cellclip.cli.options import JsonOption

METHODS = "center, sphering, tvn, pca, kernel_pca, harmony"


def correct(
    screens: Annotated[
        list[Path],
        typer.Argument(
            exists=True, file_okay=False, metavar="SCREEN", show_default=False, help="Screens of one model."
        ),
    ],
    method: Annotated[
        list[str] | None,
        typer.Option("--method", show_default=False, help=f"One of {METHODS}; several to compare them."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            dir_okay=False,
            show_default=False,
            help="Write the corrected embeddings of one screen (.parquet, .csv, .h5ad); takes one method.",
        ),
    ] = None,
    null: NullOption = 10_000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare batch corrections of a screen.

    By what they do to replicates and to the mixing of plates. Nothing is changed in the screen: 'ask
    --correction' and the window use a correction where you choose it.

    Example: napari-cellclip correct my-screen --method sphering --method tvn
    """
    from napari_cellclip.screen import Screen
    from napari_cellclip.screen.correct import METHODS as KNOWN

    methods = method or ["center", "sphering", "tvn"]
    for name in methods:
        if name not in KNOWN or name == "none":
            raise typer.BadParameter(f"{name!r} is no correction: use {METHODS}", param_hint="--method")
    if out is not None and (len(methods) > 1 or len(screens) > 1):
        raise typer.BadParameter("corrected embeddings are of one screen and one method", param_hint="--out")
    from napari_cellclip.evaluation.protocols.batch import batch
    from napari_cellclip.evaluation.protocols.embeddings import read_embeddings

    _, table, _ = batch(read_embeddings(screens), methods, null_size=null, seed=seed)
    if as_json:
        print(table.to_json(orient="index", indent=2))
    else:
        print(f"{'correction':<12}{'replicate mAP':<22}{'retrieved':<11}plate mixing")
        for name, row in table.iterrows():
            print(f"{name:<12}" + (row["refused"] or _figures(row.to_dict())))
    if out is not None:
        Screen.open(screens[0]).correct(methods[0]).export(out)  # type: ignore[arg-type]
        print(out, file=sys.stderr)


def _figures(row: dict[str, float]) -> str:
    interval = f"{row['replicate_mAP']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{interval:<22}{100 * row['retrieved']:>5.1f} %    {row['plate_mixing']:.2f}"
