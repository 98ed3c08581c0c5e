"""The training loader against a plain memory-mapped read of the same bytes, in one run.

A screen of random features at the published width is written and read back through the loader (features of a
screen to bags, then drawn, padded batches); beside it the same features lie in one flat file that numpy maps.
Both give float32 batches from half-precision files; times are CPU times.
``python -m benchmarks.speed.bag_loader [--wells 1536]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from napari_cellclip.model import EncoderCard, ModelCard, PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.screen.storage.labels import table_of
from napari_cellclip.training import TrainingConfig, bags_of
from napari_cellclip.training.loop.batches import Batches
from napari_cellclip.vocabulary import PLATE_SHAPES, Kind, Perturbation, well_name

FIELDS, WIDTH, BATCH = 6, 1536, 512


def made_plate(number: int) -> MeasuredPlate:
    """A 384-well plate of random features, a compound a well."""
    rng = np.random.default_rng(number)
    rows, columns = PLATE_SHAPES[384]
    wells = [f"P{number}/{well_name(r, c)}" for r in range(rows) for c in range(columns)]
    sites = tuple(f"{well}/{i + 1}" for well in wells for i in range(FIELDS))
    names = [f"compound {number}-{i}" for i in range(len(wells))]
    labels: pd.DataFrame = table_of(wells, [Perturbation(Kind.COMPOUND, name) for name in names])
    features = rng.standard_normal((len(sites), 5, WIDTH), np.float32).astype(np.float16)
    return MeasuredPlate(f"P{number}", sites, features, labels=labels)


def mapped_batch(
    stored: NDArray[np.float16], rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The same numbers of fields of the same wells from the mapped file, padded with zeros."""
    out = np.zeros((len(rows), int(counts.max()), 5, WIDTH), np.float32)
    for place, (row, count) in enumerate(zip(rows, counts, strict=True)):
        out[place, :count] = stored[row, :count]
    return out


def table(what: str, bags: int, size: int, seconds: float) -> None:
    """Print one row."""
    print(f"  {what:<46}{bags / seconds:10.0f} {size / 1e6 / seconds:10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=1536)
    parser.add_argument("--steps", type=int, default=24)
    given = parser.parse_args()
    plates = max(1, given.wells // 384)
    with tempfile.TemporaryDirectory() as scratch:
        card = ModelCard(
            name="loader", encoder=EncoderCard(kind="profile", name="random", dim=WIDTH), embed_dim=8
        )
        flat = Path(scratch) / "flat.npy"
        whole = np.lib.format.open_memmap(flat, "w+", np.float16, (plates * 384, FIELDS, 5, WIDTH))
        for number in range(plates):
            plate = made_plate(number)
            write_features(Path(scratch) / "screen", card, [plate])
            whole[number * 384 : (number + 1) * 384] = plate.features.reshape(384, FIELDS, 5, WIDTH)
        whole.flush()
        del whole
        on_disk = sum(f.stat().st_size for f in (Path(scratch) / "screen" / "fields").rglob("*.parquet"))

        start = time.process_time()
        stored = np.load(flat, mmap_mode="r")
        first = np.array(stored, np.float32)
        mapped_first = time.process_time() - start
        start = time.process_time()
        bags = bags_of([Screen.open(Path(scratch) / "screen")], PromptTemplates())
        loaded = time.process_time() - start
        assert np.array_equal(bags[0].features, first[0])
        del first

        batches = Batches(bags, TrainingConfig(batch=BATCH, fields=FIELDS, feature_noise=0.0))
        steps = range(given.steps)
        batches(0)
        start = time.process_time()
        drawn = 0
        counts = []
        for step in steps:
            images = torch.from_numpy(batches(step).images)
            drawn += len(images)
        loader = time.process_time() - start
        for step in steps:
            counts.append(batches(step).images.any(axis=(2, 3)).sum(axis=1))
        fields = int(sum(count.sum() for count in counts))
        start = time.process_time()
        for step, count in zip(steps, counts, strict=True):
            torch.from_numpy(mapped_batch(stored, batches.rows(step), count))
        mapped = time.process_time() - start
        size = stored.nbytes
    field = 5 * WIDTH * 4
    print(f"{len(bags)} bags of {FIELDS} fields [5, {WIDTH}]; half precision {size / 1e6:.0f} MB, "
          f"as a screen {on_disk / 1e6:.0f} MB\n")  # fmt: skip
    print("from files to bags in memory (float32), once       bags/s       MB/s of half precision")
    table("loader: screen, plate map, captions", len(bags), size, loaded)
    table("memory-mapped flat file, read whole", len(bags), size, mapped_first)
    print(f"  ratio                                         {mapped_first / loaded:10.2f}\n")
    print(f"batches of {BATCH}, drawn and padded, each epoch        bags/s       MB/s of float32 fields")
    table("loader", drawn, fields * field, loader)
    table("memory-mapped, the same fields", drawn, fields * field, mapped)
    print(f"  ratio                                         {mapped / loader:10.2f}")
    print("limit: copying these bytes once; a bag drawn holds "
          f"{fields / drawn:.1f} fields, {fields / drawn * field / 1e3:.0f} kB")  # fmt: skip


if __name__ == "__main__":
    main()
