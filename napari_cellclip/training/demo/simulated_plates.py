"""The training plates of the bundled model: simulated, written to disk, read back as any plate is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.model import IntensityScaling, IntensityStats
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Progress
from napari_cellclip.simulation import Nuisance, default_design, simulate_plate
from napari_cellclip.training.demo.held_out import training_compounds
from napari_cellclip.vocabulary import STAINS


@dataclass(frozen=True)
class TrainingPlate:
    """One simulated plate in memory.

    Attributes
    ----------
    name : str
        Of the plate.
    pixels : ndarray of uint16, shape (sites, 5, Y, X)
        Memory map of camera counts, stains in the order of ``STAINS``.
    sites : DataFrame
        One row per field: ``well`` and the columns of the simulated plate map.
    stats : IntensityStats
        Plate-wide intensity range, measured as at inference.
    """

    name: str
    pixels: NDArray[np.uint16]
    sites: pd.DataFrame
    stats: IntensityStats


def training_nuisance(seed: int) -> Nuisance:
    """Staining, camera and dirt of one training plate: drawn around the usual, within the training range.

    ``Nuisance.severe()`` lies outside this range in every setting named here.
    """
    rng = np.random.default_rng([seed, 77])
    return replace(
        Nuisance(),
        plate_gain=float(rng.uniform(0.15, 0.35)),
        well_gain=float(rng.uniform(0.10, 0.18)),
        density=float(rng.uniform(620.0, 840.0)),
        vignetting=float(rng.uniform(0.08, 0.28)),
        read_noise=float(rng.uniform(8.0, 24.0)),
        electrons=float(rng.uniform(0.6, 1.3)),
        haze=float(rng.uniform(0.2, 0.35)),
        debris=float(rng.uniform(0.1, 0.8)),
    )


def iter_simulate_training(
    folder: Path,
    seeds: Sequence[int],
    scaling: IntensityScaling,
    *,
    wells: int = 96,
    sites: int = 2,
    size: tuple[int, int] = (256, 256),
    workers: int | None = None,
) -> Iterator[Progress]:
    """Simulate training plates that are not in `folder` yet.

    Held-out compounds never appear on them. Each plate is one array, one table and one file of intensity
    ranges; the latter is written last, so that a plate is either whole or made again.

    Parameters
    ----------
    folder : Path
        Where the plates are kept.
    seeds : sequence of int
        One plate each.
    scaling : IntensityScaling
        How the model measures a plate's intensities.
    wells, sites, size
        Format; size in pixels (Y, X).
    workers : int, optional
        Processes.

    Yields
    ------
    Progress
        One per plate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for done, seed in enumerate(seeds, start=1):
        stem = folder / f"train-{seed}"
        if not stem.with_suffix(".json").exists():
            written = folder / f"writing-{seed}"
            shutil.rmtree(written, ignore_errors=True)
            design = default_design(wells, seed, compounds=training_compounds())
            path = simulate_plate(
                written,
                wells=wells,
                sites=sites,
                seed=seed,
                size=size,
                design=design,
                nuisance=training_nuisance(seed),
                name=stem.name,
                workers=workers,
            )
            _gather(path, stem, scaling)
            shutil.rmtree(written)
        yield Progress(done, len(seeds), f"simulated plate {stem.name}", stage="fields")


def _gather(path: Path, stem: Path, scaling: IntensityScaling) -> None:
    """Turn a written plate into one array, its truth and its intensity ranges."""
    plate = open_plate(path)
    truth = pd.read_csv(path / "platemap.csv", keep_default_na=False).set_index("well", drop=False)
    pixels = np.stack([site.read(STAINS) for site in plate.sites])
    table = truth.loc[[site.well for site in plate.sites]]
    np.save(stem.with_suffix(".npy"), pixels)
    table.to_csv(stem.with_suffix(".csv"), index=False)
    stats = IntensityStats.measure(pixels, scaling)
    stem.with_suffix(".json").write_text(stats.model_dump_json(), encoding="utf-8")


def training_plates(folder: Path, seeds: Sequence[int]) -> list[TrainingPlate]:
    """Open the training plates of these seeds."""
    plates = []
    for seed in seeds:
        stem = folder / f"train-{seed}"
        sites = pd.read_csv(stem.with_suffix(".csv"), keep_default_na=False)
        sites["effect"] = pd.to_numeric(sites["effect"], errors="coerce").fillna(0.0)
        stats = IntensityStats.model_validate(
            json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        )
        plates.append(
            TrainingPlate(stem.name, np.load(stem.with_suffix(".npy"), mmap_mode="r"), sites, stats)
        )
    return plates
