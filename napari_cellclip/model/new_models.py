"""Start a model: a published channel encoder with a head that has learnt nothing yet."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_cellclip.model.card import UNTRAINED, EncoderCard, ModelCard
from napari_cellclip.model.encoders.channel_encoders import encoder_and_crop, load_encoder
from napari_cellclip.model.encoders.intensity import IntensityScaling
from napari_cellclip.model.encoders.tiling import Tiling
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.network.cellclip import CellCLIP, CellCLIPConfig
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.registry import demo_folder
from napari_cellclip.model.weights.bert_folder import read_bert
from napari_cellclip.model.weights.hub import require_licence
from napari_cellclip.model.weights.hub_client import AbsentError
from napari_cellclip.model.weights.model_folders import save_model
from napari_cellclip.model.weights.published_files import PublishedFiles, published_files
from napari_cellclip.model.weights.weight_files import NAMES
from napari_cellclip.vocabulary import STAINS, ModelError, Stain
from napari_cellclip.vocabulary.user_folders import from_home

SMALL_TEXT = {
    "text_width": 256,
    "text_layers": 4,
    "text_heads": 4,
    "text_intermediate": 1024,
    "text_positions": 256,
}
"""Sizes of the small text tower, 4 million parameters with the bundled vocabulary."""


def new_model(
    encoder: PublishedFiles | str | Path,
    out: str | Path,
    *,
    text: str | Path = "small",
    layers: int = 4,
    embed_dim: int = 512,
    intensity: IntensityScaling | None = None,
    tiling: Tiling | None = None,
    stain_order: tuple[Stain, ...] = STAINS,
    seed: int = 0,
    accept_licence: bool = False,
) -> ModelCard:
    """Write a model folder with a published channel encoder and an untrained head.

    Encode plates with it, then train its head on them. The weights of an encoder from the hub stay in the
    hub's cache: the card names repository, commit and hash. Those of a folder are copied.

    Parameters
    ----------
    encoder : PublishedFiles, str or Path
        A repository such as ``"facebook/dinov2-small"``, ``"facebook/dino-vits8"``,
        ``"openai/clip-vit-base-patch32"``, ``"google/siglip-base-patch16-224"`` or
        ``"timm/resnet50.a1_in1k"``, or a folder with its files.
    out : path
        Model folder: new, or empty.
    text : str or Path
        ``"small"``: the bundled vocabulary and a small text tower, untrained. Otherwise a BERT with its
        weights: a repository such as ``"google-bert/bert-base-cased"``, or a folder.
    layers, embed_dim : int
        Size of the image tower; the paper has 12 and 512.
    intensity, tiling : optional
        How pixels are scaled and cut; by default the plate's own range, and a grid of the crops the encoder
        was made for.
    stain_order : tuple of Stain
        Stain of each slot.
    seed : int
        Of the random weights; the same gives the same model.
    accept_licence : bool
        Say yes to the licence of what is fetched.

    Returns
    -------
    ModelCard
        As written; ``load_model(out)`` loads the model.

    Raises
    ------
    ModelError
        If a licence is not accepted, a file is missing, damaged or of another kind, or `out` is in use.

    Examples
    --------
    >>> new_model("facebook/dinov2-small", "my-model", accept_licence=True)   # doctest: +SKIP
    >>> encode(open_plate("BR00117006"), None, "my-model", "my-screen")      # doctest: +SKIP
    >>> train([Screen.open("my-screen")], "my-trained-model")                # doctest: +SKIP
    """
    folder = from_home(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is in use: name a new folder for the model")
    source = encoder if isinstance(encoder, PublishedFiles) else published_files(encoder)
    require_licence(source.as_card(), accept_licence=accept_licence)
    card, crop, path = _encoder_files(source)
    network: nn.Module | None = None
    if not source.repo:
        network = load_encoder(card, path, size=crop)
    bert, words, sizes = _text_tower(text, accept_licence, seed)
    cellclip = _untrained(card.dim, layers, embed_dim, len(words), sizes, len(stain_order), seed)
    if bert is not None:
        cellclip.text.load_state_dict(bert.state_dict())
    stated = f"{source.name}: {source.licence}" if source.repo else ""
    return save_model(
        folder,
        ModelCard(
            name=folder.name,
            title=f"CellCLIP head on {source.name}",
            description="The head has learnt nothing yet: its answers to words mean nothing until it was "
            "trained on encoded screens.",
            licence=source.licence or "that of the channel encoder",
            licence_text=source.as_card().licence_text,
            source=stated or f"channel encoder from {source.name}",
            encoder=card,
            intensity=intensity or IntensityScaling(kind="plate"),
            tiling=tiling or Tiling(mode="grid", size=crop),
            stain_order=stain_order,
            embed_dim=embed_dim,
            trained_on=UNTRAINED,
            limits="The channel encoder was made for photographs, and sees each stain as a grey one.",
        ),
        network,
        cellclip,
        words,
    )


def _encoder_files(source: PublishedFiles) -> tuple[EncoderCard, int, Path]:
    """Card, crop size and files of a channel encoder; those of the hub fetched and compared."""
    config, _ = source.first_of("config.json")
    with suppress(AbsentError):  # the family's usual colours and crop then
        source.first_of("preprocessor_config.json")
    card, crop = encoder_and_crop(config.parent)
    path, weights = source.first_of(*NAMES)
    named = {"name": source.name} if card.kind != "timm" else {}
    if not source.repo:
        return card.model_copy(update=named), crop, path.parent
    return card.model_copy(update={**named, "weights": weights}), crop, path.parent


def _text_tower(
    text: str | Path, accept_licence: bool, seed: int
) -> tuple[Bert | None, WordPieceTokenizer, dict[str, Any]]:
    """Pretrained BERT (none for the small tower), tokenizer and the ``text_*`` fields of the model."""
    if str(text) == "small":
        return None, WordPieceTokenizer.from_folder(demo_folder(), max_length=256), dict(SMALL_TEXT)
    source = published_files(text)
    require_licence(source.as_card(), accept_licence=accept_licence)
    folder = source.first_of("config.json")[0].parent
    source.first_of("vocab.txt", "tokenizer.json")
    with suppress(AbsentError):  # cased then, as the first BERT's were
        source.first_of("tokenizer_config.json")
    source.first_of("model.safetensors", "pytorch_model.bin")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of a pooler, where the files have none
        return read_bert(folder)


def _untrained(
    width: int, layers: int, embed_dim: int, vocabulary: int, sizes: dict[str, Any], stains: int, seed: int
) -> CellCLIP:
    heads = next(n for n in (8, 6, 4, 3, 2, 1) if width % n == 0)
    settings: dict[str, Any] = {"text_vocabulary": vocabulary, **sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = CellCLIPConfig(
            width=width, embed_dim=embed_dim, layers=layers, heads=heads, stains=stains, **settings
        )
        return CellCLIP(config).eval()
