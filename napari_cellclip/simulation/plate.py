"""Simulate a whole plate and write it in the layout of a real instrument."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from napari_cellclip.simulation import ome_zarr, phenix
from napari_cellclip.simulation.design import Design, default_design
from napari_cellclip.simulation.nuisance import Nuisance, Staining
from napari_cellclip.simulation.treated_well import TreatedWell, simulate_well
from napari_cellclip.vocabulary import STAINS, CellClipError, parse_well
from napari_cellclip.vocabulary.user_folders import from_home

Layout = Literal["phenix", "ome-zarr"]

UNFINISHED = ".unfinished"
"""File in the folder of a plate while it is being written: what a killed run leaves can be told by it."""

COLUMNS = (
    "well",
    "treatment",
    "kind",
    "smiles",
    "genes",
    "mechanism",
    "dose",
    "effect",
    "control_type",
)


@dataclass(frozen=True, slots=True)
class Simulated:
    """Progress of a simulation.

    Attributes
    ----------
    done, total : int
        Wells.
    message : str
        What was done last.
    """

    done: int
    total: int
    message: str = ""


def iter_simulate(
    out: str | os.PathLike[str],
    *,
    wells: int = 96,
    sites: int = 2,
    seed: int = 0,
    layout: Layout = "phenix",
    size: tuple[int, int] = (320, 320),
    pixel_size: float = 0.6,
    nuisance: Nuisance | None = None,
    design: Design | None = None,
    truth: bool = False,
    name: str | None = None,
    workers: int | None = None,
) -> Iterator[Simulated]:
    """Simulate a plate of known truth and write it as a real instrument would.

    Parameters
    ----------
    out : path
        Plate folder, new or empty.
    wells : int
        Plate format: 6, 12, 24, 48, 96, 384 or 1536; ignored if a design is given.
    sites : int
        Fields in each well.
    seed : int
        The same seed gives the same bytes, whatever the number of workers.
    layout : {"phenix", "ome-zarr"}
        TIFFs with an Opera Phenix index, or an OME-Zarr 0.5 plate.
    size : tuple of int
        Rows and columns of a field, pixels.
    pixel_size : float
        Micrometres.
    nuisance : Nuisance, optional
        Staining, optics, dirt.
    design : Design, optional
        What goes into which well; `default_design` of the seed otherwise.
    truth : bool
        Write ``truth/WELL_SITE_cells.tif`` (number of the cell at each pixel) and
        ``truth/WELL_SITE_cells.csv`` (whether a cell responds) too.
    name : str, optional
        Plate name; the folder's by default.
    workers : int, optional
        Processes; as many as there are cores to be used by default.

    Yields
    ------
    Simulated
        One report a well. The folder holds a whole plate, with ``platemap.csv`` and ``simulated.json``, only
        once all have come; a run that is stopped leaves nothing.

    Raises
    ------
    CellClipError
        If the folder is not empty, as after a run that was killed, or the format does not exist.
    """
    out = from_home(out)
    if (out / UNFINISHED).is_file():
        raise CellClipError(
            f"{out} holds half a plate of a simulation that was killed: delete that folder and simulate again"
            " (wait, if one is writing it right now)"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CellClipError(f"{out} is not empty: name a new folder, or empty it first")
    if sites < 1 or min(size) < 32 or pixel_size <= 0:
        raise CellClipError(
            f"cannot simulate {sites} sites of {size[0]}x{size[1]} pixels of {pixel_size} µm: "
            "at least 1 site of 32x32 pixels is needed"
        )
    if layout not in ("phenix", "ome-zarr"):
        raise CellClipError(f"no layout is called {layout!r}: choose phenix or ome-zarr")
    nuisance = nuisance or Nuisance()
    design = design or default_design(wells, seed)
    name = name or out.name.removesuffix(".zarr")
    rng = np.random.default_rng([seed, 1])
    plate = Staining(
        np.exp(nuisance.plate_gain * rng.standard_normal(len(STAINS))),
        np.exp(nuisance.background_gain * rng.standard_normal(len(STAINS))),
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / UNFINISHED).touch()
    rows, columns = design.shape
    jobs = []
    for well, treatment in design.wells.items():
        row, column = parse_well(well)
        at_edge = row in (0, rows - 1) or column in (0, columns - 1)
        job = TreatedWell(
            out,
            layout,
            well,
            treatment,
            sites,
            size,
            pixel_size,
            nuisance,
            plate,
            at_edge,
            seed,
            truth,
        )
        jobs.append(job)
    try:
        with _results(workers, jobs) as results:
            for done, well in enumerate(results, 1):
                yield Simulated(done, len(jobs), f"simulated {name}/{well}")
        if layout == "phenix":
            phenix.write_index(out, name, design.shape, design.wells, sites, size, pixel_size)
        else:
            ome_zarr.write_index(out, name, design.shape, design.wells, sites)
        _write_record(out, name, seed, pixel_size)
        # Written last: a folder with a plate map is a whole plate.
        write_platemap(out / "platemap.csv", design)
        (out / UNFINISHED).unlink()
    except BaseException:
        # Half a plate would open as a whole one.
        shutil.rmtree(out, ignore_errors=True)
        raise


def simulate_plate(out: str | os.PathLike[str], **options: Any) -> Path:
    """Simulate a plate and return its folder; parameters and errors as `iter_simulate`.

    Examples
    --------
    >>> simulate_plate("my-plate", wells=96, sites=2, seed=7)   # doctest: +SKIP
    """
    for _ in iter_simulate(out, **options):
        pass
    return from_home(out)


def write_platemap(path: Path, design: Design) -> None:
    """Write the plate map of a simulated plate, ``effect`` being the simulated truth."""
    partial_path = path.with_suffix(".partial")
    with partial_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for well, treatment in design.wells.items():
            p = treatment.perturbation
            writer.writerow(
                (
                    well,
                    p.name,
                    p.kind.value,
                    p.smiles,
                    "|".join(p.genes),
                    p.mechanism,
                    "" if p.dose is None else f"{p.dose:g}",
                    f"{treatment.effect:.4f}",
                    p.control.value if p.control else "",
                )
            )
    partial_path.replace(path)


def _write_record(out: Path, name: str, seed: int, pixel_size: float) -> None:
    record = {
        "simulated": True,
        "plate": name,
        "seed": seed,
        "pixel_size_um": pixel_size,
        "note": "Simulated by napari-cellclip; no real cells, no evidence about the compounds named.",
    }
    (out / "simulated.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _results(workers: int | None, jobs: list[TreatedWell]) -> Iterator[Iterator[str]]:
    """Simulate wells, in as many processes as there is use for; leaving ends those that are at work."""
    count = min(workers or _cores(), len(jobs))
    if count <= 1:
        yield map(simulate_well, jobs)
        return
    # Spawned, not forked: forking a process with Qt or torch threads can hang.
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        with _without_script():  # all processes are started as the jobs are handed over
            results = pool.map(simulate_well, jobs, chunksize=2)
        yield results
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    """Cores that this process may use: a job of a cluster is given some of those of its machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def _without_script() -> Iterator[None]:
    """Keep processes that are started meanwhile from importing the user's script.

    They do so to find functions that were defined in it. One that opens a window would open another in each,
    and one without ``if __name__ == "__main__"`` would simulate again.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
