"""Options that several studies share, and how they report progress."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

TablesArgument = Annotated[
    list[Path],
    typer.Argument(
        exists=True,
        dir_okay=False,
        metavar="TABLE",
        show_default=False,
        help="CellProfiler profiles of the plates, as 'napari-cellclip import-profiles' takes them.",
    ),
]

AnnotationsOption = Annotated[
    Path,
    typer.Option(
        exists=True,
        dir_okay=False,
        show_default=False,
        help="Table with moa_list and target_list of each compound.",
    ),
]

ModelOption = Annotated[str, typer.Option(help="Name of a model card, or a model folder.")]


def progress(message: str) -> None:
    """Print a line of progress to stderr, so that stdout holds results only."""
    print(message, file=sys.stderr)
