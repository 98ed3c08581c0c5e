"""Compare channel encoders that need no hub by how well replicates are found, for docs/models.md."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.accuracy.profiles.plain_replicates import plain_replicate_precision
from benchmarks.accuracy.script import progress
from napari_cellclip.explore.references.profiles import profiles_of
from napari_cellclip.model import load_model, new_model
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.simulation.design import dose_response_design
from napari_cellclip.simulation.plate import simulate_plate
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

DINOV2_SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "image_size": 224}
"""Its architecture, at the size of the crops: the published weights were made at 518 pixels."""


def main(
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("channel_encoders.json"),
    seeds: Annotated[int, typer.Option(min=1, help="Simulated plates of 96 wells.")] = 1,
    sites: Annotated[int, typer.Option(min=1, help="Fields a well.")] = 2,
    size: Annotated[int, typer.Option(min=64, help="Side of a field in pixels.")] = 224,
) -> None:
    """Encode simulated plates with each encoder and look for replicates among the negative controls.

    Example: python -m benchmarks.accuracy.channel_encoders --out docs/channel_encoders.json
    """
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        models = {
            "demo": "demo",
            "efficientnet-lite0": "efficientnet-lite0",
            "DINOv2-small with random weights": str(random_dinov2(work)),
        }
        for seed in range(seeds):
            folder = simulate_plate(
                work / f"plate-{seed}",
                design=dose_response_design(95_000 + seed, MECHANISMS[seed::4][:4]),
                sites=sites,
                size=(size, size),
                seed=95_000 + seed,
            )
            plate, labels = open_plate(folder), PlateMap.read(folder / "platemap.csv")
            for name, model in models.items():
                screen = encode(plate, labels, load_model(model), work / f"screen-{seed}-{name}")
                found.setdefault(name, []).append(replicate_map(screen))
                progress(f"plate {seed}, {name}: {found[name][-1]:.3f}")
    record: dict[str, Any] = {
        "about": "replicate mAP of wells among the negative controls of their plate,"
        f" {seeds} simulated plates of 96 wells, {sites} fields of {size} x {size} pixels a well; no head",
        "map": {name: [round(value, 4) for value in values] for name, values in found.items()},
    }
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def replicate_map(screen: Screen) -> float:
    """Mean average precision of treated wells at finding their replicates."""
    wells = profiles_of(screen)
    table = wells.wells
    found = plain_replicate_precision(
        wells.values,
        [
            f"{name} {dose}"
            for name, dose in zip(table["Metadata_treatment"], table["Metadata_dose"], strict=True)
        ],
        list(table["Metadata_Plate"]),
        wells.controls,
    )
    return float(np.nanmean(found))


def random_dinov2(work: Path) -> Path:
    """Write a model of DINOv2-small's architecture with random weights: a floor, not what was published."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(**DINOV2_SMALL)).save_pretrained(work / "dinov2-random")
    new_model(work / "dinov2-random", work / "dinov2-model", layers=1, accept_licence=True)
    return work / "dinov2-model"


if __name__ == "__main__":
    typer.run(main)
