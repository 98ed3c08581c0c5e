"""``napari-cellclip annotations``: tables that questions are worded from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.options import JsonOption

if TYPE_CHECKING:
    from napari_cellclip.vocabulary.annotation_tables import AnnotationTable

annotation_tables = typer.Typer(
    no_args_is_help=False,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@annotation_tables.callback()
def listing(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List, install or remove annotation tables.

    Mechanisms and targets in a question are worded with the compounds of these tables, after those of the
    screen's own plate map and before the small table of this package.

    Example: napari-cellclip annotations install repurposing_drugs.txt repurposing_samples.txt --name hub
    """
    if ctx.invoked_subcommand is None:
        _show(as_json)


@annotation_tables.command("list")
def list_tables(as_json: JsonOption = False) -> None:
    """List the annotation tables installed here.

    Example: napari-cellclip annotations list
    """
    _show(as_json)


@annotation_tables.command()
def install(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="Comma- or tab-separated tables, plain or gzipped, with columns pert_iname, moa, target and "
            "SMILES or some of them; several are joined by compound. Or the name of a known table, to be "
            "told where to get it.",
        ),
    ],
    name: Annotated[str, typer.Option(help="What to call it; from the first file, if not given.")] = "",
    source: Annotated[
        str, typer.Option(help="Where it comes from: an address, a paper; kept beside it.")
    ] = "",
    licence: Annotated[str, typer.Option(help="Under what terms; kept beside it.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a table of this name.")] = False,
) -> None:
    """Copy annotation tables into the cache folder.

    Source, date and licence are kept beside them. Nothing is fetched from the network.

    Example: napari-cellclip annotations install drugs.txt samples.txt --name hub --licence "Broad terms"
    """
    from napari_cellclip.explore.wording.name_sources import annotations_folder
    from napari_cellclip.vocabulary.annotation_tables import KNOWN_TABLES, install_annotations

    if len(files) == 1 and files[0] in KNOWN_TABLES and not Path(files[0]).exists():
        print(KNOWN_TABLES[files[0]])
        raise typer.Exit(1)
    table = install_annotations(
        [Path(file) for file in files],
        annotations_folder(),
        name=name,
        source=source,
        licence=licence,
        replace=replace,
    )
    print(_described(table))
    if not licence:
        print("no licence was stated: give --licence with --replace to keep it beside the table")


@annotation_tables.command()
def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", show_default=False, help="As 'annotations' lists it.")
    ],
) -> None:
    """Delete an installed table.

    Example: napari-cellclip annotations remove hub
    """
    from napari_cellclip.explore.wording.name_sources import annotations_folder
    from napari_cellclip.vocabulary.annotation_tables import remove_annotations

    remove_annotations(name, annotations_folder())
    print(f"removed {name}")


def _show(as_json: bool) -> None:
    from napari_cellclip.explore.wording.name_sources import installed_tables

    tables = installed_tables()
    if as_json:
        print(json.dumps([{**asdict(table), "folder": str(table.folder)} for table in tables], indent=2))
    elif tables:
        print("\n".join(_described(table) for table in tables))
    else:
        print("no annotation table is installed; the table of this package is used alone")


def _described(table: AnnotationTable) -> str:
    stated = f"source: {table.source or 'not stated'}; licence: {table.licence or 'not stated'}"
    return f"{table.name}: {table.compounds} compounds, installed {table.installed}\n  {stated}"
