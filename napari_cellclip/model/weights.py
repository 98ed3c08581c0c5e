"""Model folders: writing them, reading them, and fetching published weights when asked to."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import nn

from napari_cellclip.model.bundle import Model
from napari_cellclip.model.cards import (
    ALIASES,
    CARD_FILE,
    PUBLISHED,
    FileCard,
    ModelCard,
    known_models,
    published_card,
    read_card,
)
from napari_cellclip.model.cellclip import CellCLIP
from napari_cellclip.model.encoders import (
    ChannelEncoder,
    Dinov2Encoder,
    TimmEncoder,
    encoder_card,
    load_encoder,
    read_weights,
    weights_file,
)
from napari_cellclip.model.tokenizer import WordPieceTokenizer
from napari_cellclip.vocabulary import ModelError


def load_model(
    name_or_path: str | Path | ModelCard = "demo",
    *,
    device: str = "auto",
    encoder: str | Path | None = None,
    tokenizer: str | Path | None = None,
    accept_licence: bool = False,
    batch_size: int = 64,
) -> Model:
    """Load a model, ready to embed wells and texts.

    Parameters
    ----------
    name_or_path : str, Path or ModelCard
        A name that `cards` lists; a model folder; or a file or folder with CellCLIP weights as published,
        which then need `encoder` and `tokenizer`. A card stands for the model of its name, which must still
        be the same.
    device : str
        See `resolve_device`.
    encoder : path, optional
        Local files of the channel encoder instead of the card's: for ``dinov2`` a folder in the hub's layout.
    tokenizer : path, optional
        Folder with the tokenizer's ``vocab.txt`` instead of the card's.
    accept_licence : bool
        Say yes to the card's licence: only then is anything fetched. What was fetched before is used without
        asking.
    batch_size : int
        Single-stain crops encoded at once.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the model is not known, its licence was not accepted, or a file is missing, damaged or another one.
    """
    if isinstance(name_or_path, ModelCard):
        model = load_model(
            name_or_path.name, device=device, encoder=encoder, tokenizer=tokenizer, batch_size=batch_size
        )
        if model.card.card_hash != name_or_path.card_hash:
            raise ModelError(
                f"the model {name_or_path.name!r} on this computer ({model.card.card_hash}) is not "
                f"the one asked for "
                f"({name_or_path.card_hash}): install that version, or encode again with this one"
            )
        return model
    card, folder = _find(name_or_path)
    weights_path = _locate(card.weights, card, folder, accept_licence)
    card = card.model_copy(update={"weights": _verified(card.weights, weights_path)})

    if encoder is not None:
        card = _with_encoder(card, Path(encoder))
        encoder_path = Path(encoder)
    else:
        encoder_path = _encoder_path(card, folder, accept_licence)
        checked = _verified(card.encoder.weights, weights_file(encoder_path))
        card = card.model_copy(update={"encoder": card.encoder.model_copy(update={"weights": checked})})
    if tokenizer is not None:
        vocabulary = Path(tokenizer)
    else:
        vocabulary = _locate(card.tokenizer, card, folder, accept_licence)
        if card.tokenizer.repo and folder is None:
            _locate(
                card.tokenizer.model_copy(update={"file": "tokenizer_config.json"}),
                card,
                None,
                accept_licence,
            )
        _verified(card.tokenizer, vocabulary)
        vocabulary = vocabulary.parent

    overrides: dict[str, Any] = {"heads": card.heads}
    if card.text_heads is not None:
        overrides["text_heads"] = card.text_heads
    cellclip = CellCLIP.from_state_dict(read_weights(weights_path), pooling=card.pooling, **overrides)
    if not card.weights.repo and not (folder and (folder / CARD_FILE).is_file()):
        card = card.model_copy(update={"embed_dim": cellclip.config.embed_dim})
    _require_same_sizes(card, cellclip)
    words = WordPieceTokenizer.from_folder(vocabulary, max_length=cellclip.config.text_positions)
    if len(words) > cellclip.config.text_vocabulary:
        raise ModelError(
            f"the tokenizer in {vocabulary} has {len(words)} word pieces, the model only "
            f"{cellclip.config.text_vocabulary}: it belongs to another model"
        )

    def load() -> nn.Module:
        return load_encoder(card.encoder, encoder_path, size=card.tiling.size)

    return Model(
        card, cellclip, words, load, device=device, batch_size=batch_size, origin=str(folder or card.name)
    )


def save_model(
    folder: str | Path,
    card: ModelCard,
    encoder: ChannelEncoder | nn.Module,
    cellclip: CellCLIP,
    tokenizer: WordPieceTokenizer,
) -> ModelCard:
    """Write a model folder: card, channel encoder, CellCLIP weights and tokenizer.

    Parameters
    ----------
    folder : path
        Made if absent; the card is written last, so that a folder with a card is whole.
    card : ModelCard
        What the model is; file names, hashes and sizes are filled in.
    encoder : ChannelEncoder
        A `SmallEncoder`, `Dinov2Encoder` or `TimmEncoder`.
    cellclip : CellCLIP
        The trained model.
    tokenizer : WordPieceTokenizer
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
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    width = cast(ChannelEncoder, encoder).dim
    if width != card.encoder.dim:
        raise ModelError(f"the encoder gives {width} numbers a stain, the card says {card.encoder.dim}")
    _require_same_sizes(card, cellclip)
    (folder / CARD_FILE).unlink(missing_ok=True)
    module = cast(nn.Module, encoder)
    if isinstance(module, Dinov2Encoder):
        module.network.save_pretrained(folder / "encoder", safe_serialization=True)
        encoder_file = FileCard(file="encoder", sha256=sha256(folder / "encoder" / "model.safetensors"))
    else:
        _save_state(
            module.network if isinstance(module, TimmEncoder) else module, folder / "encoder.safetensors"
        )
        encoder_file = FileCard(file="encoder.safetensors", sha256=sha256(folder / "encoder.safetensors"))
    _save_state(cellclip, folder / "cellclip.safetensors")
    tokenizer.save(folder)
    written = card.model_copy(
        update={
            "weights": FileCard(file="cellclip.safetensors", sha256=sha256(folder / "cellclip.safetensors")),
            "tokenizer": FileCard(file="vocab.txt", sha256=sha256(folder / "vocab.txt")),
            "encoder": card.encoder.model_copy(update={"weights": encoder_file}),
            "heads": cellclip.config.heads,
            "text_heads": cellclip.config.text_heads,
            "pooling": cellclip.pooling,
        }
    )
    part = folder / f"{CARD_FILE}.part"
    part.write_text(written.to_json(), encoding="utf-8")
    os.replace(part, folder / CARD_FILE)
    return written


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save_state(module: nn.Module, path: Path) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    save_file(state, path)


def _find(name_or_path: str | Path) -> tuple[ModelCard, Path | None]:
    """The card a name or path means, and its folder (``None``: on the hub)."""
    name = str(name_or_path)
    known = known_models()
    found = known.get(ALIASES.get(name, name))
    if found is not None:
        return found
    path = Path(name_or_path).expanduser()
    if (path / CARD_FILE).is_file():
        return read_card(path), path
    if path.exists():
        file = weights_file(path)
        card = published_card()
        return card.model_copy(
            update={
                "name": path.stem,
                "title": f"CellCLIP weights {file.name}",
                "weights": FileCard(file=file.name),
                "tokenizer": FileCard(file="vocab.txt"),
            }
        ), file.parent
    raise ModelError(
        f"no model {name!r}: known are {', '.join(sorted(known))}, or give the path of a model folder"
    )


def _locate(file: FileCard, card: ModelCard, folder: Path | None, accept_licence: bool) -> Path:
    """Path of a card's file: in its folder, or on the hub."""
    if file.repo:
        return _fetch(file, card, accept_licence)
    if folder is None or not file.file:
        raise ModelError(f"the card of {card.name!r} does not say where its files are")
    path = folder / file.file
    if folder.resolve() not in path.resolve().parents:
        raise ModelError(f"the card of {card.name!r} names {file.file!r}, which lies outside its folder")
    if not path.exists():
        raise ModelError(f"the model folder {folder} is not whole: {file.file} is missing")
    return path


def _encoder_path(card: ModelCard, folder: Path | None, accept_licence: bool) -> Path:
    weights = card.encoder.weights
    path = _locate(weights, card, folder, accept_licence)
    if weights.repo and card.encoder.kind == "dinov2":
        _fetch(weights.model_copy(update={"file": "config.json"}), card, accept_licence)
        return path.parent
    return path


def _fetch(file: FileCard, card: ModelCard, accept_licence: bool) -> Path:
    """Path of a hub file: from the hub's cache, or fetched if the licence was accepted."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    revision = file.revision or None
    cached = try_to_load_from_cache(file.repo, file.file, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    if not accept_licence:
        raise ModelError(
            f"{card.title or card.name} needs {file.file} of {file.repo}, which is not on this computer. "
            f"Licence: {card.licence}. {card.licence_text} To fetch it, pass accept_licence=True; "
            f"files you already "
            "have can be given as paths instead"
        )
    try:
        return Path(hf_hub_download(file.repo, file.file, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError(
            f"{file.file} of {file.repo} could not be fetched ({type(error).__name__}): check the "
            f"connection, or "
            "give the path of files fetched elsewhere"
        ) from error


def _verified(file: FileCard, path: Path) -> FileCard:
    """The file's card with its hash, after comparing it with the one on record."""
    found = sha256(path)
    if file.sha256 and found != file.sha256:
        raise ModelError(
            f"{path} is not the file its model card describes (sha256 {found[:12]}… instead of "
            f"{file.sha256[:12]}…): "
            "get the model again"
        )
    return file.model_copy(update={"sha256": found})


def _with_encoder(card: ModelCard, source: Path) -> ModelCard:
    """The card with a local encoder in place of its own: the same family and size."""
    if not source.exists():
        raise ModelError(f"there is no channel encoder at {source}")
    described = card.encoder
    if described.kind == "dinov2":
        found = encoder_card(source)
        if found.dim != described.dim:
            raise ModelError(
                f"the DINOv2 in {source} gives {found.dim} numbers a stain, {card.name!r} was trained on "
                f"{described.dim} ({described.name})"
            )
    # Not compared with the card: the user chose these files, and the new hash keys what they give.
    weights = FileCard(file=source.name, sha256=sha256(weights_file(source)))
    return card.model_copy(update={"encoder": described.model_copy(update={"weights": weights})})


def _require_same_sizes(card: ModelCard, cellclip: CellCLIP) -> None:
    config = cellclip.config
    for what, has, says in (
        ("features of the channel encoder", config.width, card.encoder.dim),
        ("embedding", config.embed_dim, card.embed_dim),
        ("stains", config.stains, len(card.stain_order)),
    ):
        if has != says:
            raise ModelError(
                f"the weights of {card.name!r} do not fit its card: {what}: {has}, the card says {says}"
            )


__all__ = ["PUBLISHED", "load_model", "save_model", "sha256"]
