"""Peak memory of encoding: at N and 10 N sites, and at fields of 2160 x 2160, each in its own process.

``python -m benchmarks.speed.encode_memory`` prints the peak resident memory of each run and the ratios; that
of ten times the sites must not be above 1.1.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

RUN = """
import resource, sys
from pathlib import Path
import numpy as np
import tifffile
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import iter_encode
folder, sites, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
folder.mkdir()
pixels = np.random.default_rng(0).integers(100, 3000, (size, size), np.uint16)
first = folder / "A01_s1_DNA.tiff"
tifffile.imwrite(first, pixels)
wells = [f"{r}{c:02d}" for r in "ABCDEFGHIJKLMNOP" for c in range(1, 25)]
for site in range(sites):
    for stain in ("DNA", "ER", "RNA", "AGP", "Mito"):
        name = folder / f"{wells[site % 384]}_s{site // 384 + 1}_{stain}.tiff"
        if name != first:
            name.hardlink_to(first)
del pixels
for _ in iter_encode(open_plate(folder), None, "demo", folder.parent / "screen", device="cpu"):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
LIMIT = 1.1


def peak(sites: int, size: int) -> float:
    """Measure the peak resident memory, in MiB, of encoding so many sites of so many pixels a side."""
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, "-c", RUN, str(Path(place, "P1")), str(sites), str(size)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024  # kilobytes on Linux


def main(
    sites: Annotated[int, typer.Option(min=1, help="Sites of the small run.")] = 40,
    size: Annotated[int, typer.Option(min=32, help="Pixels a side.")] = 540,
    large: Annotated[int, typer.Option(min=0, help="Sites of 2160 x 2160 pixels; 0 leaves them out.")] = 70,
) -> None:
    """Print peak memory and ratios."""
    one, ten = peak(sites, size), peak(10 * sites, size)
    print(f"{sites} sites of {size} x {size}: {one:.0f} MiB; {10 * sites}: {ten:.0f} MiB")
    print(f"ratio at ten times the sites {ten / one:.3f} (limit {LIMIT})")
    if large:
        most = peak(large, 2160)
        print(f"{large} sites of 2160 x 2160: {most:.0f} MiB, ratio to the first {most / one:.2f}")


if __name__ == "__main__":
    typer.run(main)
