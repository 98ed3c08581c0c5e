"""CellCLIP itself: image tower, pooling, text tower and heads, with the published parameter names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_cellclip.model.image_tower import CrossChannelFormer
from napari_cellclip.model.pooling import GatedAttentionPool, Pooling, pool_without_weights
from napari_cellclip.model.text_tower import IGNORED_BUFFERS, bert, restore_buffers
from napari_cellclip.vocabulary import ModelError

INITIAL_LOGIT_SCALE = math.log(1 / 0.07)


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
        Size of the CrossChannelFormer.
    stains : int
        Number of stain slots.
    pool_hidden : int
        Width of the pooling gate.
    text_* : int
        Size of the BERT.
    bias : bool
        Whether there is a learnt bias (models trained with the sigclip or s2l loss).
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


class CellCLIP(nn.Module):
    """Profiles of wells and sentences in one space (Lu et al. 2025, arXiv 2506.06290).

    Parameters
    ----------
    config : CellCLIPConfig
        Sizes.
    pooling : {"attention", "mean", "median"}
        How the instances of a bag become one; the weights of the attention exist in any case.

    Examples
    --------
    >>> model = CellCLIP(CellCLIPConfig(width=16, embed_dim=8, layers=1, text_vocabulary=20, text_width=16,
    ...                                 text_layers=1, text_heads=2, text_intermediate=16, text_positions=12))
    >>> model.encode_image(model.encode_mil(torch.randn(2, 4, 5, 16))).shape
    torch.Size([2, 8])
    """

    def __init__(self, config: CellCLIPConfig | None = None, *, pooling: Pooling = "attention") -> None:
        super().__init__()
        c = self.config = config or CellCLIPConfig()
        self.pooling: Pooling = pooling
        self.visual = CrossChannelFormer(c.width, c.embed_dim, c.layers, c.heads, c.stains)
        self.image_pool = GatedAttentionPool(c.width, c.pool_hidden)
        self.text = bert(
            vocabulary=c.text_vocabulary,
            width=c.text_width,
            layers=c.text_layers,
            heads=c.text_heads,
            intermediate=c.text_intermediate,
            positions=c.text_positions,
            token_types=c.text_token_types,
        )
        self.text_proj = nn.Linear(c.text_width, c.embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))
        if c.bias:
            self.bias = nn.Parameter(torch.tensor(-10.0))

    def encode_mil(self, bags: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool the instances (fields) of each well, stain by stain.

        Parameters
        ----------
        bags : Tensor
            [B, M, C, D] features, padded with zeros to M instances.
        mask : Tensor, optional
            [B, M, C] bool of the instances that count; by default those that are not all zero. Attention
            only.

        Returns
        -------
        Tensor
            [B, C, D]; zeros for a stain that is blank in every instance.
        """
        if self.pooling == "attention":
            return self.image_pool(bags, mask)
        return pool_without_weights(bags, self.pooling)

    def encode_image(self, pooled: Tensor) -> Tensor:
        """Embed pooled wells: [B, C, D] to [B, E], not normalised; the input is left as it is."""
        return self.visual(pooled)

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Embed texts: token ids [B, T] to [B, E], not normalised."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        pooled = self.text(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        return self.text_proj(pooled)

    def forward(self, pooled: Tensor, tokens: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Embed pooled wells and texts for training.

        Parameters
        ----------
        pooled : Tensor
            [B, C, D], from `encode_mil`.
        tokens : mapping
            ``input_ids`` and ``attention_mask``, [B, T] each.

        Returns
        -------
        tuple of Tensor
            Unit image and text embeddings [B, E] and the logarithm of the inverse temperature, then the bias
            if the model has one.
        """
        image = F.normalize(self.encode_image(pooled), dim=-1)
        text = F.normalize(self.encode_text(tokens["input_ids"], tokens.get("attention_mask")), dim=-1)
        heads = (image, text, self.logit_scale)
        return (*heads, self.bias) if self.config.bias else heads

    @classmethod
    def from_state_dict(
        cls, state: Mapping[str, Any], *, pooling: Pooling = "attention", **overrides: Any
    ) -> CellCLIP:
        """Build the model a set of weights was trained as, and load them strictly.

        Parameters
        ----------
        state : mapping
            Names to tensors, as published or as a training checkpoint has them (under ``"model"``, names
            possibly starting with ``module.``). Left as it is; the tensors are copied.
        pooling : {"attention", "mean", "median"}
            See the class.
        **overrides
            Fields of `CellCLIPConfig` which shapes do not tell: ``heads`` (8), ``text_heads`` (one for each
            64 columns, as every published BERT has).

        Raises
        ------
        ModelError
            If names are missing or unknown or a shape does not fit, with the list.
        """
        state = plain_state(state)
        config = config_from_state(state, **overrides)
        with torch.device("meta"):  # no time and memory spent on numbers that are overwritten
            model = cls(config, pooling=pooling)
        _require_fit({k: tuple(v.shape) for k, v in model.state_dict().items()}, state)
        model.to_empty(device="cpu")
        model.load_state_dict(state, strict=True)
        restore_buffers(model.text)
        return model.eval()


def plain_state(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Names to tensors, freed from what training wraps around them."""
    inner = state.get("model", state)
    if not isinstance(inner, Mapping):
        raise ModelError("the weights hold no table of names and tensors: give a CellCLIP state dict")
    plain = {str(name).removeprefix("module."): tensor for name, tensor in inner.items()}
    return {name: tensor for name, tensor in plain.items() if name not in IGNORED_BUFFERS}


def config_from_state(state: Mapping[str, Tensor], **overrides: Any) -> CellCLIPConfig:
    """Read the sizes of a CellCLIP off the shapes of its weights.

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

    def shape(name: str) -> tuple[int, ...]:
        if name not in state:
            raise ModelError(f"the weights are not those of a CellCLIP: {name} is missing")
        return tuple(state[name].shape)

    def count(pattern: str) -> int:
        numbers = [int(m[1]) for name in state if (m := re.match(pattern, name))]
        return max(numbers) + 1 if numbers else 0

    stains, width = shape("visual.channel_embed")
    vocabulary, text_width = shape("text.embeddings.word_embeddings.weight")
    found = CellCLIPConfig(
        width=width,
        embed_dim=shape("visual.proj")[1],
        layers=count(r"visual\.transformer\.resblocks\.(\d+)\."),
        stains=stains,
        pool_hidden=shape("image_pool.V.weight")[0],
        text_vocabulary=vocabulary,
        text_width=text_width,
        text_layers=count(r"text\.encoder\.layer\.(\d+)\."),
        text_heads=max(1, text_width // 64),
        text_intermediate=shape("text.encoder.layer.0.intermediate.dense.weight")[0],
        text_positions=shape("text.embeddings.position_embeddings.weight")[0],
        text_token_types=shape("text.embeddings.token_type_embeddings.weight")[0],
        bias="bias" in state,
    )
    return replace(found, **overrides)


def _require_fit(wanted: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor]) -> None:
    """Raise a ModelError that lists what is missing, unknown or of another shape."""
    missing = sorted(set(wanted) - set(state))
    unknown = sorted(set(state) - set(wanted))
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {shape}"
        for name, shape in wanted.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    report = [
        f"{len(names)} {what} ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
        for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", misshapen))
        if names
    ]
    if report:
        raise ModelError(f"the weights do not fit CellCLIP: {'; '.join(report)}")
