"""Streaming encode against a plain loop over sites, in one run.

Both read the same TIFF files with the same small random model and keep features; the plain loop reads a site,
encodes it, and goes on. ``python -m benchmarks.speed.screen_streaming [--wells 24] [--size 512]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch

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
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.vocabulary import STAINS


def small_model() -> Model:
    """A random model of the demo's size."""
    torch.manual_seed(0)
    words = WordPieceTokenizer.build(
        ["U2OS cells treated with tubulin inhibitor"] * 3, size=200, max_length=32
    )
    encoder = SmallEncoder()
    config = CellCLIPConfig(
        width=encoder.dim,
        embed_dim=128,
        layers=2,
        text_vocabulary=len(words),
        text_width=64,
        text_layers=1,
        text_heads=2,
        text_intermediate=64,
        text_positions=32,
    )
    card = ModelCard(
        name="random",
        encoder=EncoderCard(kind="small", name="random", dim=encoder.dim),
        intensity=IntensityScaling(kind="plate"),
        tiling=Tiling(mode="grid", size=128),
        embed_dim=128,
    )
    return Model(card, CellCLIP(config), words, encoder.eval(), device="cpu")


def write_plate(folder: Path, wells: int, size: int) -> Path:
    """Compressed TIFFs of noise, two sites a well."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(wells):
        for site in (1, 2):
            for stain in STAINS:
                image = rng.integers(100, 4000, (size, size)).astype(np.uint16)
                name = f"{chr(65 + i // 12)}{i % 12 + 1:02d}_s{site}_{stain}.tiff"
                tifffile.imwrite(folder / name, image, compression="lzw")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=24)
    parser.add_argument("--size", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        plate = open_plate(write_plate(Path(scratch) / "plate", given.wells, given.size))
        model = small_model()
        model.field_features(
            plate.sites[0].read(), IntensityStats.measure([plate.sites[0].read()])
        )  # warm up

        start = time.perf_counter()
        screen = encode(plate, None, model, Path(scratch) / "screen")
        streamed = time.perf_counter() - start

        start = time.perf_counter()
        stats = IntensityStats.model_validate(screen.plates[plate.name].intensity)
        plain = {site.id: model.field_features(site.read(), stats) for site in plate.sites}
        looped = time.perf_counter() - start

        start = time.perf_counter()
        encode(plate, None, model, Path(scratch) / "screen")
        again = time.perf_counter() - start

        start = time.perf_counter()
        opened = Screen.open(Path(scratch) / "screen")
        shape = opened.embeddings.shape
        opening = time.perf_counter() - start

        stored = screen.features(list(plain))
        wanted = np.stack(list(plain.values()))
        worst = float(np.abs(stored - wanted).max() / np.abs(wanted).max())
    sites = len(plate.sites)
    print(f"{sites} sites of 5 x {given.size} x {given.size}, {torch.get_num_threads()} torch threads")
    print(f"streaming encode (measures, stores, previews, resumes)   {streamed:7.2f} s")
    print(f"plain loop over sites (features in memory only)          {looped:7.2f} s")
    print(f"sites a second, streaming                                {sites / streamed:7.1f}")
    print(f"sites a second, plain                                    {sites / looped:7.1f}")
    print(f"ratio streaming / plain                                  {streamed / looped:7.2f}")
    print(f"same command again on the finished screen                {again:7.2f} s")
    print(f"opening the screen, {shape[0]} wells                              {opening * 1000:7.0f} ms")
    print(f"largest difference of a stored feature, relative         {worst:7.5f}")


if __name__ == "__main__":
    main()
