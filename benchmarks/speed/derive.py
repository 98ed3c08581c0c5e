"""Embedding the wells of a screen again for another head: fraction of the machine's matrix-product peak.

The features of sites lie in Parquet; a new head reads them, pools fields to wells and runs the image tower.
The partner is the same number of multiplications in one large float32 matrix product.
``python -m benchmarks.speed.derive [--quick]``
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.encoding import SMALL_TEXT_TOWER, small_words
from benchmarks.speed.figures import Figure, compare, script
from napari_cellclip.model import CellCLIP, CellCLIPConfig, EncoderCard, Model, ModelCard
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.vocabulary import PLATE_SHAPES, well_name

FIELDS, WIDTH = 9, 384


def head(seed: int) -> Model:
    """A random head of the published depth for features of DINOv2-small's width."""
    torch.manual_seed(seed)
    words = small_words()
    config = CellCLIPConfig(
        width=WIDTH, embed_dim=512, layers=12, text_vocabulary=len(words), **SMALL_TEXT_TOWER
    )
    card = ModelCard(
        name=f"head {seed}",
        encoder=EncoderCard(kind="profile", name="random", dim=WIDTH),
        embed_dim=512,
        pooling="attention",
    )
    return Model(card, CellCLIP(config), words, torch.nn.Identity(), device="cpu")


def write_screen(folder: Path, plates: int, wells_of_plate: int) -> int:
    """A screen of random features; the number of its sites."""
    rows, columns = PLATE_SHAPES[wells_of_plate]
    total = 0
    for number in range(plates):
        wells = [f"P{number}/{well_name(r, c)}" for r in range(rows) for c in range(columns)]
        sites = tuple(f"{well}/{i + 1}" for well in wells for i in range(FIELDS))
        rng = np.random.default_rng(number)
        features = rng.standard_normal((len(sites), 5, WIDTH), np.float32).astype(np.float16)
        write_features(folder, head(0).card, [MeasuredPlate(f"P{number}", sites, features)])
        total += len(sites)
    return total


def measure(quick: bool) -> list[Figure]:
    """Derive all wells of a screen with a second head."""
    plates, wells = (1, 24) if quick else (29, 384)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "screen"
        sites = write_screen(folder, plates, wells)
        bag = torch.zeros(1, FIELDS, 5, WIDTH)
        other = head(1)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            other.cellclip.embed_bags(bag)
        flops = counter.get_total_flops() * plates * wells
        side = 2_048
        a, b = torch.rand(side, side), torch.rand(side, side)
        products = max(1, round(flops / (2 * side**3)))
        seeds = iter(range(2, 99))

        def ours() -> None:
            Screen.open(folder).derive_wells(head(next(seeds)))

        def peak() -> None:
            for _ in range(products):
                torch.mm(a, b)

        size = sites * 5 * WIDTH * 2 / 1e9
        figure = compare(
            f"all wells of {sites:,} sites for another head",
            ours,
            peak,
            against=f"the same {flops / 1e9:.0f} GFLOP as one matrix product",
            rounds=1 if quick else 2,
            limit=f"1: the multiplications alone; {size:.2f} GB of features in half precision are read",
            warm_up=False,
        )
    return [figure]


if __name__ == "__main__":
    script(measure, __doc__)
