"""CellCLIP itself: image tower, pooling, text tower and heads, with the published parameter names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from napari_cellclip.model.network.bert import CONSTANT_TABLES, Bert
from napari_cellclip.model.network.cellclip_config import CellCLIPConfig, config_from_state
from napari_cellclip.model.network.fingerprint_tower import FingerprintTower
from napari_cellclip.model.network.image_tower import CrossChannelFormer
from napari_cellclip.model.network.pooling import (
    GatedAttentionPool,
    Pooling,
    instance_mask,
    pool_without_weights,
)
from napari_cellclip.model.network.prototype_tower import PrototypeTower
from napari_cellclip.model.network.sentence_tower import SentenceTower
from napari_cellclip.model.network.stain_perceptron import StainPerceptron
from napari_cellclip.model.network.stain_projection import StainProjection
from napari_cellclip.vocabulary import ModelError

INITIAL_LOGIT_SCALE = math.log(1 / 0.07)


class CellCLIP(nn.Module):
    """Profiles of wells and sentences in one space (Lu et al. 2025, arXiv 2506.06290).

    Parameters
    ----------
    config : CellCLIPConfig
        Kinds and sizes.
    pooling : {"attention", "mean", "median", "none"}
        How the instances of a bag become one; the weights of the attention exist in any case. ``"none"``:
        each is embedded alone, and a well is the mean of their unit embeddings.

    Examples
    --------
    >>> model = CellCLIP(CellCLIPConfig(width=16, embed_dim=8, layers=1, text_vocabulary=20, text_width=16,
    ...                                 text_layers=1, text_heads=2, text_intermediate=16, text_positions=12))
    >>> model.encode_image(model.encode_mil(torch.randn(2, 4, 5, 16))).shape
    torch.Size([2, 8])
    """

    def __init__(self, config: CellCLIPConfig | None = None, *, pooling: Pooling = "attention") -> None:
        super().__init__()
        if pooling not in get_args(Pooling):
            raise ModelError(f"there is no pooling {pooling!r}: use one of {', '.join(get_args(Pooling))}")
        c = self.config = config or CellCLIPConfig()
        self.pooling: Pooling = pooling
        self.visual: nn.Module = _image_tower(c)
        self.projection = StainProjection(c.stains, c.features, c.width) if c.features else None
        self.image_pool = GatedAttentionPool(c.feature_width, c.pool_hidden)
        self.text = _text_tower(c)
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

        Raises
        ------
        ModelError
            If the model does not pool: see `samples` and `embed_bags`.
        """
        if self.pooling == "attention":
            return self.image_pool(bags, mask)
        if self.pooling == "none":
            raise ModelError("this model embeds each field alone and pools none: use embed_bags or samples")
        return pool_without_weights(bags, self.pooling)

    def samples(self, bags: Tensor) -> tuple[Tensor, Tensor]:
        """Make the samples to train the image tower on: one a well, or one a field where nothing is pooled.

        Parameters
        ----------
        bags : Tensor
            [B, M, C, D] features, padded with zeros to M instances.

        Returns
        -------
        pooled : Tensor
            [S, C, D], for `encode_image`.
        owner : Tensor
            int64 [S], the row of `bags` (and so the text) that each belongs to.
        """
        if self.pooling != "none":
            return self.encode_mil(bags), torch.arange(len(bags), device=bags.device)
        owner, instance = instance_mask(bags).any(dim=-1).nonzero(as_tuple=True)
        return bags[owner, instance], owner

    def embed_bags(self, bags: Tensor, *, without_most_attended: int = 0) -> Tensor:
        """Embed wells from the features of their fields.

        Parameters
        ----------
        bags : Tensor
            [B, M, C, D] features, padded with zeros to M instances.
        without_most_attended : int
            Instances to leave out of each stain, those first that attention pooling weighs most; one always
            stays. For asking how much an embedding hangs on few fields.

        Returns
        -------
        Tensor
            [B, E], not normalised. Without pooling the mean of the fields' unit embeddings, so that its
            length tells how alike they are.

        Raises
        ------
        ModelError
            If instances are to be left out by an attention that the model does not use.
        """
        if without_most_attended and self.pooling != "attention":
            raise ModelError(
                f"only attention pooling has most attended fields, this model pools by {self.pooling!r}"
            )
        if without_most_attended:
            kept = self.image_pool.without_most_attended(bags, without_most_attended)
            return self.encode_image(self.encode_mil(bags, kept))
        samples, owner = self.samples(bags)
        embedded = self.encode_image(samples)
        if self.pooling != "none":
            return embedded
        total = embedded.new_zeros(len(bags), embedded.shape[1])
        total = total.index_add(0, owner, F.normalize(embedded, dim=-1))
        return total / owner.bincount(minlength=len(bags)).clamp(min=1).unsqueeze(1)

    def encode_image(self, pooled: Tensor) -> Tensor:
        """Embed pooled wells: [B, C, D] to [B, E], not normalised; the input is left as it is."""
        return self.visual(pooled if self.projection is None else self.projection(pooled))

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Embed texts: token ids [B, T] to [B, E], not normalised."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        return self.text_proj(self.text(input_ids=input_ids, attention_mask=attention_mask))

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
        pooling : {"attention", "mean", "median", "none"}
            See the class.
        **overrides
            Fields of `CellCLIPConfig` which names and shapes do not tell: ``heads`` (8), ``text_heads``
            (one for each 64 columns, as every published BERT has).

        Raises
        ------
        ModelError
            If names are missing or unknown or a shape does not fit, with the list.
        """
        state = plain_state(state)
        config = config_from_state(state, **overrides)
        with torch.device("meta"), WithoutInitialWeights():  # no memory and time for what is overwritten
            model = cls(config, pooling=pooling)
        wanted = model.state_dict()
        _require_fit({name: tuple(tensor.shape) for name, tensor in wanted.items()}, state)
        copies = {name: t.to("cpu", wanted[name].dtype, copy=True) for name, t in state.items()}
        model.load_state_dict(copies, strict=True, assign=True)
        return model.eval()


def _image_tower(c: CellCLIPConfig) -> nn.Module:
    if c.image_tower == "channel_former":
        return CrossChannelFormer(c.width, c.embed_dim, c.layers, c.heads, c.stains)
    if c.image_tower == "prototypes":
        return PrototypeTower(c.prototypes, c.embed_dim)
    return StainPerceptron(c.image_tower, c.width, c.embed_dim, c.layers, c.stains)


def _text_tower(c: CellCLIPConfig) -> nn.Module:
    if c.text_tower == "sentence":
        return SentenceTower(c.text_width)
    if c.text_tower == "fingerprint":
        return FingerprintTower(c.text_vocabulary, c.text_width, c.text_layers)
    return Bert(
        vocabulary=c.text_vocabulary,
        width=c.text_width,
        layers=c.text_layers,
        heads=c.text_heads,
        intermediate=c.text_intermediate,
        positions=c.text_positions,
        token_types=c.text_token_types,
    )


def plain_state(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Names to tensors, freed from what training wraps around them."""
    inner = state.get("model", state)
    if not isinstance(inner, Mapping):
        raise ModelError("the weights hold no table of names and tensors: give a CellCLIP state dict")
    plain = {str(name).removeprefix("module."): tensor for name, tensor in inner.items()}
    if strange := [name for name, tensor in plain.items() if not isinstance(tensor, Tensor)]:
        raise ModelError(
            f"the weights hold something other than tensors ({strange[0]!r}): give a CellCLIP state dict"
        )
    return {name: t for name, t in plain.items() if name.removeprefix("text.") not in CONSTANT_TABLES}


class WithoutInitialWeights(TorchFunctionMode):
    """Skip random initial weights of modules that are made in this context.

    Most of torch's compiler and sympy are imported, at the price of torch itself, where random numbers are
    drawn on the device ``meta``.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Give the tensor back as it is where it would be filled."""
        if func in _RANDOM:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


_RANDOM = {
    nn.init.kaiming_uniform_,
    nn.init.normal_,
    nn.init.trunc_normal_,
    nn.init.uniform_,
    Tensor.erfinv_,
    Tensor.normal_,
    Tensor.uniform_,
}


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
        error = ModelError(f"the weights do not fit CellCLIP: {'; '.join(report)}")
        for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", misshapen)):
            if names:
                error.add_note(f"{what}: {', '.join(names)}")
        raise error
