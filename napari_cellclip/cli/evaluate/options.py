"""Options that the protocols share, and how a result is written and printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from napari_cellclip.evaluation.protocols.correction import Correction
    from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable

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

WorkOption = Annotated[
    Path | None,
    typer.Option(
        "--work",
        file_okay=False,
        show_default=False,
        help="Keep plates and screens here; what is there already is used again.",
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

SourcesArgument = Annotated[
    list[Path],
    typer.Argument(
        exists=True,
        metavar="SOURCE",
        show_default=False,
        help="Screen folders of one model; or one file of embeddings (Parquet or CSV with Metadata_ columns, "
        "HDF5 with 'embeddings' and 'well_id').",
    ),
]

MetadataOption = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        show_default=False,
        help="A table that says more of a file's rows, joined on the first column they share.",
    ),
]

ControlsOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        show_default=False,
        help="Which rows are the negative controls, where the table does not say so itself.",
    ),
]

ByOption = Annotated[
    str,
    typer.Option("--by", metavar="COLUMN", help="Column that tells perturbations apart; else name and dose."),
]

WithinOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="A further column in which replicates must agree, such as a time point; once for each.",
    ),
]

CorrectOption = Annotated[
    str,
    typer.Option(
        "--correct",
        metavar="METHOD",
        help="Batch correction fitted on negative controls: none, center, sphering, tvn, pca, kernel_pca.",
    ),
]

KernelOption = Annotated[str, typer.Option(help="Kernel of kernel_pca: linear, poly or rbf.")]

ComponentsOption = Annotated[int, typer.Option(min=1, help="How many components kernel_pca keeps.")]

ScalerOption = Annotated[
    str,
    typer.Option(
        help="What kernel_pca scales a plate on: 'controls' (the paper) or 'all wells' (the published code)."
    ),
]

FitOnOption = Annotated[
    str,
    typer.Option(
        help="Of each plate's controls a correction is fitted on 'half', and the others are the negatives of "
        "replicates; or 'all' are both, as published, which flatters."
    ),
]

BatchOption = Annotated[
    str, typer.Option(metavar="COLUMN", help="Column of plates or experiments for the correction.")
]

ConsensusOption = Annotated[
    str,
    typer.Option("--consensus", help="How the wells of a perturbation become one profile: mean or median."),
]

NullOption = Annotated[
    int, typer.Option("--null", min=100, help="Random rankings behind each p-value; the paper took 100000.")
]

SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random draws.")]


def embeddings(sources: list[Path], metadata: Path | None, controls: str | None) -> EmbeddingTable:
    """Read the embeddings to evaluate; see
    :func:`napari_cellclip.evaluation.protocols.embeddings.read_embeddings`.
    """
    from napari_cellclip.evaluation.protocols.embeddings import read_embeddings

    table = read_embeddings(sources, metadata)
    return table if controls is None else table.with_controls(controls)


def correction(method: str, kernel: str, components: int, scaler: str, batch: str) -> Correction:
    """Make a correction of what was typed; an unknown method is refused when it is applied."""
    from napari_cellclip.evaluation.protocols.correction import Correction

    return Correction(method, kernel, components, scaler, batch)  # type: ignore[arg-type]


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

    Parameters are those of :func:`napari_cellclip.evaluation.protocols.report.write_report`.
    """
    from napari_cellclip.evaluation.protocols.report import write_report

    report = write_report(out, name, summary, table, figure, update_card=update_card)
    print(as_text(summary["figures"]))
    for path in (report.figures, report.table, report.picture):
        print(path, file=sys.stderr)


def as_text(figures: Mapping[str, Any]) -> str:
    """One line for each figure: its name, value and interval."""
    width = max((len(name) for name in figures), default=0)
    return "\n".join(f"{name:<{width}}  {_text(value)}" for name, value in figures.items())


def _text(value: object) -> str:
    if isinstance(value, Mapping) and "value" in value:
        interval = f"  [{_text(value['low'])}, {_text(value['high'])}]" if "low" in value else ""
        return f"{_text(value['value'])}{interval}"
    if value is None or value != value:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
