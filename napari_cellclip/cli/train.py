"""``napari-cellclip train SCREEN…``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.options import DeviceOption
from napari_cellclip.cli.progress import follow


def train(
    screens: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="SCREEN",
            show_default=False,
            help="Screen folders written by 'encode', all with the same model.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            show_default=False,
            help="Model folder to write: a new one, or that of an interrupted run, which goes on.",
        ),
    ],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over all wells.")] = 40,
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", help="Forget what the head knows; else training goes on from it."),
    ] = False,
    seed: Annotated[int, typer.Option(help="The same number gives the same model on the same machine.")] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Train a CellCLIP head on encoded screens.

    It learns which words go with which wells, from the features that 'encode' stored and from the
    treatments in the plate maps; the channel encoder stays as it is. The result is a model folder
    that 'encode --model' takes.

    Example: napari-cellclip train screen-1 screen-2 --out my-model --epochs 30
    """
    from napari_cellclip.screen import Screen
    from napari_cellclip.training import iter_train

    opened = [Screen.open(path) for path in screens]
    steps = iter_train(opened, out, epochs=epochs, seed=seed, device=device, from_scratch=from_scratch)
    follow(steps, "training")
    print(out)
