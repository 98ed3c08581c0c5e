"""Encoding with and without measuring the quality of sites, side by side in one run.

Both runs read the same TIFF files with the bundled model; in one of them nothing is measured. Their order
alternates. Prints seconds and their ratio, median and range over repeats.
``python -m benchmarks.speed.quality_cost [--wells 6] [--size 1080] [--repeats 5]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import tifffile
import torch

from napari_cellclip.model import load_model
from napari_cellclip.plates import open_plate
from napari_cellclip.plates.images.field_quality import measure_field
from napari_cellclip.screen import encode
from napari_cellclip.vocabulary import STAINS

TARGET = "napari_cellclip.screen.engines.local.measure_field"


def write_plate(folder: Path, wells: int, size: int) -> Path:
    """Compressed TIFFs of noise, two sites a well."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for well in range(wells):
        for site in (1, 2):
            for stain in STAINS:
                image = rng.integers(100, 4000, (size, size)).astype(np.uint16)
                name = f"{chr(65 + well // 12)}{well % 12 + 1:02d}_s{site}_{stain}.tiff"
                tifffile.imwrite(folder / name, image, compression="lzw")
    return folder


def seconds(plate: Path, out: Path, measured: bool) -> float:
    """Time one encode of the whole plate, with reading in one thread ahead."""
    model = load_model("demo", device="cpu")
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
