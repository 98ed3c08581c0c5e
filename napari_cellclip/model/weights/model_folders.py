"""Model folders: reading and writing all that belongs to a set of weights."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import nn

from napari_cellclip.model.card import (
    CARD_FILE,
    FEATURES_FILE,
    FileCard,
    ModelCard,
    SentenceCard,
    read_card,
)
from napari_cellclip.model.encoders.channel_encoders import ChannelEncoder, load_encoder
from napari_cellclip.model.encoders.profile_encoder import ProfileEncoder
from napari_cellclip.model.encoders.timm_encoder import TimmEncoder
from napari_cellclip.model.encoders.transformers_encoder import TransformersEncoder
from napari_cellclip.model.model import Model
from napari_cellclip.model.network.cellclip import CellCLIP
from napari_cellclip.model.network.fingerprint_tokenizer import FILE as FINGERPRINT_FILE
from napari_cellclip.model.network.fingerprint_tokenizer import FingerprintTokenizer
from napari_cellclip.model.network.sentence_tower import SentenceTower
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.packaged import PACKAGED
from napari_cellclip.model.registry import find_model
from napari_cellclip.model.stored_texts import StoredTexts
from napari_cellclip.model.weights.card_files import CardFiles, local_encoder
from napari_cellclip.model.weights.hub import choose_revision
from napari_cellclip.model.weights.packaged_encoders import packaged_parts
from napari_cellclip.model.weights.sentence_encoders import FOLDER as SENTENCE_FOLDER
from napari_cellclip.model.weights.sentence_encoders import SentenceEncoder
from napari_cellclip.model.weights.weight_files import read_weights, sha256
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.user_folders import cache_folder, from_home


def load_model(
    name_or_path: str | Path | ModelCard = "demo",
    *,
    device: str = "auto",
    encoder: str | Path | None = None,
    tokenizer: str | Path | None = None,
    accept_licence: bool = False,
    revision: str | None = None,
    batch_size: int | None = None,
) -> Model:
    """Load a model, ready to embed wells and texts.

    Parameters
    ----------
    name_or_path : str, Path or ModelCard
        A name that `known_cards` lists; a model folder; or a file or folder with CellCLIP weights as
        published, which then need a DINOv2 `encoder` of their width and a `tokenizer`. A card stands for the
        model of its name, which must still be the same.
    device : str
        See `resolve_device`.
    encoder : path, optional
        Local files of the channel encoder instead of the card's: for networks of transformers a folder in the
        hub's layout.
    tokenizer : path, optional
        Folder with the tokenizer's ``vocab.txt`` instead of the card's.
    accept_licence : bool
        Say yes to the licence of a model whose files come from the hub. It is remembered in the cache folder
        until the licence's text changes.
    revision : str, optional
        Commit, tag or branch of the CellCLIP weights on the hub, from this call on; the first fetch chooses
        what ``main`` is on that day.
    batch_size : int, optional
        Single-stain crops encoded at once; where not given, 64, and what a GPU does best.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the model is not known, its licence was not accepted, or a file is missing, damaged or another one.
    """
    if isinstance(name_or_path, ModelCard):
        wanted, name_or_path = name_or_path, name_or_path.name
    else:
        wanted = None
    card, folder = find_model(name_or_path)
    if folder is not None and card.name in PACKAGED and not (folder / CARD_FILE).is_file():
        card = _at_first_use(folder, card)
    if revision is not None:
        choose_revision(card.weights, revision)
    source = CardFiles(card, folder, accept_licence=accept_licence)

    weights_path, checked = source.weights()
    card = card.model_copy(update={"weights": checked, **source.settings()})
    overrides: dict[str, Any] = {"heads": card.heads}
    if card.text_heads is not None:
        overrides["text_heads"] = card.text_heads
    if card.sentence_encoder is not None:
        overrides["text_positions"] = card.sentence_encoder.positions
    cellclip = CellCLIP.from_state_dict(read_weights(weights_path), pooling=card.pooling, **overrides)

    if encoder is not None:
        encoder_path = from_home(encoder)
        card = card.model_copy(update={"encoder": local_encoder(card, encoder_path, bare=source.bare)})
    else:
        encoder_path, checked = source.encoder()
        card = card.model_copy(update={"encoder": card.encoder.model_copy(update={"weights": checked})})
    if source.bare:
        found = cellclip.config
        kinds = {"image_tower": found.image_tower, "text_tower": found.text_tower}
        card = card.model_copy(update={"embed_dim": found.embed_dim, **kinds})
    _require_same_sizes(card, cellclip)
    _require_same_kinds(card, cellclip)
    if wanted is not None and wanted.card_hash != card.card_hash:
        raise ModelError(
            f"the model {card.name!r} on this computer ({card.card_hash}) is not the one asked for "
            f"({wanted.card_hash}): install that version, or encode again with this one"
        )

    vocabulary = from_home(tokenizer) if tokenizer is not None else source.tokenizer()
    words = _words(vocabulary, cellclip)
    if isinstance(cellclip.text, SentenceTower):
        cellclip.text.attach(_sentence_encoder(card, folder))

    def load() -> nn.Module:
        if encoder is None and checked.repo:
            source.check(encoder_path, source.card.encoder.weights, checked)
        return load_encoder(card.encoder, encoder_path, size=card.tiling.size)

    # Absolute: a screen keeps it, and may be asked from another working directory.
    place = from_home(name_or_path) if source.bare else folder
    origin = card.name if place is None else str(place.absolute())
    # All that an embedding depends on besides token ids; `CardFiles` has compared these bytes.
    frozen = "" if card.sentence_encoder is None else card.sentence_encoder.sha256
    identity = f"{card.weights.sha256} {card.text_heads} {frozen}"
    stored = StoredTexts(cache_folder() / "texts.sqlite", identity, card.embed_dim)
    return Model(
        card, cellclip, words, load, device=device, batch_size=batch_size, origin=origin, stored=stored
    )


def save_model(
    folder: str | Path,
    card: ModelCard,
    encoder: ChannelEncoder | nn.Module | None,
    cellclip: CellCLIP,
    tokenizer: WordPieceTokenizer | FingerprintTokenizer,
) -> ModelCard:
    """Write a model folder: card, channel encoder, CellCLIP weights and tokenizer.

    Parameters
    ----------
    folder : path
        Made if absent; the card is written last, so that a folder with a card is whole.
    card : ModelCard
        What the model is; file names, hashes, pooling and attention heads are filled in.
    encoder : ChannelEncoder or None
        A `SmallEncoder`, `TransformersEncoder` or `TimmEncoder`, whose weights are written; ``None`` writes
        none, for a card that names those of a hub repository by commit and hash, or of measured profiles.
    cellclip : CellCLIP
        The trained model.
    tokenizer : WordPieceTokenizer or FingerprintTokenizer
        The one it was trained with.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    ModelError
        If encoder, card and model do not fit each other.
    """
    width = card.encoder.dim if encoder is None else cast(ChannelEncoder, encoder).dim
    known = card.encoder.weights.repo and card.encoder.weights.sha256
    if encoder is None and not known and card.encoder.kind != "profile":
        raise ModelError(
            f"the card of {card.name!r} does not say which weights of the hub its channel encoder has: give "
            "the encoder itself"
        )
    if width != card.encoder.dim:
        raise ModelError(f"the encoder gives {width} numbers a stain, the card says {card.encoder.dim}")
    _require_same_sizes(card, cellclip)
    folder = from_home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).unlink(missing_ok=True)
    _save_state(cellclip, folder / "cellclip.safetensors")
    tokenizer.save(folder)
    words = FINGERPRINT_FILE if isinstance(tokenizer, FingerprintTokenizer) else "vocab.txt"
    weights = card.encoder.weights if encoder is None else _save_encoder(cast(nn.Module, encoder), folder)
    written = card.model_copy(
        update={
            "weights": FileCard(file="cellclip.safetensors", sha256=sha256(folder / "cellclip.safetensors")),
            "tokenizer": FileCard(file=words, sha256=sha256(folder / words)),
            "encoder": card.encoder.model_copy(update={"weights": weights}),
            "heads": cellclip.config.heads,
            "text_heads": cellclip.config.text_heads,
            "pooling": cellclip.pooling,
            "image_tower": cellclip.config.image_tower,
            "text_tower": cellclip.config.text_tower,
            "sentence_encoder": _save_sentence_encoder(cellclip, folder),
        }
    )
    part = folder / f"{CARD_FILE}.part"
    part.write_text(written.to_json(), encoding="utf-8")
    os.replace(part, folder / CARD_FILE)
    return written


def _at_first_use(folder: Path, card: ModelCard) -> ModelCard:
    """Write the folder of a packaged model; where several programs do so at once, the first one's stays."""
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        save_model(aside, card, *packaged_parts(card))
        try:
            aside.replace(folder)
        except OSError:  # it is there: another program's, or what a stopped one left of it
            if not (folder / CARD_FILE).is_file():
                shutil.rmtree(folder, ignore_errors=True)
                aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return read_card(folder)


def _sentence_encoder(card: ModelCard, folder: Path | None) -> SentenceEncoder:
    if card.sentence_encoder is None:
        raise ModelError(f"the card of {card.name!r} does not name its sentence encoder: get the model again")
    if not card.sentence_encoder.package and folder is None:
        raise ModelError(
            f"the sentence encoder of {card.name!r} lies in its model folder: load it from there"
        )
    inside = None if card.sentence_encoder.package or folder is None else folder / SENTENCE_FOLDER
    return SentenceEncoder(card.sentence_encoder, inside)


def _save_sentence_encoder(cellclip: CellCLIP, folder: Path) -> SentenceCard | None:
    """Files of a frozen encoder that no package holds, and the card of any."""
    if not isinstance(cellclip.text, SentenceTower):
        return None
    source = cellclip.text.source
    if not isinstance(source, SentenceEncoder):
        raise ModelError("a text tower without a sentence encoder cannot be saved: attach one")
    source.save(folder)
    return source.card


def _save_encoder(encoder: nn.Module, folder: Path) -> FileCard:
    if isinstance(encoder, ProfileEncoder):
        # Bytes and not text: a screen knows its features by the hash of this file.
        (folder / FEATURES_FILE).write_bytes(encoder.features.encode())
        return FileCard(file=FEATURES_FILE, sha256=sha256(folder / FEATURES_FILE))
    if isinstance(encoder, TransformersEncoder):
        encoder.network.save_pretrained(folder / "encoder")
        return FileCard(file="encoder", sha256=sha256(folder / "encoder" / "model.safetensors"))
    network = encoder.network if isinstance(encoder, TimmEncoder) else encoder
    _save_state(network, folder / "encoder.safetensors")
    return FileCard(file="encoder.safetensors", sha256=sha256(folder / "encoder.safetensors"))


def _save_state(module: nn.Module, path: Path) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    save_file(state, path)


def _words(folder: Path, cellclip: CellCLIP) -> WordPieceTokenizer | FingerprintTokenizer:
    """The tokenizer in a folder, after a look at whether the model's text tower can read what it gives."""
    config = cellclip.config
    kind = FingerprintTokenizer if config.text_tower == "fingerprint" else WordPieceTokenizer
    words = kind.from_folder(folder, max_length=config.text_positions)
    if config.text_tower != "sentence" and len(words) > config.text_vocabulary:
        raise ModelError(
            f"the tokenizer in {folder} has {len(words)} word pieces, the model only "
            f"{config.text_vocabulary}: it belongs to another model"
        )
    return words


def _require_same_sizes(card: ModelCard, cellclip: CellCLIP) -> None:
    config = cellclip.config
    for what, has, says in (
        ("numbers a stain", config.feature_width, card.encoder.dim),
        ("numbers an embedding", config.embed_dim, card.embed_dim),
        ("stains", config.stains, len(card.stain_order)),
    ):
        if has != says:
            raise ModelError(
                f"the CellCLIP weights have {has} {what}, the card of {card.name!r} and its encoder {says}"
            )


def _require_same_kinds(card: ModelCard, cellclip: CellCLIP) -> None:
    config = cellclip.config
    for what, has, says in (
        ("an image", config.image_tower, card.image_tower),
        ("a text", config.text_tower, card.text_tower),
    ):
        if has != says:
            raise ModelError(
                f"the CellCLIP weights have {what} tower of the kind {has!r}, the card of {card.name!r} says"
                f" {says!r}: get the model again"
            )
