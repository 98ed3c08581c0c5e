"""The losses by name, as a configuration file gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from napari_cellclip.model.losses.cloob import cloob_loss
from napari_cellclip.model.losses.pairs import SamePerturbation
from napari_cellclip.model.losses.sigmoid import S2L_GAMMA_OF_CODE, s2l_loss, sigclip_loss
from napari_cellclip.model.losses.softmax import bi_cwcl_loss, clip_loss, cwcl_loss, cwcl_ma_loss
from napari_cellclip.vocabulary import ModelError

LOSSES = ("clip", "cwcl", "cloob", "sigclip", "s2l")
"""The losses the paper compares."""

FURTHER_LOSSES = ("bi_cwcl", "cwcl_ma")
"""Losses which the published code has besides; kept for comparison."""

_LOSS: dict[str, Callable[..., Tensor]] = {
    "clip": clip_loss,
    "cwcl": cwcl_loss,
    "cloob": cloob_loss,
    "sigclip": sigclip_loss,
    "s2l": s2l_loss,
    "bi_cwcl": bi_cwcl_loss,
    "cwcl_ma": cwcl_ma_loss,
}
_NEEDS: dict[str, tuple[str, ...]] = {
    "cwcl": ("pooled",),
    "bi_cwcl": ("pooled",),
    "sigclip": ("bias",),
    "s2l": ("bias",),
}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "cwcl": ("detach_weights", "channel_embed"),
    "bi_cwcl": ("detach_weights", "channel_embed", "normalise_text_weights"),
    "cwcl_ma": ("detach_weights",),
    "cloob": ("hopfield_scale",),
    "s2l": ("gamma", "detach_weights"),
}
_QUIRKS: dict[str, dict[str, Any]] = {
    "cwcl": {"detach_weights": False},
    "bi_cwcl": {"detach_weights": False, "normalise_text_weights": False},
    "cwcl_ma": {"detach_weights": False},
    "s2l": {"gamma": S2L_GAMMA_OF_CODE, "detach_weights": False},
}


def needs_bias(name: str) -> bool:
    """Tell whether a loss needs the model's learnt bias (``CellCLIPConfig.bias``).

    Raises
    ------
    ModelError
        If there is no such loss.
    """
    return "bias" in _NEEDS.get(_known(name), ())


def needs_pooled(name: str) -> bool:
    """Tell whether a loss compares pooled features, which have to be gathered with the embeddings.

    Raises
    ------
    ModelError
        If there is no such loss.
    """
    return "pooled" in _NEEDS.get(_known(name), ())


def contrastive(
    name: str,
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    *,
    pooled: Tensor | None = None,
    bias: Tensor | None = None,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "positive",
    reference_quirks: bool = False,
    **options: Any,
) -> Tensor:
    """One of the losses by its name.

    Parameters
    ----------
    name : str
        One of `LOSSES` or `FURTHER_LOSSES`.
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    logit_scale : Tensor
        Logarithm of the inverse temperature, scalar.
    pooled : Tensor, optional
        [N, C, D] pooled features, before the image tower; for cwcl and bi_cwcl. The others ignore it.
    bias : Tensor, optional
        The model's bias, scalar; for sigclip and s2l. The others ignore it.
    groups : Tensor, optional
        [N] integers, equal for samples of one perturbation.
    same_perturbation : {"positive", "ignore", "negative"}
        What two samples of one perturbation are to each other. The first two need `groups`.
    reference_quirks : bool
        Compute what the published code does where it is not what the paper says: weights let gradients
        through and (with ``channel_embed=``) are those of features that had the channel embedding added;
        bi_cwcl does not normalise the weights of its texts; s2l has a gamma of 1.7. Samples of one
        perturbation were negatives there: that is `same_perturbation`.
    **options
        Of the loss itself, see there: ``detach_weights``, ``channel_embed``, ``hopfield_scale``, ``gamma``,
        ``normalise_text_weights``. They win over `reference_quirks`.

    Returns
    -------
    Tensor
        Scalar.

    Raises
    ------
    ModelError
        If there is no such loss, the loss has no such option, or the model lacks what it needs.
    ValueError
        If the groups that `same_perturbation` needs are missing or of another number.
    """
    allowed = _OPTIONS.get(_known(name), ())
    if unknown := sorted(set(options) - set(allowed)):
        has = f"it has {', '.join(allowed)}" if allowed else "it has none"
        raise ModelError(f"the loss {name} has no option {', '.join(unknown)}: {has}")
    given: dict[str, Tensor | None] = {"pooled": pooled, "bias": bias}
    needed: dict[str, Tensor] = {}
    for what in _NEEDS.get(name, ()):
        value = given[what]
        if value is None:
            raise ModelError(_LACKING[what].format(name=name))
        needed[what] = value
    if reference_quirks:
        options = _QUIRKS.get(name, {}) | options
    return _LOSS[name](
        image=image,
        text=text,
        logit_scale=logit_scale,
        groups=groups,
        same_perturbation=same_perturbation,
        **needed,
        **options,
    )


_LACKING = {
    "pooled": "the loss {name} weighs texts by how alike the wells look: give it their pooled features",
    "bias": "the loss {name} needs a model with a bias: build it with CellCLIPConfig(bias=True)",
}


def _known(name: str) -> str:
    if name not in _LOSS:
        raise ModelError(f"there is no loss {name!r}: use one of {', '.join((*LOSSES, *FURTHER_LOSSES))}")
    return name
