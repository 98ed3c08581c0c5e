"""Where the files of a model are: in its folder, on the hub, or at paths the user gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from napari_cellclip.model.card import CARD_FILE, EncoderCard, FileCard, ModelCard
from napari_cellclip.model.encoders.channel_encoders import encoder_card
from napari_cellclip.model.encoders.kinds import ENCODER_KINDS
from napari_cellclip.model.network.pooling import Pooling
from napari_cellclip.model.weights.hub import beside_of, hub_file, require_licence, verify
from napari_cellclip.model.weights.hub_notes import pin
from napari_cellclip.model.weights.weight_files import find_weight_file, sha256
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json

CONFIG = "config.json"


class CardFiles:
    """Find the files that a model card names: in its folder or on the hub, compared with their hashes.

    Parameters
    ----------
    card : ModelCard
        The card.
    folder : Path or None
        Where its own files are; ``None`` where all are on the hub.
    accept_licence : bool
        The user's word on the licence of what comes from the hub.

    Raises
    ------
    ModelError
        If files of the hub are needed and their licence is not accepted.
    """

    def __init__(self, card: ModelCard, folder: Path | None, *, accept_licence: bool = False) -> None:
        self.card, self.folder = card, folder
        self.accept_licence = accept_licence
        self.bare = folder is not None and not (folder / CARD_FILE).is_file()
        """Published-style weights without a card of their own."""

    def weights(self) -> tuple[Path, FileCard]:
        """Path and verified card of the CellCLIP weights."""
        return self._verified(self.card.weights)

    def settings(self) -> dict[str, Any]:
        """Read what a ``config.json`` beside published-style weights says that shapes do not tell: pooling
        and attention heads.
        """
        weights = self.card.weights
        if weights.repo:
            path, _ = self._verified(beside_of(weights, CONFIG))
        elif self.bare and self.folder is not None and (self.folder / CONFIG).is_file():
            path = self.folder / CONFIG
        else:
            return {}
        try:
            content = read_json(path)
        except (OSError, ValueError):
            return {}
        stated = content if isinstance(content, dict) else {}
        heads, pooling = stated.get("vision_heads"), stated.get("pooling")
        found: dict[str, Any] = {}
        if isinstance(heads, int) and heads > 0:
            found["heads"] = heads
        if pooling in get_args(Pooling):
            found["pooling"] = pooling
        return found

    def encoder(self) -> tuple[Path, FileCard]:
        """Path of the channel encoder and the card of its weights, which says what their bytes must be.

        Those of the hub are compared only when the encoder is loaded (`check`): a question in words needs
        none of its gigabytes.
        """
        if self.bare:
            raise ModelError(
                "weights without a model card need the channel encoder they were trained with: pass encoder= "
                "with the folder of a DINOv2 (on the command line --encoder)"
            )
        weights = self.card.encoder.weights
        if self.card.encoder.kind == "profile":
            return self.folder or Path(), weights  # measured elsewhere: there is nothing to load
        if not weights.repo:
            path = self._local(weights)
            return path, verify(find_weight_file(path), weights)
        path, found = self._hub(weights)
        if not found.sha256:
            found = self.check(path, weights, found)
        if beside := ENCODER_KINDS[self.card.encoder.kind].beside:
            path = self._verified(beside_of(found, beside))[0].parent  # the folder that holds both
        return path, found

    def check(self, path: Path, asked: FileCard, found: FileCard) -> FileCard:
        """Compare a hub file's bytes with its card and note them."""
        verified = verify(path / found.file if path.is_dir() else path, found)
        pin(asked, verified)
        return verified

    def tokenizer(self) -> Path:
        """Folder of the tokenizer's files."""
        path, found = self._verified(self.card.tokenizer)
        if found.repo:
            self._verified(beside_of(found, "tokenizer_config.json"))
        return path.parent

    def _verified(self, file: FileCard) -> tuple[Path, FileCard]:
        if not file.repo:
            path = self._local(file)
            return path, verify(path, file)
        path, found = self._hub(file)
        verified = verify(path, found)
        pin(file, verified)
        return path, verified

    def _hub(self, file: FileCard) -> tuple[Path, FileCard]:
        require_licence(self.card, accept_licence=self.accept_licence)
        return hub_file(file)

    def _local(self, file: FileCard) -> Path:
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


def local_encoder(card: ModelCard, source: Path, *, bare: bool) -> EncoderCard:
    """Describe local encoder files by a card; their kind is the model's, their hash is new and not compared.

    Raises
    ------
    ModelError
        If they are not there, or of another kind or width.
    """
    if not source.exists():
        raise ModelError(f"there is no channel encoder at {source}")
    weights = FileCard(file=source.name, sha256=sha256(find_weight_file(source)))
    if not ENCODER_KINDS[card.encoder.kind].beside and not bare:
        return card.encoder.model_copy(update={"weights": weights})
    found = encoder_card(source)
    if bare:
        return found.model_copy(update={"weights": weights})
    if found.kind != card.encoder.kind:
        raise ModelError(
            f"{source} holds a channel encoder of the kind {found.kind}, {card.name!r} was trained on "
            f"{card.encoder.kind} ({card.encoder.name})"
        )
    if found.dim != card.encoder.dim:
        raise ModelError(
            f"the encoder in {source} gives {found.dim} numbers a stain, {card.name!r} was trained on "
            f"{card.encoder.dim} ({card.encoder.name})"
        )
    return card.encoder.model_copy(update={"weights": weights})
