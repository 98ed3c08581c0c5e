"""Encoding with DINOv2-small: what is compared is said in `encoding`.

``python -m benchmarks.speed.encode_dinov2 [--quick]``
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import nn

from benchmarks.speed.encoding import linked_plate, measured, model_of
from benchmarks.speed.figures import Figure, script
from napari_cellclip.model import IntensityScaling
from napari_cellclip.model.encoders.transformers_encoder import IMAGENET, TransformersEncoder


def dinov2_small(layers: int = 12) -> TransformersEncoder:
    """DINOv2-small with random weights, or its first layers."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=384, num_hidden_layers=layers, num_attention_heads=6, image_size=518, patch_size=14
    )
    return TransformersEncoder(Dinov2Model(config).eval(), *IMAGENET)


def three_planes(encoder: TransformersEncoder) -> nn.Module:
    """The network of an encoder as transformers makes it, with the same weights."""
    from transformers import Dinov2Model

    network = Dinov2Model(encoder.network.config).eval()
    network.load_state_dict(encoder.network.state_dict())
    return network


def measure(quick: bool) -> list[Figure]:
    """Encode six wells of four crops a stain: the encoder is nearly all of it, however many there are."""
    size, crop, rounds = (32, 28, 1) if quick else (448, 224, 3)
    with tempfile.TemporaryDirectory() as made:
        plate = linked_plate(Path(made), size, sites=1)
        encoder = dinov2_small(3 if quick else 12)
        model = model_of(encoder, IntensityScaling(kind="image"), crop)
        return measured("DINOv2-small", plate, model, three_planes(encoder), Path(made), rounds)


if __name__ == "__main__":
    script(measure, __doc__)
