"""Peak memory of encoding: at N and 10 N sites, and at fields of 2160 x 2160, each in its own process.

``python -m benchmarks.speed.encode_memory [--quick]``
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.speed.figures import Figure, script
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from napari_cellclip.vocabulary import PLATE_SHAPES, STAINS, well_name


def peak_here(place: Path, sites: int, size: int) -> float:
    """Encode so many sites of so many pixels a side in this process; MiB at most."""
    folder = place / "P1"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(100, 3000, (size, size), np.uint16)
    first = folder / "A01_s1_DNA.tiff"
    tifffile.imwrite(first, pixels)
    for site in range(sites):
        well = well_name(*divmod(site % 384, PLATE_SHAPES[384][1]))
        for stain in STAINS:
            name = folder / f"{well}_s{site // 384 + 1}_{stain}.tiff"
            if name != first:
                name.hardlink_to(first)
    del pixels
    encode(open_plate(folder), None, "demo", place / "screen", device="cpu")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def peak(sites: int, size: int, *, alone: bool = True) -> float:
    """Measure the peak resident memory of encoding so many sites, MiB."""
    with tempfile.TemporaryDirectory() as place:
        if not alone:
            return peak_here(Path(place), sites, size)
        call = (
            "import pathlib, benchmarks.speed.encode_memory as benchmark;"
            f"print(benchmark.peak_here(pathlib.Path({place!r}), {sites}, {size}))"
        )
        done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure(quick: bool) -> list[Figure]:
    """Compare ten times the sites, and large fields, with few small ones."""
    # With fewer sites the bounded read-ahead is not full: 40 peak at three quarters of 400.
    sites, size = (1, 40) if quick else (150, 540)
    one, ten = (peak(n, size, alone=not quick) for n in (sites, 10 * sites))
    few = f"{sites} sites of {size} x {size}"
    name = f"peak memory of encoding, {10 * sites} sites of {size} x {size}"
    figures = [Figure(name, [ten], [one], few, "<= 1.1", unit="MiB")]
    if not quick:
        name = "peak memory of encoding, 70 sites of 2160 x 2160"
        figures.append(Figure(name, [peak(70, 2160)], [one], few, unit="MiB"))
    return figures


if __name__ == "__main__":
    script(measure, __doc__)
