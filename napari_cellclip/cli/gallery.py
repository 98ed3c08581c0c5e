"""``napari-cellclip gallery``: plates of the Cell Painting Gallery, searched and fetched."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.options import JsonOption, NameOption
from napari_cellclip.cli.progress import follow, with_notices

if TYPE_CHECKING:
    from napari_cellclip.plates import SearchProgress
    from napari_cellclip.plates.remote.gallery.search import Found

gallery = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Find and fetch public Cell Painting plates.\n\n"
    "Example: napari-cellclip gallery search --project cpg0016-jump --gene RAB30",
)

SHOWN = 200
"""Most plates that are printed as text."""


@gallery.command()
def search(
    project: Annotated[
        str | None, typer.Option(help="Project, such as cpg0016-jump; * and ? stand for any.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Who made the data, such as source_4.")] = None,
    batch: Annotated[str | None, typer.Option(help="Batch, such as 2021_06_07_Batch5.")] = None,
    plate: Annotated[str | None, typer.Option(help="Plate, such as BR00123947.")] = None,
    compound: Annotated[
        str | None,
        typer.Option(help="Plates with a compound: its name, JUMP or Broad identifier, or SMILES."),
    ] = None,
    gene: Annotated[
        str | None, typer.Option(help="Plates with a gene: perturbed, or a target of a compound.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List plates of the Cell Painting Gallery.

    Without an option, lists the projects. Compounds and genes are looked for in the plate maps of the
    project, which must be named.

    Example: napari-cellclip gallery search --project cpg0000-jump-pilot --compound AMG900
    """
    from napari_cellclip.plates import iter_search_gallery

    found: list[Found] = []

    def kept() -> Generator[SearchProgress, None, None]:
        steps = iter_search_gallery(
            project=project, source=source, batch=batch, plate=plate, compound=compound, gene=gene
        )
        for step in with_notices(steps):
            found.extend(step.found)
            yield step

    follow(kept(), "searching")
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    for one in found[:SHOWN]:
        wells = f"  {one.wells}  ({one.treatments})" if one.wells else ""
        print(f"{one.address or one.project}{wells}")
    if len(found) > SHOWN:
        print(
            f"and {len(found) - SHOWN} more: --json lists them all, --source and --batch narrow it",
            file=sys.stderr,
        )
    if not found:
        print("no plate of the gallery fits", file=sys.stderr)
        raise typer.Exit(1)


@gallery.command()
def fetch(
    plate: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            show_default=False,
            help="cpg://project/source/plate as 'search' lists it; s3://… and https://….zarr work too.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", show_default=False, help="Folder to write.")],
    wells: Annotated[
        str | None, typer.Option(help="Wells, such as A01,B03 or blocks A01:B12; all unless given.")
    ] = None,
    sites: Annotated[str | None, typer.Option(help="Sites by number, such as 1,2; all unless given.")] = None,
    stain: Annotated[
        list[str] | None, typer.Option(help="A stain to fetch, once for each; the five unless given.")
    ] = None,
    illum: Annotated[
        bool, typer.Option("--illum", help="Fetch CellProfiler's illumination functions as well.")
    ] = False,
    plate_name: NameOption = None,
) -> None:
    """Fetch a plate or a part of it.

    May be stopped at any time: the same command goes on from there. The folder opens like any other
    plate, with load_data.csv and the plate map in it.

    Example: napari-cellclip gallery fetch cpg://cpg0016-jump/source_4/BR00123947 --wells G01 --out BR00123947
    """
    from napari_cellclip.plates import iter_fetch_plate
    from napari_cellclip.vocabulary import STAINS, wells_in

    by_name = {one.value.lower(): one for one in STAINS}
    if strange := [text for text in stain or () if text.strip().lower() not in by_name]:
        raise typer.BadParameter(f"{strange[0]!r} is not a stain: use one of {', '.join(STAINS)}")
    steps = iter_fetch_plate(
        plate,
        out,
        wells=wells_in(wells) if wells else None,
        sites=[text.strip() for text in sites.split(",") if text.strip()] if sites else None,
        stains=[by_name[text.strip().lower()] for text in stain] if stain else None,
        illum=illum,
        name=plate_name,
    )
    follow(with_notices(steps), "fetching")
    print(out)
