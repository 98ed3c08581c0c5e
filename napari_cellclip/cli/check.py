"""``napari-cellclip check SCREEN`` and ``napari-cellclip repair SCREEN``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.options import DeviceOption, ScreenArgument
from napari_cellclip.cli.progress import follow, with_notices


def check(screen: ScreenArgument) -> None:
    """Verify every file of a screen.

    Each table must have the checksum it was written with, and hold what the plan of its plate says. Ends
    with exit code 1 if something is damaged or lost; 'repair' makes that again.

    Example: napari-cellclip check my-screen
    """
    from napari_cellclip.screen.check import check_screen, unsealed

    if old := unsealed(screen):
        print(
            f"{len(old)} tables have no checksum (version 0.1 wrote them), so that a changed number in them"
            f" would not show: {old[0]}, …",
            file=sys.stderr,
        )
    if findings := check_screen(screen):
        for finding in findings:
            print(finding.what)
        raise typer.Exit(1)
    print(f"{screen}: every file is whole")


def repair(
    screen: ScreenArgument,
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Where the images are now: a plate's folder, or one that holds the plates' folders by name.",
        ),
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Restore what is damaged or lost in a screen.

    screen.json comes from its copy; the rest from the images, with the model that made the screen. What is
    whole is not computed again.

    Example: napari-cellclip repair my-screen
    """
    from napari_cellclip.screen import iter_repair

    follow(with_notices(iter_repair(screen, images, device=device)), "repairing")
    print(f"{screen}: every file is whole")
