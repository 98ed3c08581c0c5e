"""What encoding a plate with DINOv2-giant must cost on an H100, counted; and what this machine reaches.

Counted by torch's FlopCounterMode on tensors without content: floating-point operations and bytes of a
plate of 384 wells with 9 fields of 1,080 x 1,080 pixels, five stains, crops of 224 pixels. Rates of the
H100 SXM are those of its data sheet (989 TFLOP/s dense bfloat16, 3.35 TB/s); half of the peak is what such
networks usually reach. Nothing of this was run on one. The figure that is measured here compares
DINOv2-small with a matrix product of as many operations: the fraction of this machine's own peak.
``python -m benchmarks.speed.roofline [--quick]``
"""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.encode_dinov2 import dinov2_small
from benchmarks.speed.figures import Figure, compare, script
from napari_cellclip.model.encoders.tiling import Tiling

WELLS, FIELDS, PIXELS, CROP, STAINS = 384, 9, 1_080, 224, 5
H100_FLOPS, H100_BYTES = 989e12, 3.35e12
PCIE_BYTES = 50e9
BATCH = 512


def counted(network: torch.nn.Module, crops: torch.Tensor) -> float:
    """Floating-point operations of one pass; a multiplication and an addition are two."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(crops)
    return float(counter.get_total_flops())


def giant() -> tuple[float, int]:
    """FLOPs of a crop, and weights, of DINOv2-giant reading one plane."""
    from transformers import Dinov2Config, Dinov2Model

    from napari_cellclip.model.encoders.transformers_encoder import IMAGENET, TransformersEncoder

    config = Dinov2Config(
        hidden_size=1536,
        num_hidden_layers=40,
        num_attention_heads=24,
        image_size=518,
        patch_size=14,
        use_swiglu_ffn=True,
        attn_implementation="eager",
    )
    with torch.device("meta"):
        encoder = TransformersEncoder(Dinov2Model(config).eval(), *IMAGENET)
        crops = torch.empty(1, 1, CROP, CROP)
    return counted(encoder, crops), sum(weight.numel() for weight in encoder.parameters())


def statement() -> str:
    """Roofline of a plate in words."""
    per_crop, weights = giant()
    crops = WELLS * FIELDS * STAINS * len(Tiling(mode="grid", size=CROP).corners(PIXELS, PIXELS))
    flops = per_crop * crops
    pixels = WELLS * FIELDS * STAINS * PIXELS**2
    read = 2 * weights * crops / BATCH
    peak = flops / H100_FLOPS
    lines = [
        f"DINOv2-giant, {WELLS} wells x {FIELDS} fields of {PIXELS} pixels, {crops:,} crops of {CROP}:",
        f"  {per_crop / 1e9:.0f} GFLOP a crop, {flops / 1e15:.1f} PFLOP a plate: {peak:.0f} s at the peak of"
        f" an H100 in bfloat16, {2 * peak:.0f} s at half of it",
        f"  weights {2 * weights / 1e9:.1f} GB in bfloat16, read once for each batch of {BATCH}:"
        f" {read / 1e12:.1f} TB, {read / H100_BYTES:.0f} s, hidden behind the above",
        f"  pixels {pixels / 1e9:.1f} GB as 8 bit to the device, {pixels / PCIE_BYTES:.1f} s at 50 GB/s"
        f" (as three float32 planes {12 * pixels / 1e9:.0f} GB, {12 * pixels / PCIE_BYTES:.0f} s)",
        f"  to decode as 16 bit on the host: {2 * pixels / 1e9:.0f} GB; at half of the peak"
        f" {2 * pixels / 1e9 / (2 * peak):.2f} GB/s suffice",
    ]
    return "\n".join(lines)


def measure(quick: bool) -> list[Figure]:
    """Print the roofline; measure DINOv2-small against the product."""
    print(statement(), end="\n\n")
    encoder, batch, size = dinov2_small(), 2 if quick else 32, 28 if quick else CROP
    crops = torch.rand(batch, 1, size, size)
    flops = counted(encoder, crops)
    side = 1_024
    a, b = torch.rand(side, side), torch.rand(side, side)
    products = max(1, round(flops / (2 * side**3)))

    def ours() -> None:
        with torch.inference_mode():
            encoder(crops)

    def peak() -> None:
        for _ in range(products):
            torch.mm(a, b)

    return [
        compare(
            f"DINOv2-small, float32, {batch} crops of {size} pixels",
            ours,
            peak,
            against=f"the same {flops / 1e9:.0f} GFLOP as matrix products of {side}",
            rounds=1 if quick else 5,
            limit="1: the multiplications alone",
        )
    ]


if __name__ == "__main__":
    script(measure, __doc__)
