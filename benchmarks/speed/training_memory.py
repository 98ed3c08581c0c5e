"""Peak memory of training with features on disk: at N and 10 N wells, and what holding them takes.

``python -m benchmarks.speed.training_memory`` trains a small head for an epoch on random features of the size
of DINOv2-giant's, each run in its own process, and prints peak resident memory and the ratio; that of ten
times the wells must not be above 1.1.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from napari_cellclip.model import CellCLIP, CellCLIPConfig, EncoderCard, FileCard, ModelCard, PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports import features as imported
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.loop.fit import iter_fit
from napari_cellclip.vocabulary import PLATE_SHAPES, well_name

LIMIT = 1.1
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


def train(folder: Path, in_memory: bool) -> None:
    """Train for an epoch; print seconds and kilobytes."""
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
    bags = bags_of([Screen.open(folder)], PromptTemplates(), in_memory=in_memory)
    start = time.process_time()
    for _ in iter_fit(network, bags, tokenise, TrainingConfig(epochs=1, batch=64)):
        pass
    print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak(folder: Path, in_memory: bool) -> tuple[float, float]:
    """Measure seconds and peak resident memory, in MiB, of a run."""
    words = [sys.executable, "-m", "benchmarks.speed.training_memory", "--run", str(folder)]
    done = subprocess.run(
        [*words, *(["--in-memory"] if in_memory else [])], capture_output=True, text=True, check=True
    )
    seconds, kilobytes = done.stdout.split()[-2:]
    return float(seconds), int(kilobytes) / 1024  # kilobytes on Linux


def main(
    wells: Annotated[int, typer.Option(min=8, help="Wells of the small run.")] = 384,
    run: Annotated[Path | None, typer.Option(help="Train on this screen, in this process.")] = None,
    in_memory: Annotated[bool, typer.Option("--in-memory", help="Hold the features.")] = False,
) -> None:
    """Print peak memory and ratios."""
    if run is not None:
        train(run, in_memory)
        return
    card = ModelCard(
        name="random",
        encoder=EncoderCard(kind="profile", name="random", dim=DIM, weights=FileCard(sha256="0" * 64)),
        embed_dim=16,
        weights=FileCard(file="none"),
    )
    imported.SHARD_SITES = 32  # as of encoded plates
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for n in (wells, 10 * wells):
            write_features(Path(place, str(n)), card, plates(n))
            for held in (False, True):
                seconds, memory = found[n, held] = peak(Path(place, str(n)), held)
                features = f"{n * SITES * 5 * DIM * 2 / 2**20:.0f} MiB {'in memory' if held else 'on disk'}"
                print(
                    f"{n} wells, {features}: {memory:.0f} MiB, {seconds:.1f} s of CPU time an epoch",
                    flush=True,
                )
    ratio = found[10 * wells, False][1] / found[wells, False][1]
    print(f"ratio at ten times the wells {ratio:.3f} (limit {LIMIT})")


if __name__ == "__main__":
    typer.run(main)
