"""Training with features on disk against features in memory: times of epoch and start, peak memory.

A small head learns from random features of the size of DINOv2-giant's; each run has its own process. The
small head makes it the hardest case: with a larger one, more of an epoch is the same on both sides.
``python -m benchmarks.speed.training_memory [--quick]``
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.speed.figures import Figure, script
from napari_cellclip.model import CellCLIP, CellCLIPConfig, EncoderCard, FileCard, ModelCard, PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports import features as imported
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.data.stored_features import FEATURES_FILE, FeaturesFile, iter_write
from napari_cellclip.training.loop.fit import iter_fit
from napari_cellclip.vocabulary import PLATE_SHAPES, well_name

SITES, DIM = 9, 1536


def plates(wells: int) -> Iterator[MeasuredPlate]:
    rows, columns = PLATE_SHAPES[384]
    names = [well_name(r, c) for r in range(rows) for c in range(columns)]
    for number in range(-(-wells // 384)):
        rng = np.random.default_rng(number)
        mine = [f"P{number}/{name}" for name in names[: min(384, wells - 384 * number)]]
        sites = tuple(f"{well}/{i + 1}" for well in mine for i in range(SITES))
        labels = pd.DataFrame(
            {"Metadata_treatment": [f"t{i // 4}" for i in range(len(mine))], "Metadata_kind": "compound"},
            index=pd.Index(mine),
        )
        yield MeasuredPlate(
            f"P{number}", sites, rng.standard_normal((len(sites), 5, DIM), np.float32), labels
        )


def tokenise(texts: Sequence[str]) -> dict[str, torch.Tensor]:
    ids = torch.tensor([[0, *(3 + ord(sign) % 60 for sign in text[-6:]), 1] for text in texts])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def train(folder: Path, on_disk: bool) -> tuple[float, float, float]:
    """Train in this process; seconds before the epochs, of an epoch, and MiB at most."""
    torch.manual_seed(0)
    network = CellCLIP(
        CellCLIPConfig(
            features=DIM,
            width=32,
            embed_dim=16,
            layers=1,
            heads=2,
            pool_hidden=8,
            text_vocabulary=64,
            text_width=16,
            text_layers=1,
            text_heads=2,
            text_intermediate=32,
            text_positions=16,
        )
    )
    screen, stored = Screen.open(folder), None
    ticks = [time.perf_counter()]
    if on_disk:
        for _ in iter_write([screen], folder / FEATURES_FILE):
            pass
        stored = FeaturesFile(folder / FEATURES_FILE, [screen])
        stored.remove()
    bags = bags_of([screen], PromptTemplates(), features=stored)
    ticks.append(time.perf_counter())
    for _ in iter_fit(network, bags, tokenise, TrainingConfig(epochs=2, batch=64)):
        ticks.append(time.perf_counter())
    start, first, second = np.diff(ticks)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on Linux
    # The digest of what is learnt from, and words, are in the first epoch.
    return start + first - second, second, kilobytes / 1024


def alone(folder: Path, on_disk: bool) -> tuple[float, float, float]:
    """Train in a process of its own; as `train`."""
    call = (
        "import pathlib, benchmarks.speed.training_memory as benchmark;"
        f"print(*benchmark.train(pathlib.Path({str(folder)!r}), {on_disk}))"
    )
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    start, epoch, most = map(float, done.stdout.split()[-3:])
    return start, epoch, most


def measure(quick: bool) -> list[Figure]:
    """Compare disk with memory, and ten times the wells with the wells."""
    wells, rounds, run = (16, 1, train) if quick else (384, 2, alone)
    card = ModelCard(
        name="random",
        encoder=EncoderCard(kind="profile", name="random", dim=DIM, weights=FileCard(sha256="0" * 64)),
        embed_dim=16,
        weights=FileCard(file="none"),
    )
    with tempfile.TemporaryDirectory() as place:
        folders = {n: Path(place, str(n)) for n in (wells, 10 * wells)}
        of_a_shard, imported.SHARD_SITES = imported.SHARD_SITES, 32  # as of encoded plates
        for n, folder in folders.items():
            write_features(folder, card, plates(n))
        imported.SHARD_SITES = of_a_shard
        many = folders[10 * wells]
        pairs = [[run(many, on_disk) for on_disk in (True, False)] for _ in range(rounds)]
        few = [run(folders[wells], on_disk=True)[2] for _ in range(rounds)]
    size = f"{10 * wells:,} wells, {10 * wells * SITES * 5 * DIM * 2 / 2**20:,.0f} MiB of features"
    starts, epochs, peaks = zip(*(zip(*pair, strict=True) for pair in pairs), strict=True)

    def figure(name: str, found: Sequence[Sequence[float]], against: str, wanted: str, unit: str) -> Figure:
        ours, partner = zip(*found, strict=True)
        return Figure(name, list(ours), list(partner), against, wanted, unit=unit)

    return [
        figure(f"an epoch of training from disk, {size}", epochs, "from memory", "<= 1.1", "s"),
        figure(f"before the epochs, from disk, {size}", starts, "from memory", "", "s"),
        figure(f"peak memory of training from disk, {size}", peaks, "from memory", "", "MiB"),
        figure(
            f"peak memory of training from disk, {size}",
            [(pair[0], one) for pair, one in zip(peaks, few, strict=True)],
            "a tenth of the wells",
            "<= 1.1",
            "MiB",
        ),
    ]


if __name__ == "__main__":
    script(measure, __doc__)
