"""``napari-cellclip demo``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.progress import follow, progress_bar
from napari_cellclip.cli.virtual_display import virtual_display
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Screen

QUERY = "tubulin polymerisation inhibitor"


def demo(
    query: Annotated[str, typer.Option(help="What to ask the plate.")] = QUERY,
    screenshot: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE.png",
            help="Draw the window on a virtual display, write it as a picture and leave.",
        ),
    ] = None,
) -> None:
    """Open the window on a simulated plate.

    The first time the plate is simulated and encoded (a minute or two); after that it opens at once.
    Plate and model are simulations: what you see shows the program, not biology.

    Example: napari-cellclip demo --query "DNA damage"
    """
    if screenshot is not None and screenshot.suffix.lower() != ".png":
        raise typer.BadParameter(
            "the picture is written as PNG: use a name ending in .png", param_hint="--screenshot"
        )
    require_window()
    plate, screen = demo_screen()
    if screenshot is None:
        from napari_cellclip.gui.demo import show

        show(plate, screen, query)
        return
    with virtual_display():
        from napari_cellclip.gui.demo import picture

        picture(plate, screen, query, screenshot)
    print(screenshot)


def require_window() -> None:
    """Make sure that napari and Qt are there, before a minute is spent on the plate.

    Raises
    ------
    CellClipError
        If the window cannot be imported.
    """
    try:
        import napari_cellclip.gui.explorer  # noqa: F401
    except ImportError as error:  # qtpy's error for a missing binding is one, too
        raise CellClipError(
            f"the window needs the gui extra ({str(error).splitlines()[0]}): "
            "pip install 'napari-cellclip[gui]'; every other verb works without it"
        ) from error


def demo_screen() -> tuple[Plate, Screen]:
    """Simulate and encode the sample plate, or find both in the cache.

    Returns
    -------
    plate, screen
        The 96-well sample and its screen by the bundled model.
    """
    from napari_cellclip.model import load_model
    from napari_cellclip.plates import PlateMap, find_platemap, open_plate
    from napari_cellclip.screen import Screen, iter_encode
    from napari_cellclip.simulation import sample_plate

    print("the plate and the model of this demo are simulations", file=sys.stderr)
    with progress_bar("simulating the sample plate") as show:
        path = sample_plate(progress=show)
    plate = open_plate(path)
    table = find_platemap(path)
    platemap = PlateMap.read(table, plate=plate.name) if table else None
    model = load_model("demo")
    out = path.parent / f"{path.name}-{model.card.card_hash[:12]}.screen"
    follow(iter_encode(plate, platemap, model, out), "encoding the sample plate")
    return plate, Screen.open(out)
