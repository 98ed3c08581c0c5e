"""Encoding with and without measuring the quality of sites, side by side in one run.

Both runs read the same TIFF files with the same small random model and keep features; in one of them nothing
is measured. Their order alternates. Prints seconds and their ratio, median and range over repeats.
``python -m benchmarks.speed.quality_cost [--wells 6] [--size 1080] [--repeats 5]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.speed.screen_streaming import small_model, write_plate
from napari_cellclip.plates import open_plate
from napari_cellclip.plates.images.field_quality import measure_field
from napari_cellclip.screen import encode

TARGET = "napari_cellclip.screen.engines.local.measure_field"


def seconds(plate: Path, out: Path, measured: bool) -> float:
    """Time one encode of the whole plate, with reading in one thread ahead."""
    model = small_model()
    start = time.perf_counter()
    with patch(TARGET, measure_field if measured else lambda pixels: {}):
        encode(open_plate(plate), None, model, out, workers=1, previews=False)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=6)
    parser.add_argument("--size", type=int, default=1080)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        plate = write_plate(Path(folder) / "plate", given.wells, given.size)
        pixels = open_plate(plate).sites[0].read()
        alone = []
        for _ in range(given.repeats):
            start = time.process_time()
            measure_field(pixels)
            alone.append(time.process_time() - start)
        times: dict[bool, list[float]] = {True: [], False: []}
        for repeat in range(given.repeats):
            for measured in (True, False) if repeat % 2 else (False, True):
                out = Path(folder) / f"s{repeat}{measured}"
                times[measured].append(seconds(plate, out, measured))
    ratios = np.array(times[True]) / np.array(times[False])
    print(f"{2 * given.wells} sites of {given.size} x {given.size}, five stains, {given.repeats} repeats")
    print(f"one site measured: {1000 * np.median(alone):.0f} ms of CPU")
    for measured, name in ((False, "not measured"), (True, "measured")):
        print(f"encode, {name}: {np.median(times[measured]):.2f} s")
    print(f"ratio: {np.median(ratios):.3f} ({ratios.min():.3f} to {ratios.max():.3f})")


if __name__ == "__main__":
    main()
