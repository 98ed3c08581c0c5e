"""Encoding a plate: end to end against the bare channel encoder, and against a straightforward pipeline.

The bare encoder gets the very crops of the plate, ready in memory, in batches of 64; what encoding is
slower by is the rest: reading TIFF files, measuring intensities, scaling, cutting, averaging, previews,
shards, wells. The straightforward pipeline is what a notebook does: well by well, site by site, stain by
stain it reads the file, scales to 8 bit in float64, gives the stain to the network's image processor, which
makes three float32 planes, and runs the network on the crops of that stain. Random weights; simulated
images.
``python -m benchmarks.speed.encode [--quick]``
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.speed.figures import Figure, compare, script
from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    EncoderCard,
    IntensityScaling,
    IntensityStats,
    Model,
    ModelCard,
    SmallEncoder,
    Tiling,
    WordPieceTokenizer,
)
from napari_cellclip.model.encoders.intensity import brightest_threshold, scale_field
from napari_cellclip.model.encoders.transformers_encoder import IMAGENET, TransformersEncoder
from napari_cellclip.plates import Plate, open_plate
from napari_cellclip.screen import encode
from napari_cellclip.simulation import simulate_plate
from napari_cellclip.vocabulary import STAINS

BATCH = 64


def dinov2_small() -> TransformersEncoder:
    """DINOv2-small with random weights."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518, patch_size=14
    )
    return TransformersEncoder(Dinov2Model(config).eval(), *IMAGENET)


def model_of(encoder: SmallEncoder | TransformersEncoder, intensity: IntensityScaling, crop: int) -> Model:
    """A model with a small random head."""
    words = WordPieceTokenizer.build(
        ["U2OS cells treated with tubulin inhibitor"] * 3, size=200, max_length=32
    )
    sizes = {
        "text_width": 64,
        "text_layers": 1,
        "text_heads": 2,
        "text_intermediate": 64,
        "text_positions": 32,
    }
    config = CellCLIPConfig(width=encoder.dim, embed_dim=128, layers=2, text_vocabulary=len(words), **sizes)
    kind = "small" if isinstance(encoder, SmallEncoder) else "dinov2"
    card = ModelCard(
        name="random",
        encoder=EncoderCard(kind=kind, name="random", dim=encoder.dim),
        intensity=intensity,
        tiling=Tiling(mode="grid", size=crop),
        embed_dim=128,
    )
    return Model(card, CellCLIP(config), words, encoder.eval(), device="cpu", batch_size=BATCH)


def ready_batches(plate: Plate, model: Model, stats: IntensityStats | None) -> list[torch.Tensor]:
    """The crops of a plate as the encoder gets them."""
    slots = [STAINS.index(stain) for stain in model.card.stain_order]

    def crops() -> Iterator[np.ndarray]:
        for site in plate.sites:
            for crop in model.card.tiling.windows(
                scale_field(site.read(STAINS), model.card.intensity, stats)[slots]
            ):
                yield from crop[:, None]

    waiting, found = crops(), []
    while batch := list(islice(waiting, BATCH)):
        found.append(torch.from_numpy(np.stack(batch)))
    return found


def straightforward(
    plate: Plate, model: Model, network: nn.Module, stats: IntensityStats | None
) -> np.ndarray:
    """Well by well, stain by stain, as a notebook would: features of sites."""
    from transformers import BitImageProcessor

    steps = {"do_resize": False, "do_center_crop": False, "do_convert_rgb": False}
    processor = BitImageProcessor(**steps, image_mean=list(IMAGENET[0]), image_std=list(IMAGENET[1]))
    found = []
    for well in plate.wells:
        for site in well.sites:
            rows = []
            for stain in STAINS:
                image = site.read([stain])[0].astype(np.float64)
                if model.card.intensity.kind == "plate" and stats is not None:
                    span = 2 * (stats.high[stain] - stats.low[stain])
                    level = np.clip((image - stats.low[stain]) / span, 0, 1).astype(np.float32)[None]
                    batch = torch.from_numpy(np.stack(list(model.card.tiling.windows(level))))
                else:
                    level = np.clip(image * 256 / brightest_threshold(image), 0, 255).astype(np.uint8)
                    crops = [np.repeat(crop, 3, axis=0) for crop in model.card.tiling.windows(level[None])]
                    batch = processor(crops, input_data_format="channels_first", return_tensors="pt")[
                        "pixel_values"
                    ]
                with torch.inference_mode():
                    out = network(batch)
                rows.append(
                    (out if isinstance(out, torch.Tensor) else out.last_hidden_state[:, 0]).mean(dim=0)
                )
            found.append(torch.stack(rows).numpy())
    return np.stack(found)


def measured(
    name: str, plate: Plate, model: Model, plain: nn.Module, scratch: Path, rounds: int
) -> list[Figure]:
    """Both comparisons for one encoder."""
    fields = [site.read(STAINS) for site in plate.sites[:8]]
    stats = (
        IntensityStats.measure(fields, model.card.intensity) if model.card.intensity.kind == "plate" else None
    )
    batches = ready_batches(plate, model, stats)
    crops = sum(map(len, batches))

    def bare() -> None:
        with torch.inference_mode():
            for batch in batches:
                model.encoder(batch).numpy()

    def whole(precision: str) -> None:
        shutil.rmtree(scratch / "screen", ignore_errors=True)
        encode(plate, None, model, scratch / "screen", precision=precision)

    size = f"{len(plate.sites)} sites, {crops} crops of {model.card.tiling.size} pixels"
    return [
        compare(
            f"encode, {name}, float32: {size}",
            lambda: whole("float32"),
            bare,
            against="the bare encoder on crops that lie ready",
            wanted="<= 1.053",
            limit="1: nothing but the encoder; .95 of its rate is a ratio of 1.053",
            rounds=rounds,
        ),
        compare(
            f"encode, {name}, number format chosen by measurement: {size}",
            lambda: whole("auto"),
            lambda: straightforward(plate, model, plain, stats),
            against="a straightforward pipeline, float32, stain by stain",
            wanted="<= 0.5",
            rounds=rounds,
        ),
    ]


def three_planes(encoder: TransformersEncoder) -> nn.Module:
    """The network of an encoder as transformers makes it, with the same weights."""
    from transformers import Dinov2Model

    network = Dinov2Model(encoder.network.config).eval()
    network.load_state_dict(encoder.network.state_dict())
    return network


def measure(quick: bool) -> list[Figure]:
    """Encode simulated plates with the demo encoder's network and DINOv2-small."""
    found = []
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        size, rounds = (64, 1) if quick else (1080, 3)
        plate = open_plate(simulate_plate(scratch / "large", wells=6, sites=1, size=(size, size), seed=1))
        demo = model_of(SmallEncoder(), IntensityScaling(kind="plate"), 32 if quick else 224)
        found += measured("demo encoder", plate, demo, demo.encoder, scratch, rounds)
        size = 32 if quick else 448
        plate = open_plate(simulate_plate(scratch / "small", wells=6, sites=1, size=(size, size), seed=1))
        dino = dinov2_small()
        model = model_of(dino, IntensityScaling(kind="image"), 28 if quick else 224)
        found += measured("DINOv2-small", plate, model, three_planes(dino), scratch, rounds)
    return found


if __name__ == "__main__":
    script(measure, __doc__)
