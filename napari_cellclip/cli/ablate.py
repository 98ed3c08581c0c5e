"""``napari-cellclip ablate --screens NAME=SCREEN,…``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellclip.cli.progress import progress_bar
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    import pandas as pd


def ablate(
    screens: Annotated[
        list[str],
        typer.Option(
            "--screens",
            "-s",
            metavar="[NAME=]SCREEN,…",
            show_default=False,
            help="Screen folders of one channel encoder, joined by commas, under any name for it. Once for "
            "each encoder to compare; the first is the baseline's, and all must hold the same wells.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            show_default=False,
            help="Folder for the models and the table; that of an interrupted ablation goes on.",
        ),
    ],
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FACTOR=LEVEL,…",
            show_default="the paper's ablations",
            help="What to vary, the baseline's level first: pooling=attention,mean,median,none; "
            "image_tower=channel_former,concatenation,mean; text_tower=bert,fingerprint; "
            "loss=cwcl,clip,cloob,sigclip,s2l; prompt=all,no_smiles,no_name,no_cell_line; "
            "most_attended_removed=0,1,2.",
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
            help="Settings of all variants, as 'train --print-config' lists them.",
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of training, joined by commas; the split stays.")] = "0",
    cross: Annotated[
        bool, typer.Option("--cross", help="Every combination of levels, not one change at a time.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, show_default="40", help="Passes over all wells.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(show_default="auto", help="Where to compute: auto, cpu, cuda or mps (Apple)."),
    ] = None,
) -> None:
    """Train variants of a head and compare them.

    Every variant starts from fresh weights and is scored on the same held-out treatments, by
    retrieval both ways. Variants that are trained already are not trained again. The table is
    written as ablation.csv and, with means over seeds, as ablation.json.

    Example: napari-cellclip ablate -s screen-1,screen-2 --out figures --vary loss=cwcl,clip --seeds 0,1,2
    """
    from napari_cellclip.training.config import RunConfig

    groups = _groups(screens)
    factors = dict(_levels(given) for given in vary) if vary is not None else None
    try:
        numbers = [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise typer.BadParameter(f"seeds are whole numbers joined by commas, not {seeds!r}") from None
    run = RunConfig() if config is None else RunConfig.read(config)
    changes: dict[str, dict[str, Any]] = {"training": {"epochs": epochs}, "model": {"device": device}}
    run = run.merged(
        **{name: {k: v for k, v in given.items() if v is not None} for name, given in changes.items()}
    )

    from napari_cellclip.screen import Screen
    from napari_cellclip.training.ablation import SUMMARY, TABLE, iter_ablate, summary_of

    opened = {name: [Screen.open(path) for path in paths] for name, paths in groups.items()}
    steps = iter_ablate(opened, out, run=run, vary=factors, seeds=numbers, cross=cross)
    with progress_bar("ablation") as show:
        while True:
            try:
                show(next(steps))
            except StopIteration as end:
                table: pd.DataFrame = end.value
                break
            except BaseException:
                steps.close()
                raise
    _print(table, summary_of(table))
    print(f"{out / TABLE}\n{out / SUMMARY}")


def _groups(given: Iterable[str]) -> dict[str, list[Path]]:
    """Read ``["dinov2=a,b", …]`` into names and folders; without a name the first folder's serves."""
    groups: dict[str, list[Path]] = {}
    for text in given:
        name, equals, listed = text.partition("=")
        if not equals or Path(text.split(",")[0]).is_dir():
            name, listed = "", text
        paths = [from_home(part.strip()) for part in listed.split(",") if part.strip()]
        if not paths:
            raise typer.BadParameter(f"{text!r} names no screen: give NAME=SCREEN,SCREEN")
        if absent := [path for path in paths if not path.is_dir()]:
            raise typer.BadParameter(f"there is no screen folder {absent[0]}")
        name = name.strip() or paths[0].name
        if name in groups:
            raise typer.BadParameter(f"the name {name!r} is given twice: name each encoder's screens once")
        groups[name] = paths
    return groups


def _levels(given: str) -> tuple[str, tuple[str, ...]]:
    """Read ``"loss=cwcl,clip"``."""
    factor, equals, levels = given.partition("=")
    if not (equals and levels.strip()):
        raise typer.BadParameter(f"{given!r} should read FACTOR=LEVEL,LEVEL, such as loss=cwcl,clip")
    return factor.strip(), tuple(level.strip() for level in levels.split(","))


def _print(table: pd.DataFrame, summary: pd.DataFrame) -> None:
    """Shares in percent, text to image | image to text, and what chance gives."""
    worked = table[table["error"] == ""]
    pools = sorted({int(pool) for pool in worked["pool"]})
    chance = " / ".join(f"{100 * worked[f'random r@{k}'].mean():.1f}" for k in (1, 5, 10))
    print(f"{' or '.join(map(str, pools))} treatments to find; chance R@1/5/10: {chance} %\n")
    width = max(map(len, table["variant"]))
    print(f"{'R@1/5/10 in %':<{width}}  {'text to image':>18}  {'image to text':>18}   seeds")
    for name, row in summary.iterrows():
        ways = [
            " / ".join(f"{100 * row[f'{way} r@{k}']:.1f}" for k in (1, 5, 10))
            for way in ("text_to_image", "image_to_text")
        ]
        print(f"{name:<{width}}  {ways[0]:>18}  {ways[1]:>18}   {int(row['seeds'])}")
    for _, row in table[table["error"] != ""].iterrows():
        print(f"{row['variant']} (seed {row['seed']}): {row['error']}")
    print()
