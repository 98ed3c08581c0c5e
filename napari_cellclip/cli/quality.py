"""``napari-cellclip quality SCREEN``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.options import JsonOption, ScreenArgument

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.screen import Screen

SHOWN = 20
"""Most flagged sites that are printed."""


def quality(
    screen: ScreenArgument,
    wells: Annotated[
        bool, typer.Option("--wells", help="With --out: a row for each well, not for each site.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", dir_okay=False, show_default=False, help="Write the whole table as CSV."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List sites that stand out in quality.

    Focus, saturation, emptiness and background are measured for each stain while a plate is encoded, and
    compared with the rest of the plate. Nothing is left out unless you say so: 'encode' and 'derive' take
    --exclude-quality.

    Example: napari-cellclip quality my-screen --out quality.csv
    """
    from napari_cellclip.screen import Screen

    opened = Screen.open(screen)
    sites = opened.quality
    if out is not None:
        (opened.well_quality if wells else sites).to_csv(out)
    print(json.dumps(facts(sites), indent=2) if as_json else "\n".join(lines(opened, sites)))


def facts(sites: pd.DataFrame) -> dict[str, object]:
    """Return what ``quality --json`` prints."""
    from napari_cellclip.screen.quality import FLAGGED

    flagged = sites[(sites[FLAGGED] != "") | (sites["Metadata_Excluded"] != "")]
    rows = zip(flagged.index, flagged[FLAGGED], flagged["Metadata_Excluded"], strict=True)
    return {
        "n_sites": len(sites),
        "n_measured": int(sites["Quality_cells"].notna().sum()),
        "n_flagged": int((sites[FLAGGED] != "").sum()),
        "n_excluded": int((sites["Metadata_Excluded"] != "").sum()),
        "sites": [{"id": site, "flags": flags, "excluded": reason} for site, flags, reason in rows],
    }


def lines(screen: Screen, sites: pd.DataFrame) -> list[str]:
    """Return what ``quality`` prints for people."""
    from napari_cellclip.screen.quality import FLAGGED

    measured = int(sites["Quality_cells"].notna().sum())
    if not measured:
        return [f"no site of {screen.name} is measured: encode it again into the same folder to measure it"]
    flagged = sites[FLAGGED][sites[FLAGGED] != ""]
    text = [f"{measured} of {len(sites)} sites measured, {len(flagged)} flagged"]
    text += [f"  {site}: {flags}" for site, flags in flagged.iloc[:SHOWN].items()]
    if more := len(flagged) - SHOWN:
        text += [f"  and {more} more: --out FILE writes all"] if more > 0 else []
    for plate, rows in sites.groupby("Metadata_Plate", sort=False):
        cells = rows["Quality_cells"].median()
        text.append(f"{plate}: {cells:.0f} cells a site (median)")
    return [*text, exclusion_line(screen)] if screen.excluded else text


def exclusion_line(screen: Screen) -> str:
    """Say how many sites are left out of embeddings, and how many wells have no other."""
    if not screen.excluded:
        return "no site is left out of the embeddings"
    out, gone = len(screen.excluded), int((screen.wells["Metadata_Excluded"] != "").sum())
    line = f"{out} {'site is' if out == 1 else 'sites are'} left out of the embeddings"
    if gone:
        line += f"; {gone} {'well has' if gone == 1 else 'wells have'} no other site, and no embedding"
    return line
