"""``napari-cellclip train SCREEN…``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_cellclip.cli.progress import follow


def train(
    screens: Annotated[
        list[Path] | None,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="SCREEN",
            show_default=False,
            help="Screen folders with one and the same channel encoder; where none is given, the settings "
            "name them.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            show_default=False,
            help="Model folder to write: a new one, or that of an interrupted run, which goes on.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            exists=True,
            dir_okay=False,
            show_default=False,
            help="All settings in one TOML or YAML file; options given here win over it.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, show_default="40", help="Passes over all wells.")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(show_default="cwcl", help="clip, cwcl, cloob, sigclip, s2l, bi_cwcl or cwcl_ma."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(show_default="full", help="How the text tower learns: full, lora or frozen."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            show_default="compound",
            help="What validation and test hold out: compound, scaffold, plate, or none.",
        ),
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", help="Forget what the head knows; else training goes on from it."),
    ] = False,
    closed_form: Annotated[
        bool,
        typer.Option(
            "--closed-form",
            help="On measured profiles: fit the head to labelled mechanisms, in seconds, without epochs.",
        ),
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, show_default="0", help="The same number gives the same model on the same machine."
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(show_default="auto", help="Where to compute: auto, cpu, cuda or mps (Apple)."),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            help="Print all settings as they would be used, explained, and train nothing: a file to begin "
            "with.",
        ),
    ] = False,
) -> None:
    """Train a CellCLIP head on encoded screens.

    It learns which words go with which wells, from the features that 'encode' stored and from the
    treatments in the plate maps; the channel encoder stays as it is. Some compounds are held out, for
    finding the best weights and for the scores on the model's card. The result is a model folder that
    'encode --model' takes. Several GPUs: accelerate launch -m napari_cellclip train …

    Example: napari-cellclip train screen-1 screen-2 --out my-model --epochs 30
    """
    from napari_cellclip.training.config import RunConfig

    run = RunConfig() if config is None else RunConfig.read(config)
    given: dict[str, dict[str, Any]] = {
        "data": {"screens": [str(path) for path in screens or ()]},
        "model": {
            "out": str(out) if out else None,
            "from_scratch": from_scratch or None,
            "image_tower": "prototypes" if closed_form else None,
            "device": device,
        },
        "split": {"by": split},
        "training": {"epochs": epochs, "loss": loss, "text": text, "seed": seed},
    }
    changes = {
        section: {key: value for key, value in values.items() if value} for section, values in given.items()
    }
    if seed is not None:
        changes["training"]["seed"] = seed
    run = run.merged(**changes)
    if print_config:
        print(run.to_toml(), end="")
        return
    if not run.data.screens:
        raise typer.BadParameter("name at least one screen, here or in the settings (data.screens)")
    if not run.model.out:
        raise typer.BadParameter("say where the model shall be written: --out, or model.out in the settings")

    from napari_cellclip.screen import Screen
    from napari_cellclip.training import iter_train

    steps = iter_train([Screen.open(path) for path in run.data.screens], run=run)
    if _first_process():
        follow(steps, "training")
        print(run.model.out)
    else:
        for _ in steps:  # launched several times: the first one reports
            pass


def _first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"
