"""Simulate one well of a plate: its treatment, its fields, its files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_cellclip.simulation import ome_zarr, phenix
from napari_cellclip.simulation.design import Treatment
from napari_cellclip.simulation.nuisance import Nuisance, Staining
from napari_cellclip.simulation.pharmacology import Pharmacology, responding_share
from napari_cellclip.simulation.phenotypes import Phenotype, developed
from napari_cellclip.simulation.render import Field, render_field
from napari_cellclip.vocabulary import STAINS, Kind, parse_well


@dataclass(frozen=True)
class TreatedWell:
    """Input of a worker process for one well."""

    folder: Path
    layout: str
    well: str
    treatment: Treatment
    sites: int
    size: tuple[int, int]
    pixel_size: float
    nuisance: Nuisance
    plate: Staining
    at_edge: bool
    seed: int
    truth: bool


def look_of(treatment: Treatment, amount: float) -> Phenotype:
    """Compute the phenotype of a cell that responds to a treatment with this strength (1 at full effect)."""
    p = treatment.perturbation
    acts = Pharmacology.of(f"{p.name} knockout" if p.kind is Kind.CRISPR else p.name)
    return developed(treatment.mechanism, amount, acts.off_target)


def render_site(
    treatment: Treatment,
    *,
    seed: int | np.random.SeedSequence = 0,
    size: tuple[int, int] = (320, 320),
    pixel_size: float = 0.6,
    nuisance: Nuisance | None = None,
    staining: Staining | None = None,
    density: float | None = None,
) -> Field:
    """Render one field of a treated well.

    Parameters
    ----------
    treatment : Treatment
        Of the well.
    seed : int or SeedSequence
        The same seed gives the same field.
    size : tuple of int
        Rows and columns, pixels.
    pixel_size : float
        Micrometres.
    nuisance, staining, density
        See `render_field`.
    """
    # Weak doses reach fewer cells, and reach them less: both are seen in real dose series.
    strength = treatment.effect**0.5
    return render_field(
        lambda cell: look_of(treatment, strength * cell),
        responding_share(treatment.effect) if treatment.mechanism else 0.0,
        seed=seed,
        shape=size,
        pixel_size=pixel_size,
        nuisance=nuisance,
        staining=staining,
        density=density,
    )


def simulate_well(job: TreatedWell) -> str:
    """Render and write the fields of a well; return its name."""
    row, column = parse_well(job.well)
    rng = np.random.default_rng([job.seed, 2, row, column])
    n = job.nuisance
    gain = job.plate.gain * np.exp(n.well_gain * rng.standard_normal(len(STAINS)))
    density = n.density * float(np.exp(n.density_spread * rng.standard_normal()))
    if job.at_edge:
        gain = gain * (1 + n.edge_gain * rng.random())
        density *= 1 - n.edge_loss * rng.random()
    for site in range(1, job.sites + 1):
        staining = Staining(
            gain * np.exp(n.site_gain * rng.standard_normal(len(STAINS))),
            job.plate.background,
        )
        field = render_site(
            job.treatment,
            seed=np.random.SeedSequence([job.seed, 3, row, column, site]),
            size=job.size,
            pixel_size=job.pixel_size,
            nuisance=n,
            staining=staining,
            density=density,
        )
        if job.layout == "phenix":
            phenix.write_site(job.folder, job.well, site, field.pixels)
        else:
            ome_zarr.write_site(job.folder, job.well, site, field.pixels, job.pixel_size)
        if job.truth:
            _write_truth(job.folder / "truth", job.well, site, field.cells, field.responding)
    return job.well


def _write_truth(
    folder: Path,
    well: str,
    site: int,
    cells: NDArray[np.int32],
    responding: NDArray[np.bool_],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / f"{well}_{site}_cells.tif", cells.astype(np.uint16), compression="zlib")
    with (folder / f"{well}_{site}_cells.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("cell", "responding"))
        writer.writerows((number, int(answer)) for number, answer in enumerate(responding, 1))
