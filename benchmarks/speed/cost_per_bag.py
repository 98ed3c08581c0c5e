"""What one bag (well) costs in training, at the published sizes: pooled or not, padded or bucketed.

Image tower of width 1536 with 12 blocks, BERT-base, random weights; forward and backward, without the
optimiser (its cost is that of a step, whatever the batch). Both sides of each ratio are timed in one run,
in small chunks, so that it fits 24 GB. What is only counted and not run says so: FLOPs are counted by torch's
FlopCounterMode on tensors without content. Times are CPU time of one thread, so that other work on the
machine does not enter the ratios. ``python -m benchmarks.speed.cost_per_bag --help``
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from napari_cellclip.model import CellCLIP, CellCLIPConfig, PromptTemplates, WordPieceTokenizer
from napari_cellclip.model.registry import demo_folder
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

FIELDS = 6
STAINS = 5
CROP = 224


def seconds(*runs: Callable[[], object], repeats: int) -> list[float]:
    """Shortest CPU time of each call, taken in turns."""
    best = [float("inf")] * len(runs)
    for _ in range(repeats):
        for i, run in enumerate(runs):
            start = time.process_time()
            run()
            best[i] = min(best[i], time.process_time() - start)
    return best


def flops(run: Callable[[], object]) -> float:
    """Floating-point operations of a call (a multiplication and an addition are two)."""
    counter = FlopCounterMode(display=False)
    with counter:
        run()
    return float(counter.get_total_flops())


def image_step(model: CellCLIP, bags: Tensor, *, pooled: bool) -> None:
    """Forward and backward of the image side; without pooling every field is a sample of its own."""
    model.zero_grad(set_to_none=True)
    samples = model.encode_mil(bags) if pooled else bags.flatten(0, 1)
    model.encode_image(samples).square().mean().backward()


def text_step(model: CellCLIP, lots: list[dict[str, Tensor]]) -> None:
    """Forward and backward of the text side, one lot after the other."""
    model.zero_grad(set_to_none=True)
    for lot in lots:
        model.encode_text(**lot).square().mean().backward()


def captions(count: int, seed: int = 0) -> list[str]:
    """Captions in the published wording, of compounds drawn from the package's own table."""
    templates = PromptTemplates()
    compounds = [c for mechanism in MECHANISMS for c in mechanism.compounds if c.smiles]
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(compounds), count, replace=len(compounds) < count)
    return [templates.for_compound(compounds[i].name, compounds[i].smiles) for i in drawn]


def tokenised(texts: list[str], longest: int = 512) -> list[Tensor]:
    """Token ids of each text, with the bundled vocabulary: BERT's own is not part of the package."""
    words = WordPieceTokenizer.from_folder(demo_folder(), max_length=longest)
    found = words(texts)
    return [ids[mask.bool()] for ids, mask in zip(found["input_ids"], found["attention_mask"], strict=True)]


def padded(ids: list[Tensor], length: int) -> dict[str, Tensor]:
    """One lot of texts, padded to a length."""
    out = torch.zeros(len(ids), length, dtype=torch.long)
    mask = torch.zeros(len(ids), length, dtype=torch.long)
    for row, text in enumerate(ids):
        out[row, : len(text)], mask[row, : len(text)] = text, 1
    return {"input_ids": out, "attention_mask": mask}


def bucketed(ids: list[Tensor], lots: int = 4) -> list[dict[str, Tensor]]:
    """Lots of like length, each padded to its own longest, as training makes them."""
    ordered = sorted(ids, key=len)
    size = -(-len(ordered) // lots)
    groups = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    return [padded(group, max(map(len, group))) for group in groups]


class PerChannelViT(nn.Module):
    """A channel-aware ViT's shape: patches of every stain are tokens of one sequence, as in ChannelViT."""

    def __init__(self, width: int, depth: int, heads: int, patch: int = 16) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, crops: Tensor) -> Tensor:
        n, stains, height, width = crops.shape
        patches = self.embed(crops.reshape(n * stains, 1, height, width)).flatten(2).transpose(1, 2)
        tokens = patches.reshape(n, -1, patches.shape[-1])
        return self.blocks(torch.cat([self.cls.expand(n, -1, -1), tokens], dim=1))[:, 0]


def vit_flops(width: int, depth: int, heads: int) -> float:
    """Forward and backward of one bag of crops through a per-channel ViT; counted, not run."""
    with torch.device("meta"):
        vit = PerChannelViT(width, depth, heads)
        crops = torch.empty(FIELDS, STAINS, CROP, CROP)
    return flops(lambda: vit(crops).sum().backward())


def giant_flops() -> float:
    """One forward pass of DINOv2-giant over one bag's single-stain crops; counted, not run."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=1536, num_hidden_layers=40, num_attention_heads=24, image_size=518, patch_size=14,
        use_swiglu_ffn=True, attn_implementation="eager",
    )  # fmt: skip
    with torch.device("meta"):
        network = Dinov2Model(config).eval()
        crops = torch.empty(1, 3, CROP, CROP)
    with torch.no_grad():
        return flops(lambda: network(pixel_values=crops)) * FIELDS * STAINS


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bags", type=int, default=8)
    parser.add_argument("--texts", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=12, help="of both towers; 12 as published")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = CellCLIP(CellCLIPConfig(layers=given.blocks, text_layers=given.blocks)).train()
    # As many samples in a chunk with pooling as without: the weights are read once for each chunk.
    many = torch.randn(given.bags * FIELDS, FIELDS, STAINS, model.config.width)
    bags = many[: given.bags]

    image_step(model, bags[:1], pooled=True)  # warm up
    times = seconds(
        lambda: image_step(model, many, pooled=True),
        lambda: image_step(model, bags, pooled=False),
        lambda: image_step(model, bags, pooled=True),
        repeats=given.repeats,
    )
    pooled, alone, few = times[0] / len(many), times[1] / len(bags), times[2] / len(bags)
    pooled_flops = flops(lambda: image_step(model, bags[:1], pooled=True))
    alone_flops = flops(lambda: image_step(model, bags[:1], pooled=False))

    ids = tokenised(captions(given.texts))
    full_lots, short_lots = [padded(ids, 512)], bucketed(ids)
    text_step(model, short_lots[:1])  # warm up
    times = seconds(
        lambda: text_step(model, full_lots), lambda: text_step(model, short_lots), repeats=given.repeats
    )
    full, short = (took / given.texts for took in times)
    lengths = [len(text) for text in ids]
    population = [len(text) for text in tokenised(captions(512, seed=1))]

    small, base, giant = vit_flops(384, 12, 6), vit_flops(768, 12, 12), giant_flops()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    gflop = 1e-9
    print(f"{processor()}, one thread, torch {torch.__version__}, float32")
    print(
        f"peak memory {memory:.1f} GB; bags of {FIELDS} fields, chunks of {len(many)} samples and "
        f"{given.texts} texts\n"
    )
    print("image tower, forward and backward, a bag          time        GFLOP    GFLOP/s")
    for what, took, count in (
        (f"pooled, {len(many)} bags at once", pooled, pooled_flops),
        (f"every field by itself, {len(bags)} bags at once", alone, alone_flops),
        (f"pooled, {len(bags)} bags at once", few, pooled_flops),
    ):
        print(f"  {what:<44} {1000 * took:8.0f} ms {count * gflop:9.1f} {count * gflop / took:9.0f}")
    print(
        f"  ratio of the second to the first             {alone / pooled:8.2f}    "
        f"{alone_flops / pooled_flops:9.2f}"
    )
    print("  (the paper's own times give 6.7)\n")
    print("text tower (BERT-base), forward and backward, a caption")
    print(f"  padded to 512                                {1000 * full:8.0f} ms")
    print(f"  in lots of like length                       {1000 * short:8.0f} ms")
    print(f"  ratio                                        {full / short:8.2f}")
    print(
        f"  tokens of these captions {min(lengths)} to {max(lengths)}, of 512 drawn captions: median "
        f"{statistics.median(population):.0f}, longest {max(population)}\n"
    )
    print("whole step, a bag (each sample has its caption)")
    print(f"  pooled, texts in lots of like length         {1000 * (pooled + short):8.0f} ms")
    print(f"  every field a sample, texts likewise         {1000 * (alone + FIELDS * short):8.0f} ms")
    print(
        f"  ratio                                        {(alone + FIELDS * short) / (pooled + short):8.2f}\n"
    )
    print("counted and NOT run, a bag                                      GFLOP   over the pooled tower")
    for what, count in (
        ("per-channel ViT-S/16, trained end to end", small),
        ("per-channel ViT-B/16, trained end to end", base),
        ("DINOv2-giant features, once for all epochs", giant),
        ("  the same, shared by 50 epochs", giant / 50),
    ):
        print(f"  {what:<52} {count * gflop:11.0f} {count / pooled_flops:12.1f}")


if __name__ == "__main__":
    main()
