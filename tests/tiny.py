"""The one place that builds tiny models, plates and screens for the tests.

Everything here is real: weights that are drawn and never trained, files on disk, a screen that was encoded.
A test that needs other sizes names them; a test of one part of the network builds that part itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    EncoderCard,
    IntensityScaling,
    Model,
    ModelCard,
    SmallEncoder,
    Tiling,
    WordPieceTokenizer,
    load_model,
    save_model,
)
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.simulation import simulate_plate
from napari_cellclip.vocabulary import STAINS

CORPUS = (
    "U2OS cells treated with compound: nocodazole, SMILES: COC(=O)Nc1nc2ccc(cc2[nH]1)C(=O)c1cccs1",
    "U2OS cells treated with tubulin inhibitor",
    "U2OS cells treated with crispr, targeting genes: TUBB",
)
DIM = 16  # features of a stain
WIDTHS = (4, 8)  # stages of the channel encoder
TEXT_LENGTH = 64  # tokens of the longest text


def tiny_tokenizer(
    corpus: Sequence[str] = CORPUS, *, size: int = 320, max_length: int = TEXT_LENGTH
) -> WordPieceTokenizer:
    """A vocabulary of a few words and letters."""
    return WordPieceTokenizer.build(list(corpus) * 3, size=size, max_length=max_length)


def tiny_network(
    words: WordPieceTokenizer, *, seed: int = 0, jitter: float = 0.0, pooling: str = "attention", **sizes: Any
) -> CellCLIP:
    """A network of a few thousand weights, in evaluation mode.

    `jitter` is added to all weights: the class token starts at zero and the gains at one, and random ones let
    no term hide.
    """
    small: dict[str, Any] = {
        "width": DIM,
        "embed_dim": 8,
        "layers": 1,
        "pool_hidden": 8,
        "text_vocabulary": len(words),
        "text_width": 16,
        "text_layers": 1,
        "text_heads": 2,
        "text_intermediate": 16,
        "text_positions": words.max_length,
    }
    torch.manual_seed(seed)
    network = CellCLIP(CellCLIPConfig(**small | sizes), pooling=pooling)
    if jitter:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(jitter * torch.randn_like(parameter))
    return network.eval()


def tiny_encoder(seed: int = 0, *, dim: int = DIM, widths: tuple[int, ...] = WIDTHS) -> SmallEncoder:
    """A convolutional channel encoder with one block a stage."""
    torch.manual_seed(seed)
    return SmallEncoder(dim, widths, (1,) * len(widths)).eval()


def tiny_card(name: str = "tiny", *, widths: tuple[int, ...] = WIDTHS, **changes: Any) -> ModelCard:
    """The card of a tiny model; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "encoder": EncoderCard(
            kind="small", name="tiny encoder", dim=DIM, widths=widths, depths=(1,) * len(widths)
        ),
        "embed_dim": 8,
        "intensity": IntensityScaling(kind="plate"),
        "tiling": Tiling(mode="center", size=32),
    }
    return ModelCard(name=name, **(fields | changes))


def write_tiny_model(
    folder: Path, *, seed: int = 0, widths: tuple[int, ...] = WIDTHS, **changes: Any
) -> Path:
    """A model folder; `changes` replace fields of its card."""
    words = tiny_tokenizer()
    card, encoder = tiny_card(widths=widths, **changes), tiny_encoder(seed, widths=widths)
    save_model(folder, card, encoder, tiny_network(words, seed=seed), words)
    return folder


def load_tiny_model(folder: Path, *, seed: int = 0, **changes: Any) -> Model:
    """A tiny model, written to a folder and loaded from there."""
    return load_model(write_tiny_model(folder, seed=seed, **changes), device="cpu")


def tiny_model(seed: int = 0, *, batch_size: int = 20, **changes: Any) -> Model:
    """A tiny model in memory; `changes` replace fields of its card."""
    words = tiny_tokenizer()
    network, card = tiny_network(words, seed=seed), tiny_card(**changes)
    return Model(card, network, words, tiny_encoder(seed), device="cpu", batch_size=batch_size)


def write_tiff_plate(
    folder: Path,
    wells: Sequence[str] = ("A01", "A02", "B01"),
    sites: int = 2,
    size: tuple[int, int] = (40, 52),
    seed: int = 0,
) -> Path:
    """A folder of TIFF files (``A01_s1_DNA.tiff``) of noise, each field and stain around a level of its own."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for well in wells:
        for site in range(1, sites + 1):
            for stain in STAINS:
                image = rng.integers(500, 3000) + rng.integers(0, 400, size)
                tifffile.imwrite(folder / f"{well}_s{site}_{stain}.tiff", image.astype(np.uint16))
    return folder


def write_tiny_plate(folder: Path, *, wells: int = 12, sites: int = 2, **options: Any) -> Path:
    """A simulated plate with a plate map, and fields of 40 × 40 pixels."""
    small: dict[str, Any] = {"seed": 5, "size": (40, 40), "workers": 1}
    return simulate_plate(folder, wells=wells, sites=sites, **small | options)


def encode_tiny_screen(plate_folder: Path, model: Model, out: Path) -> Screen:
    """The screen of a plate that `write_tiny_plate` wrote."""
    return encode(open_plate(plate_folder), PlateMap.read(plate_folder / "platemap.csv"), model, out)
