"""Model folders: reading and writing all that belongs to a set of weights."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import nn

from napari_cellclip.model.bundle import Model
from napari_cellclip.model.card import CARD_FILE, EncoderCard, FileCard, ModelCard, read_card
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
from napari_cellclip.model.fingerprint import FILE as FINGERPRINT_FILE
from napari_cellclip.model.fingerprint import FingerprintTokenizer
from napari_cellclip.model.hub import hub_file
from napari_cellclip.model.registry import ALIASES, known_models, published_card
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
        which then need a DINOv2 `encoder` of their width and a `tokenizer`. A card stands for the model of
        its name, which must still be the same.
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
        wanted, name_or_path = name_or_path, name_or_path.name
    else:
        wanted = None
    card, folder = _find(name_or_path)
    source = _Source(card, folder, accept_licence)

    weights_path = source.path(card.weights)
    card = card.model_copy(update={"weights": _verified(card.weights, weights_path)})
    overrides: dict[str, Any] = {"heads": card.heads}
    if card.text_heads is not None:
        overrides["text_heads"] = card.text_heads
    cellclip = CellCLIP.from_state_dict(read_weights(weights_path), pooling=card.pooling, **overrides)

    if encoder is not None:
        encoder_path = Path(encoder).expanduser()
        card = card.model_copy(update={"encoder": _local_encoder(card, encoder_path, source.bare)})
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

    vocabulary = Path(tokenizer).expanduser() if tokenizer is not None else source.tokenizer()
    words = _words(vocabulary, cellclip)

    def load() -> nn.Module:
        return load_encoder(card.encoder, encoder_path, size=card.tiling.size)

    # Absolute: a screen keeps it, and may be asked from another working directory.
    place = Path(name_or_path).expanduser() if source.bare else folder
    origin = card.name if place is None else str(place.absolute())
    return Model(card, cellclip, words, load, device=device, batch_size=batch_size, origin=origin)


def save_model(
    folder: str | Path,
    card: ModelCard,
    encoder: ChannelEncoder | nn.Module,
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
    encoder : ChannelEncoder
        A `SmallEncoder`, `Dinov2Encoder` or `TimmEncoder`.
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
    width = cast(ChannelEncoder, encoder).dim
    if width != card.encoder.dim:
        raise ModelError(f"the encoder gives {width} numbers a stain, the card says {card.encoder.dim}")
    _require_same_sizes(card, cellclip)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_FILE).unlink(missing_ok=True)
    _save_state(cellclip, folder / "cellclip.safetensors")
    tokenizer.save(folder)
    words = FINGERPRINT_FILE if isinstance(tokenizer, FingerprintTokenizer) else "vocab.txt"
    weights = _save_encoder(cast(nn.Module, encoder), folder)
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


def _save_encoder(encoder: nn.Module, folder: Path) -> FileCard:
    if isinstance(encoder, Dinov2Encoder):
        encoder.network.save_pretrained(folder / "encoder")
        return FileCard(file="encoder", sha256=sha256(folder / "encoder" / "model.safetensors"))
    network = encoder.network if isinstance(encoder, TimmEncoder) else encoder
    _save_state(network, folder / "encoder.safetensors")
    return FileCard(file="encoder.safetensors", sha256=sha256(folder / "encoder.safetensors"))


def _save_state(module: nn.Module, path: Path) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    save_file(state, path)


class _Source:
    """Where the files of a card are: in its folder, or on the hub."""

    def __init__(self, card: ModelCard, folder: Path | None, accept_licence: bool) -> None:
        self.card, self.folder, self.accept_licence = card, folder, accept_licence
        self.bare = folder is not None and not (folder / CARD_FILE).is_file()
        """Published-style weights without a card of their own."""

    def path(self, file: FileCard) -> Path:
        if file.repo:
            return hub_file(file, self.card, accept_licence=self.accept_licence)
        if self.folder is None or not file.file:
            raise ModelError(f"the card of {self.card.name!r} does not say where its files are")
        path = self.folder / file.file
        if self.folder.resolve() not in path.resolve().parents:
            raise ModelError(
                f"the card of {self.card.name!r} names {file.file!r}, which lies outside its folder"
            )
        if not path.exists():
            raise ModelError(f"the model folder {self.folder} is not whole: {file.file} is missing")
        return path

    def encoder(self) -> tuple[Path, FileCard]:
        """Path of the channel encoder and the verified card of its weights."""
        if self.bare:
            raise ModelError(
                "weights without a model card need the channel encoder they were trained with: pass encoder= "
                "with the folder of a DINOv2"
            )
        weights = self.card.encoder.weights
        path = self.path(weights)
        if weights.repo and self.card.encoder.kind == "dinov2":
            path = self.path(weights.model_copy(update={"file": "config.json"})).parent
        return path, _verified(weights, weights_file(path))

    def tokenizer(self) -> Path:
        """Folder of the tokenizer's files."""
        file = self.card.tokenizer
        path = self.path(file)
        if file.repo:
            self.path(file.model_copy(update={"file": "tokenizer_config.json", "sha256": ""}))
        _verified(file, path)
        return path.parent


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
        changes = {
            "name": path.stem,
            "title": f"CellCLIP weights {path.name}",
            "weights": FileCard(file=file.name),
            "tokenizer": FileCard(file="vocab.txt"),
        }
        return published_card().model_copy(update=changes), file.parent
    raise ModelError(
        f"no model {name!r}: known are {', '.join(sorted(known))}, or give the path of a model folder"
    )


def _verified(file: FileCard, path: Path) -> FileCard:
    """The file's card with its hash, after comparing it with the one on record."""
    found = sha256(path)
    if file.sha256 and found != file.sha256:
        raise ModelError(
            f"{path} is not the file its model card describes (sha256 {found[:12]}… instead of "
            f"{file.sha256[:12]}…): get the model again"
        )
    return file.model_copy(update={"sha256": found})


def _local_encoder(card: ModelCard, source: Path, bare: bool) -> EncoderCard:
    """The card of local encoder files; their kind is the model's, their hash is new and not compared."""
    if not source.exists():
        raise ModelError(f"there is no channel encoder at {source}")
    weights = FileCard(file=source.name, sha256=sha256(weights_file(source)))
    if card.encoder.kind != "dinov2":
        return card.encoder.model_copy(update={"weights": weights})
    found = encoder_card(source)
    if found.dim != card.encoder.dim and not bare:
        raise ModelError(
            f"the DINOv2 in {source} gives {found.dim} numbers a stain, {card.name!r} was trained on "
            f"{card.encoder.dim} ({card.encoder.name})"
        )
    name = found.name if bare else card.encoder.name
    return card.encoder.model_copy(update={"name": name, "dim": found.dim, "weights": weights})


def _words(folder: Path, cellclip: CellCLIP) -> WordPieceTokenizer | FingerprintTokenizer:
    """The tokenizer in a folder, after a look at whether the model's text tower can read what it gives."""
    config = cellclip.config
    kind = FingerprintTokenizer if config.text_tower == "fingerprint" else WordPieceTokenizer
    words = kind.from_folder(folder, max_length=config.text_positions)
    if len(words) > config.text_vocabulary:
        raise ModelError(
            f"the tokenizer in {folder} has {len(words)} word pieces, the model only "
            f"{config.text_vocabulary}: it belongs to another model"
        )
    return words


def _require_same_sizes(card: ModelCard, cellclip: CellCLIP) -> None:
    config = cellclip.config
    for what, has, says in (
        ("numbers a stain", config.width, card.encoder.dim),
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
