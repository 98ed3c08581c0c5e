"""Model cards: what a model is, how pixels and words are prepared for it, and where its weights are."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_cellclip.model.encoders.intensity import IntensityScaling
from napari_cellclip.model.encoders.kinds import ENCODER_KINDS
from napari_cellclip.model.encoders.tiling import Tiling
from napari_cellclip.model.prompts import PromptTemplates
from napari_cellclip.vocabulary import STAINS, ModelError, Stain
from napari_cellclip.vocabulary.regular_files import read_regular

CARD_FILE = "card.json"
MAX_CARD_BYTES = 2**24
MAX_WIDTH = 2**20
"""Largest of the sizes that a card can state: memory is taken for them before weights are read."""
_Width = Annotated[int, Field(ge=1, le=2**14)]
_Depth = Annotated[int, Field(ge=1, le=256)]

VOCABULARY = "vocabulary"
"""Key of a card's ``training`` for the texts a model was trained on, by the thing they name."""

UNTRAINED = "Nothing yet; the channel encoder as published."
"""What `trained_on` of a card says whose head has random weights."""

FITTED_PLATES = "fitted_plates"
"""Key of a card's ``training`` for the plates that a head was fitted to: of them it answers from memory."""

FEATURES_FILE = "features.json"
"""Order of measured features, in the folders of screens of profiles and of their models."""


_PLAIN_NAME = re.compile(r"\w(?:[\w-]|\.(?!\.)){0,99}", re.ASCII)


def require_plain_name(name: str) -> None:
    """Refuse a name of a timm network that timm would look up elsewhere: on a hub, in a folder.

    Raises
    ------
    ModelError
        If it is more than letters, digits, points, dashes and underscores.
    """
    if not _PLAIN_NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name of a timm network: it should read like resnet50.a1_in1k")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FileCard(_Frozen):
    """Source of a file or a repository of files.

    Attributes
    ----------
    repo : str
        Repository on the Hugging Face hub; empty for a file in the model's folder.
    file : str
        File or folder name, in the repository or the model's folder.
    revision : str
        Branch, tag or commit of the repository.
    sha256 : str
        Of the file's bytes; empty until the file was seen.
    size : int
        Bytes, 0 where not known; shown before anything is fetched.
    """

    repo: str = ""
    file: str = ""
    revision: str = ""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    size: int = Field(default=0, ge=0)


class EncoderCard(_Frozen):
    """A channel encoder and how its pixels are normalised (after scaling to 0..1).

    Attributes
    ----------
    kind : str
        Family, one of `ENCODER_KINDS`; ``"profile"`` stands for measured features that come from a table
        instead of pixels.
    name : str
        Hub repository, timm's name, or a free name.
    dim : int
        Length of a feature vector.
    mean, std : tuple of float
        Colour normalisation of the encoders made for colour pictures; unused by ``"small"``.
    widths, depths, stem : tuple of int, tuple of int, int
        Size of a ``"small"`` one, and the pixels to a step of its first layer.
    weights : FileCard
        Where its weights are.
    """

    kind: str
    name: str
    dim: int = Field(ge=1, le=MAX_WIDTH)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    widths: tuple[_Width, ...] = Field(default=(16, 32, 64, 128), min_length=1, max_length=16)
    depths: tuple[_Depth, ...] = Field(default=(1, 1, 2, 2), min_length=1, max_length=16)
    stem: Literal[2, 4] = 4
    weights: FileCard = FileCard()

    @model_validator(mode="after")
    def _plain(self) -> EncoderCard:
        if len(self.widths) != len(self.depths):
            raise ValueError("one depth for each width is needed")
        if self.kind == "timm":
            try:
                require_plain_name(self.name)
            except ModelError as error:  # pydantic reports ValueErrors only
                raise ValueError(str(error)) from None
        return self

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in ENCODER_KINDS:
            raise ValueError(f"there is no channel encoder {kind!r}: known are {', '.join(ENCODER_KINDS)}")
        return kind


class SentenceCard(_Frozen):
    """Sentence encoder that reads the words of a model.

    Attributes
    ----------
    package : str
        Installed package that holds its files; empty where they are in the model's folder.
    sha256 : str
        Of its weights.
    positions : int
        Longest text in tokens.
    """

    package: str = Field(default="", pattern=r"^(\w+)?$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    positions: int = Field(ge=1, le=MAX_WIDTH)


class ModelCard(_Frozen):
    """Everything that belongs to a set of weights; preprocessing travels with them and cannot be mixed up.

    Attributes
    ----------
    name, title, description : str
        Name to load it by, one line, a paragraph.
    simulated : bool
        Whether it was trained on simulated pixels only.
    weights, tokenizer : FileCard
        The CellCLIP weights and the tokenizer's files.
    licence, licence_text : str
        Identifier, and what a user must know and accept before anything is fetched.
    source : str
        Where it comes from: paper, repository, recipe.
    encoder : EncoderCard
        The channel encoder.
    intensity : IntensityScaling
        How counts become 0..1.
    tiling : Tiling
        Which crops of a field are encoded.
    pixel_size : float or None
        Micrometres to a pixel in training. Shown, not applied: fields are used at their own pixels.
    stain_order : tuple of Stain
        Stain of each slot.
    pooling : {"attention", "mean", "median", "none"}
        How a well's fields become one; ``"none"``: each is embedded alone, and the embeddings averaged.
    image_tower : {"channel_former", "concatenation", "mean", "prototypes"}
        How the stains become one: the paper's CrossChannelFormer, one of its ablations, or likeness to stored
        profiles (heads on measured profiles that are fitted in closed form).
    text_tower : {"bert", "fingerprint", "sentence"}
        What reads prompts: a BERT, (a baseline) a perceptron on the Morgan fingerprint of the structure, or a
        frozen sentence encoder.
    sentence_encoder : SentenceCard or None
        Which one, for ``"sentence"``.
    prompts : PromptTemplates
        Wordings the text tower was trained on.
    embed_dim : int
        Length of the shared embedding.
    heads, text_heads : int or None
        Attention heads of the towers where they cannot be read off the weights.
    trained_on, limits : str
        What it was trained on, and what not to expect of it.
    training : dict
        Settings of the run that made it, as its configuration file has them.
    scores : dict
        What it reached, by protocol: each with its date, data, figures and their intervals.
    """

    name: str
    title: str = ""
    description: str = ""
    simulated: bool = False
    weights: FileCard = FileCard(file="cellclip.safetensors")
    tokenizer: FileCard = FileCard(file="vocab.txt")
    licence: str = ""
    licence_text: str = ""
    source: str = ""
    encoder: EncoderCard
    intensity: IntensityScaling = IntensityScaling()
    tiling: Tiling = Tiling()
    pixel_size: float | None = Field(default=None, gt=0)
    stain_order: tuple[Stain, ...] = STAINS
    pooling: Literal["attention", "mean", "median", "none"] = "attention"
    image_tower: Literal["channel_former", "concatenation", "mean", "prototypes"] = "channel_former"
    text_tower: Literal["bert", "fingerprint", "sentence"] = "bert"
    sentence_encoder: SentenceCard | None = None
    prompts: PromptTemplates = PromptTemplates()
    embed_dim: int = Field(ge=1, le=MAX_WIDTH)
    heads: int = Field(default=8, ge=1, le=MAX_WIDTH)
    text_heads: int | None = Field(default=None, ge=1, le=MAX_WIDTH)
    trained_on: str = ""
    limits: str = ""
    training: dict[str, Any] = {}
    scores: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _older(cls, content: Any) -> Any:
        """Drop what older cards say: ``"instance": "field"``, the only value there was."""
        if isinstance(content, dict) and content.get("instance") == "field":
            return {key: value for key, value in content.items() if key != "instance"}
        return content

    @model_validator(mode="after")
    def _slots(self) -> ModelCard:
        if len(set(self.stain_order)) != len(self.stain_order) or not self.stain_order:
            raise ValueError("stain_order must name each stain once")
        return self

    @property
    def vocabulary(self) -> dict[str, list[str]]:
        """Texts that the model was trained on, by the thing they name; empty where the card does not say."""
        # The key was "taught" before version 0.2: such cards lie in users' folders and in old screens.
        groups = self.training.get(VOCABULARY, self.training.get("taught"))
        if not isinstance(groups, dict):
            return {}
        lists = {str(name): texts for name, texts in groups.items() if isinstance(texts, list | tuple)}
        return {name: [text for text in texts if isinstance(text, str)] for name, texts in lists.items()}

    @property
    def has_head(self) -> bool:
        """Whether there are CellCLIP weights; a card that only describes measured features has none."""
        return self.weights != FileCard()

    @property
    def untrained(self) -> bool:
        """Whether the head's weights are random ones, so that its words mean nothing."""
        return self.trained_on == UNTRAINED

    @property
    def encoder_hash(self) -> str:
        """16 hex digits over all that a field's features depend on: encoder, pixels, crops, stain order."""
        # A stem of 4 is left out, so that hashes of older cards stay what they were.
        left_out = {"name", "weights"} | ({"stem"} if self.encoder.stem == 4 else set())
        return _digest(
            {
                "encoder": self.encoder.model_dump(mode="json", exclude=left_out),
                "weights": _identity(self.encoder.weights, self.encoder.name),
                "intensity": self.intensity.model_dump(mode="json"),
                "tiling": self.tiling.model_dump(mode="json"),
                "stain_order": list(self.stain_order),
            }
        )

    @property
    def card_hash(self) -> str:
        """16 hex digits over all that a well embedding depends on: fields, CellCLIP weights, pooling."""
        return _digest(
            {
                "fields": self.encoder_hash,
                "weights": _identity(self.weights, self.name),
                "pooling": self.pooling,
                "instance": "field",  # a field of older cards: here so that hashes stay what they were
                "heads": self.heads,
                "embed_dim": self.embed_dim,
                # Of ablations only, so that hashes of older cards stay what they were.
                **({} if self.image_tower == "channel_former" else {"image_tower": self.image_tower}),
            }
        )

    def to_json(self) -> str:
        """Write the card as JSON text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card from JSON text.

        Raises
        ------
        ModelError
            If it is no card, with what is wrong in it.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the text"
            raise ModelError(
                f"the model card cannot be used ({field}: {first['msg']}): get the model folder again"
            ) from error


def _identity(file: FileCard, name: str) -> list[str]:
    """What tells these weights from others: their bytes where known, else where they come from."""
    return [file.sha256] if file.sha256 else [name, file.repo, file.file, file.revision]


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model folder.

    Raises
    ------
    ModelError
        If there is none or it cannot be used.
    """
    path = Path(folder) / CARD_FILE
    try:
        text = read_regular(path, MAX_CARD_BYTES).decode("utf-8")
    except OSError as error:
        raise ModelError(f"{folder} is no model folder: {CARD_FILE} cannot be read") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is damaged (it is no text in UTF-8): get the model again") from error
    try:
        return ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
