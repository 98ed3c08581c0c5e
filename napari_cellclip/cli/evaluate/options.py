"""Options that the protocols share, and how a result is written and said."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        file_okay=False,
        show_default=False,
        help="Folder for the figures (JSON), the table (CSV) and the picture (PNG).",
    ),
]

UpdateCardOption = Annotated[
    Path | None,
    typer.Option(
        "--update-card",
        exists=True,
        file_okay=False,
        metavar="MODEL_FOLDER",
        show_default=False,
        help="Also put the figures, with date and data, into the card of this model folder.",
    ),
]

SeedOption = Annotated[int, typer.Option("--seed", help="Of everything drawn at random.")]


def conclude(
    out: Path,
    name: str,
    summary: Mapping[str, Any],
    table: pd.DataFrame,
    figure: Figure,
    *,
    update_card: Path | None = None,
) -> None:
    """Write the report of a protocol, print its figures to stdout and its files to stderr.

    Parameters are those of :func:`napari_cellclip.evaluation.report.write_report`.
    """
    from napari_cellclip.evaluation.report import write_report

    report = write_report(out, name, summary, table, figure, update_card=update_card)
    print(as_text(summary["figures"]))
    for path in (report.figures, report.table, report.picture):
        print(path, file=sys.stderr)


def as_text(figures: Mapping[str, Any]) -> str:
    """One line for each figure: its name, value and interval."""
    width = max((len(name) for name in figures), default=0)
    return "\n".join(f"{name:<{width}}  {_said(value)}" for name, value in figures.items())


def _said(value: object) -> str:
    if isinstance(value, Mapping) and "value" in value:
        interval = f"  [{_said(value['low'])}, {_said(value['high'])}]" if "low" in value else ""
        return f"{_said(value['value'])}{interval}"
    if value is None or value != value:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
