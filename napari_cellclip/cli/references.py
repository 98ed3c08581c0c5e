"""``napari-cellclip references``: treatments whose identity is known, which wells are compared with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.options import JsonOption
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore import ReferenceSet, ReferenceSource

references = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Build, install and list reference treatments.\n\nCompounds and genes whose identity is known.\n\n"
    "Example: napari-cellclip references list my-screen",
)

SetArgument = Annotated[
    str,
    typer.Argument(
        metavar="SET",
        show_default=False,
        help="A reference file, the name of an installed set, or a screen folder.",
    ),
]


@references.command()
def build(
    screens: Annotated[
        list[Path],
        typer.Argument(
            exists=True, file_okay=False, metavar="SCREEN", show_default=False, help="Screen folders."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", show_default=False, help="Reference file to write.")],
    licence: Annotated[
        str, typer.Option(help="Licence of the data; kept in the file, shown with answers.")
    ] = "",
    attribution: Annotated[str, typer.Option(help="Whom to name; kept in the file.")] = "",
    cell_line: Annotated[str, typer.Option(help="Cell line, where the plate maps do not name it.")] = "",
    hours: Annotated[
        float | None, typer.Option(min=0, show_default=False, help="Hours between treatment and fixation.")
    ] = None,
) -> None:
    """Make a reference set of labelled treatments.

    Example: napari-cellclip references build pilot-screen --out pilot --cell-line U2OS --hours 48
    """
    from napari_cellclip.explore import ReferenceSource, build_references, write_references
    from napari_cellclip.screen import Screen

    opened = [Screen.open(screen) for screen in screens]
    sources = [ReferenceSource(s.name, cell_line, hours, licence, attribution) for s in opened]
    made = build_references(opened, sources=sources)
    print(f"wrote {write_references(made, out)}\n{described(made)}")


@references.command("list")
def list_mechanisms(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="SET",
            show_default=False,
            help="A reference file, the name of an installed set, or a screen folder; without it the"
            " installed sets are listed.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="List mechanisms that cannot be recognised, or sets not installed, too."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List mechanisms that an assay can recognise.

    Those whose references find each other. AP is the average precision of finding a mechanism's
    references by the others, each left out in turn; chance is that of random references, p how often
    those do as well, q the false-discovery rate over all.

    Example: napari-cellclip references list cpjump1
    """
    if which is None:
        _list_sets(every, as_json)
        return
    table = _recognisable(which)
    if as_json:
        rows = table.reset_index().to_dict("records")
        json.dump(rows, sys.stdout, indent=2)
        print()
        return
    shown = table if every else table[table["recognisable"]]
    found = int(table["recognisable"].sum())
    print(f"{found} of {len(table)} mechanisms are recognisable (three references, p ≤ 0.05 each)")
    width = max((len(str(name)) for name in shown.index), default=9)
    print(f"{'mechanism':<{width}}  {'references':>10}  {'AP':>5}  {'chance':>6}  {'p':>6}  {'q':>6}")
    for name, row in shown.iterrows():
        print(
            f"{name!s:<{width}}  {row['references']:>10}  {row['precision']:>5.2f}  {row['chance']:>6.2f}"
            f"  {row['p']:>6.2g}  {row['q']:>6.2g}"
        )


def _list_sets(every: bool, as_json: bool) -> None:
    """Print the installed sets, and with `every` the public ones that could be."""
    from napari_cellclip.explore.references.public.installed_sets import installed_references
    from napari_cellclip.explore.references.public.public_sets import PUBLIC_SETS

    names = installed_references()
    others = [public for name, public in PUBLIC_SETS.items() if every and name not in names]
    if as_json:
        print(json.dumps([*names, *(public.name for public in others)]))
        return
    lines = [*names, *(f"{p.name}  (not installed; {p.licence}; {p.attribution})" for p in others)]
    print(
        "\n".join(lines)
        or "no reference set is installed; 'references list --all' shows public ones to install"
    )


@references.command()
def show(
    which: SetArgument,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", show_default=False, help="Show those of this treatment or mechanism only."
        ),
    ] = "",
) -> None:
    """Show the treatments of a reference set.

    Example: napari-cellclip references show cpjump1 "tubulin inhibitor"
    """
    found = _references(which)
    table = found.treatments
    if name:
        wanted = name.casefold()
        own = table["name"].str.casefold() == wanted
        carried = table["mechanism"].map(lambda text: wanted in text.casefold().split("|"))
        table = table[own | carried]
        if table.empty:
            raise CellClipError(
                f"{which} has no treatment or mechanism called {name!r}; near it: {_near(name, found)}"
            )
    else:
        print(described(found))
    for row in table.to_dict("records"):
        dose = "" if row["dose"] != row["dose"] else f" {row['dose']:g} µM"
        agreement = "" if row["agreement"] != row["agreement"] else f", agreement {row['agreement']:.2f}"
        print(
            f"{row['name']}{dose}: {row['mechanism'] or row['genes'] or 'not annotated'};"
            f" {row['wells']} wells on {row['plates']} plates{agreement}; {row['source']}"
        )


def _near(name: str, found: ReferenceSet) -> str:
    """Name the treatments and mechanisms of a set whose names are most like another."""
    from rapidfuzz.fuzz import WRatio
    from rapidfuzz.process import extract

    mechanisms = {one for text in found.treatments["mechanism"] for one in text.split("|") if one}
    names = sorted({*found.treatments["name"], *mechanisms})
    best = extract(name, names, scorer=WRatio, processor=str.casefold, limit=3)
    return ", ".join(one for one, *_ in best)


@references.command()
def install(
    which: Annotated[
        list[str],
        typer.Argument(
            metavar="SET",
            show_default=False,
            help="cpjump1 or dahlin2023, the public sets; or reference files to keep by name.",
        ),
    ],
    given: Annotated[
        Path | None,
        typer.Option(
            "--from",
            exists=True,
            show_default=False,
            help="Folder that holds the public set's tables; nothing is fetched then.",
        ),
    ] = None,
) -> None:
    """Install a reference set, to be used by name.

    Public sets are built from their published profile tables, which are fetched (8 MB each) and checked; an
    interrupted download goes on where it stopped.

    Example: napari-cellclip references install cpjump1
    """
    from napari_cellclip.explore.references.files import SUFFIX, read_references
    from napari_cellclip.explore.references.public.installed_sets import install_file, install_public
    from napari_cellclip.explore.references.public.public_sets import PUBLIC_SETS

    for name in which:
        public = PUBLIC_SETS.get(name)
        if public is None:
            if not from_home(name).is_file():
                known = ", ".join(PUBLIC_SETS)
                raise CellClipError(f"there is no reference file {name}; public sets are {known}")
            file = install_file(name)
        else:
            print(f"{public.title}\n  licence: {public.licence}\n  by: {public.attribution}", flush=True)
            file = install_public(
                public,
                given=given,
                progress=lambda f, done, total: (
                    print(f"{f.name}: {total} bytes", file=sys.stderr) if done >= total else None
                ),
            )
        made = read_references(file)
        print(f"installed {file.name.removesuffix(SUFFIX)}\n{described(made)}")


def described(found: ReferenceSet) -> str:
    """Describe a reference set for people: how many of what, and under which terms."""
    active = int(found.active.sum())
    lines = [
        f"{found.treatments['name'].nunique()} treatments in {len(found)} doses ({active} in use),"
        f" {len(found.features)} features"
    ]
    return "\n".join([*lines, *map(source_line, found.sources)])


def source_line(source: ReferenceSource) -> str:
    """Describe a source for people, with licence and attribution."""
    parts = [source.name, source.cell_line, "" if source.hours is None else f"{source.hours:g} h"]
    terms = f"licence: {source.licence or 'not stated'}"
    by = f"; {source.attribution}" if source.attribution else ""
    return f"  {', '.join(part for part in parts if part)}; {terms}{by}"


def _references(which: str) -> ReferenceSet:
    from napari_cellclip.explore import build_references
    from napari_cellclip.explore.references.public.installed_sets import named_references
    from napari_cellclip.screen import Screen

    return build_references([Screen.open(which)]) if Path(which).is_dir() else named_references(which)


def _recognisable(which: str) -> pd.DataFrame:
    from napari_cellclip.explore.references.building import recognisable_in

    return recognisable_in(_references(which))
