"""Batch corrections on real plates: replicates and the mixing of plates, the table of docs/quality.md."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.accuracy.script import progress
from napari_cellclip.evaluation.protocols.batch import batch
from napari_cellclip.evaluation.protocols.correction import Correction, half_of_controls
from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable, read_embeddings
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports.profile_tables import plates_of, read_profiles
from napari_cellclip.screen.plate_mixing import plate_mixing
from napari_cellclip.training.profiles.public_tables import cpjump1_screen, dahlin_screen
from napari_cellclip.vocabulary import ScreenError

METHODS = ("center", "sphering", "tvn", "harmony")

HALVES = 10
"""Random halves of the plates in which mixing is measured again, for its range."""


def main(
    cpjump1: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of CPJUMP1.")],
    dahlin2023: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of Dahlin 2023.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("batch.json"),
    null: Annotated[int, typer.Option(min=100, help="Size of the null of replicates.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of halves, null and bootstrap.")] = 0,
    first: Annotated[int | None, typer.Option(min=1, help="Correct only so many of the five sets.")] = None,
) -> None:
    """Correct real profiles in every way, with half of each plate's controls fitted on. Some ten minutes.

    Example: python -m benchmarks.accuracy.batch_corrections cpjump1-tables dahlin-tables
    """
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        screens = {
            f"CPJUMP1, {hours} h": [cpjump1_screen(cpjump1, hours, folder / f"cpjump1-{hours}")]
            for hours in (48, 24)
        }
        screens["CPJUMP1, both"] = [screen for found in list(screens.values()) for screen in found]
        for hours in (48, 24):
            screens[f"Dahlin 2023, {hours} h"] = [
                dahlin_screen(dahlin2023, hours, folder / f"dahlin-{hours}")
            ]
        published = values_as_published(
            [*sorted(cpjump1.glob("*.csv.gz")), *sorted(dahlin2023.glob("*.csv.gz"))]
        )
        for name, of_set in islice(screens.items(), first):
            progress(name)
            results[name] = corrected(of_set, published, null, seed)
            out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, found in results.items():
        print(name)
        print(pd.DataFrame(found).T.round(3).to_string())


def corrected(
    screens: Sequence[Screen], published: dict[str, NDArray[np.float64]], null: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Figures by correction; ``published`` is the table as it was before it was standardised here."""
    table = read_embeddings([screen.path for screen in screens])
    raw = np.stack([published[str(well)] for well in table.wells.index])
    varying = raw.std(axis=0) > 0
    before = replace(
        table, vectors=((raw - raw.mean(axis=0)) / np.where(varying, raw.std(axis=0), 1))[:, varying]
    )
    _, first, _ = batch(before, (), null_size=null, seed=seed)
    _, rest, _ = batch(table, METHODS, null_size=null, seed=seed)
    rows = {"as published": (before, "none", first.loc["none"])}
    for method, row in rest.iterrows():
        rows["robust z on controls" if method == "none" else str(method)] = table, str(method), row
    return {
        name: {
            "wells": len(table),
            "plates": int(table.wells["Metadata_Plate"].nunique()),
            **{
                key: row[key]
                for key in ("replicate_mAP", "low", "high", "random_mAP", "plate_mixing", "refused")
            },
            **dict(zip(("mixing_low", "mixing_high"), mixing_range(source, method, seed), strict=True)),
        }
        for name, (source, method, row) in rows.items()
    }


def mixing_range(table: EmbeddingTable, method: str, seed: int) -> tuple[float, float]:
    """Lowest and highest mixing among random halves of the plates, corrected together as all were."""
    fit = half_of_controls(table, seed)
    try:
        scored = Correction(method).apply(table, fit)[0].take(~fit)  # type: ignore[arg-type]
    except ScreenError:
        return np.nan, np.nan
    plates = scored.wells["Metadata_Plate"].to_numpy()
    names, rng = np.unique(plates), np.random.default_rng(seed)
    found = []
    for _ in range(HALVES):
        chosen = rng.choice(names, max(2, len(names) // 2), replace=False)
        own = np.isin(plates, chosen)
        found.append(plate_mixing(scored.vectors[own], plates[own].tolist(), seed=seed))
    return min(found), max(found)


def values_as_published(files: Sequence[Path]) -> dict[str, NDArray[np.float64]]:
    """Features of every well as its table has them, gaps as the plate's median."""
    values: dict[str, NDArray[np.float64]] = {}
    for file in files:
        table = read_profiles(file).rename(columns={"Plate": "Metadata_Plate", "Well": "Metadata_Well"})
        names = [
            name for name in table.columns if str(name).split("_")[0] in ("Cells", "Cytoplasm", "Nuclei")
        ]
        for _, rows in plates_of(file.name, table):
            numbers = rows[names].to_numpy(np.float64)
            numbers = np.where(np.isfinite(numbers), numbers, np.nanmedian(numbers, axis=0))
            for site, row in zip(rows.index, np.nan_to_num(numbers), strict=True):
                values.setdefault(str(site).rsplit("/", 1)[0], row)
    return values


if __name__ == "__main__":
    typer.run(main)
