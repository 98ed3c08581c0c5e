"""Sizes and kinds of a CellCLIP, given or read off its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from torch import Tensor

from napari_cellclip.vocabulary import ModelError

ImageTower = Literal["channel_former", "concatenation", "mean", "prototypes"]
TextTower = Literal["bert", "fingerprint", "sentence"]


@dataclass(frozen=True)
class CellCLIPConfig:
    """Sizes of a CellCLIP; the defaults are those of the published model (449,880,706 parameters).

    Attributes
    ----------
    width : int
        Length D of the channel encoder's features.
    embed_dim : int
        Length E of the shared embedding.
    layers, heads : int
        Size of the image tower; only the CrossChannelFormer has heads.
    stains : int
        Number of stain slots.
    pool_hidden : int
        Width of the pooling gate.
    text_* : int
        Size of the BERT. Of a fingerprint tower `text_vocabulary` is the number of its features (the
        tokenizer's length), `text_width` and `text_layers` its size; the others are without meaning.
    bias : bool
        Whether there is a learnt bias (models trained with the sigclip or s2l loss).
    image_tower : {"channel_former", "concatenation", "mean", "prototypes"}
        How the stains of a well become one: the CrossChannelFormer, one of its ablations
        (`StainPerceptron`), or likeness to stored profiles (`PrototypeTower`).
    prototypes : tuple of (int, int)
        Of such likeness: width of the space and number of profiles, for each data set.
    features : int or None
        Length of measured profiles, which a learnt map for each stain brings to `width`
        (`StainProjection`); ``None`` where the channel encoder's features are used as they are.
    text_tower : {"bert", "fingerprint", "sentence"}
        What reads a prompt: a BERT its words, a perceptron the structure (SMILES) in it, or a frozen sentence
        encoder (of which only `text_width` and `text_positions` are set).

    Raises
    ------
    ModelError
        If there is no such tower.
    """

    width: int = 1536
    embed_dim: int = 512
    layers: int = 12
    heads: int = 8
    stains: int = 5
    pool_hidden: int = 128
    text_vocabulary: int = 28_996
    text_width: int = 768
    text_layers: int = 12
    text_heads: int = 12
    text_intermediate: int = 3072
    text_positions: int = 512
    text_token_types: int = 2
    bias: bool = False
    image_tower: ImageTower = "channel_former"
    text_tower: TextTower = "bert"
    features: int | None = None
    prototypes: tuple[tuple[int, int], ...] = ()

    @property
    def feature_width(self) -> int:
        """Length of the feature vectors that go in."""
        return self.features or self.width

    def __post_init__(self) -> None:
        for what, kind, kinds in (
            ("image", self.image_tower, get_args(ImageTower)),
            ("text", self.text_tower, get_args(TextTower)),
        ):
            if kind not in kinds:
                raise ModelError(f"there is no {what} tower {kind!r}: use one of {', '.join(kinds)}")
        shared = [(self.width, self.heads)] * (self.image_tower == "channel_former")
        shared += [(self.text_width, self.text_heads)] * (self.text_tower == "bert")
        for width, heads in shared:
            if heads < 1 or width % heads:
                raise ModelError(f"a width of {width} cannot be shared by {heads} attention heads")


def config_from_state(state: Mapping[str, Tensor], **overrides: Any) -> CellCLIPConfig:
    """Read kinds and sizes of a CellCLIP off the names and shapes of its weights.

    Parameters
    ----------
    state : mapping
        Names to tensors, as `plain_state` gives them.
    **overrides
        Fields of `CellCLIPConfig` that win over what was read.

    Raises
    ------
    ModelError
        If a weight that is needed for this is missing, or an override is no field.
    """
    unknown = set(overrides) - {f.name for f in fields(CellCLIPConfig)}
    if unknown:
        raise ModelError(f"a CellCLIP has no setting {', '.join(sorted(unknown))}")

    def shape(name: str) -> tuple[int, int]:
        if name not in state:
            raise ModelError(f"the weights are not those of a CellCLIP: {name} is missing")
        found = tuple(state[name].shape)
        if len(found) != 2:
            raise ModelError(f"the weights are not those of a CellCLIP: {name} has the shape {found}")
        return found

    def count(pattern: str) -> int:
        numbers = [int(m[1]) for name in state if (m := re.match(pattern, name))]
        return max(numbers) + 1 if numbers else 0

    image_tower = _image_tower(state)
    if image_tower == "prototypes":
        stains, _, width = _projection_shape(state)
        embed_dim = shape("visual.values.0")[1]
        groups = [shape(f"visual.prototypes.{i}") for i in range(count(r"visual\.prototypes\.(\d+)"))]
        prototypes = tuple((columns, rows) for rows, columns in groups)
    else:
        stains, width = shape("visual.channel_embed")
        embed_dim, prototypes = shape("visual.proj")[1], ()
    found = CellCLIPConfig(
        width=width,
        embed_dim=embed_dim,
        layers=count(r"visual\.(?:transformer\.resblocks|perceptrons)\.(\d+)\."),
        stains=stains,
        pool_hidden=shape("image_pool.V.weight")[0],
        bias="bias" in state,
        image_tower=image_tower,
        features=_projection_shape(state)[1] if "projection.weight" in state else None,
        prototypes=prototypes,
    )
    if "text.structure.weight" in state:
        vocabulary, text_width = shape("text.structure.weight")
        found = replace(
            found,
            text_tower="fingerprint",
            text_vocabulary=vocabulary,
            text_width=text_width,
            text_layers=count(r"text\.perceptrons\.(\d+)\."),
        )
    elif not any(name.startswith("text.") for name in state):
        found = replace(found, text_tower="sentence", text_width=shape("text_proj.weight")[1])
    else:
        vocabulary, text_width = shape("text.embeddings.word_embeddings.weight")
        found = replace(
            found,
            text_vocabulary=vocabulary,
            text_width=text_width,
            text_layers=count(r"text\.encoder\.layer\.(\d+)\."),
            text_heads=max(1, text_width // 64),
            text_intermediate=shape("text.encoder.layer.0.intermediate.dense.weight")[0],
            text_positions=shape("text.embeddings.position_embeddings.weight")[0],
            text_token_types=shape("text.embeddings.token_type_embeddings.weight")[0],
        )
    return replace(found, **overrides)


def _projection_shape(state: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """Stains, length of measured features and width of the map that projects them for each stain."""
    weight = state.get("projection.weight")
    if weight is None:
        raise ModelError("the weights are not those of a CellCLIP: projection.weight is missing")
    if weight.ndim != 3:
        found = tuple(weight.shape)
        raise ModelError(f"the weights are not those of a CellCLIP: projection.weight has the shape {found}")
    stains, features, width = map(int, weight.shape)
    return stains, features, width


def _image_tower(state: Mapping[str, Tensor]) -> ImageTower:
    if "visual.sharpness" in state:
        return "prototypes"
    if "visual.concatenation.weight" in state:
        return "concatenation"
    if any(name.startswith("visual.perceptrons.") for name in state):
        return "mean"
    return "channel_former"
