"""``napari-cellclip import-profiles TABLE…``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_cellclip.cli.options import JsonOption


def import_profiles(
    tables: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            metavar="TABLE",
            show_default=False,
            help="CellProfiler profiles as pycytominer writes them, or embeddings (CSV, CSV.gz, Parquet), a "
            "row for each well or site; or a folder of JUMP-Lite's embeddings.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", show_default=False, help="Screen folder to write.")],
    annotations: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            show_default=False,
            help="Table with what is known of each compound (moa_list, target_list), joined on broad_sample, "
            "InChIKey or the name, or of each well, joined on plate and well.",
        ),
    ] = None,
    cell_line: Annotated[str, typer.Option(help="Cell line, where the tables do not name it.")] = "",
    shared: Annotated[
        bool, typer.Option("--shared", help="Use what all tables share, where their features differ.")
    ] = False,
    brightfield: Annotated[
        bool, typer.Option("--brightfield", help="Keep features of transmitted light, which is no stain.")
    ] = False,
    standardise_on: Annotated[
        str, typer.Option(help="Wells a plate is standardised on: its negative 'controls', or 'all'.")
    ] = "controls",
    model: Annotated[
        str,
        typer.Option(
            help="Head that embeds the wells, so that they can be asked in words; 'none' leaves the profiles."
        ),
    ] = "profiles",
    encoder: Annotated[
        str, typer.Option(help="What made the embeddings: only wells of one encoder are compared.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a screen of CellProfiler profiles.

    Or of embeddings; no image is needed. Features are grouped by the stains in their names and
    standardised on the negative controls of each plate. The bundled head, trained on real cells, embeds
    the wells by the features it knows, so that they can be asked in words at once; 'train' makes a head
    of your own, 'derive' applies it.

    Example: napari-cellclip import-profiles BR*.csv.gz --annotations compounds.tsv --out my-screen
    """
    from napari_cellclip.screen.imports.profiles import import_profiles as run
    from napari_cellclip.screen.imports.profiles import import_report

    if standardise_on not in ("controls", "all"):
        raise typer.BadParameter(
            "wells to standardise on are 'controls' or 'all'", param_hint="--standardise-on"
        )
    screen = run(
        tables,
        out,
        annotations=annotations,
        cell_line=cell_line,
        shared=shared,
        brightfield=brightfield,
        standardise_on=standardise_on,  # type: ignore[arg-type]
        model="" if model == "none" else model,
        encoder=encoder,
    )
    found = import_report(screen)
    print(json.dumps(found, indent=1) if as_json else describe(found))


def describe(found: Mapping[str, Any]) -> str:
    """Return the report of an import for people."""
    counts = found["features"]
    rows = ", ".join(f"{stain} {n}" for stain, n in found["rows"].items())
    lines = [
        f"features: {counts['one stain']} of one stain, {counts['several stains']} of several (in the row of "
        f"each), {counts['no stain']} of none (in every row), {counts['left out']} of brightfield left out",
        f"rows of a well: {rows}; padded with zeros to {found['width']}, {counts['padding']} in all",
    ]
    if gaps := found["left out for gaps"]:
        lines.append(
            f"left out, missing or infinite in too many wells of a plate: {len(gaps)} features"
            f" ({', '.join(gaps[:3])}{', …' if len(gaps) > 3 else ''})"
        )
    if numbered := found.get("numbered doses"):
        lines.append(
            f"{numbered} numbers the doses and does not say them: wells of a compound are one treatment at"
            " whatever dose; add a column with doses in micromolar"
        )
    for plate, report in found["plates"].items():
        lines.append(f"{plate}: {report['wells']} wells, standardised on {report['standardised on']}")
        for what in ("constant", "with gaps filled"):
            if names := report[what]:
                some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
                lines.append(f"  {len(names)} features {what}: {some}")
        if report["empty wells"]:
            lines.append(f"  {report['empty wells']} wells without any number: among the screen's failures")
    if model := found.get("model"):
        lines.append(f"embedded by: {model}")
    return "\n".join(lines)
