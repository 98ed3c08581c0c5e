"""CLOOB: retrieve from the batch as a Hopfield memory, then contrast without the own pair below the line."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_cellclip.model.losses.pairs import SamePerturbation, own_pairs, same_pairs

HOPFIELD_SCALE = 14.3
"""Inverse temperature of the retrieval, the published default."""


def hopfield_retrieval(queries: Tensor, stored: Tensor, scale: float = HOPFIELD_SCALE) -> Tensor:
    r"""Patterns a modern Hopfield network answers queries with (Ramsauer et al. 2021, arXiv 2008.02217).

    .. math:: R(q, X) = \frac{\mathrm{softmax}(\beta q X^\top) X}{\lVert\cdot\rVert_2}

    Parameters
    ----------
    queries : Tensor
        [N, E] unit vectors.
    stored : Tensor
        [M, E] unit vectors X.
    scale : float
        Inverse temperature beta.

    Returns
    -------
    Tensor
        [N, E] unit vectors.
    """
    return F.normalize((scale * queries @ stored.T).softmax(dim=1) @ stored, dim=1)


def cloob_loss(
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
    hopfield_scale: float = HOPFIELD_SCALE,
) -> Tensor:
    r"""InfoLOOB on retrieved patterns (Fürst et al. 2022, arXiv 2110.11316; CLOOME uses it).

    With :math:`R` of `hopfield_retrieval`, :math:`s = e^{t}` and :math:`k = s\,a c^\top`,

    .. math:: \ell(R(I,I), R(T,I)) + \ell(R(T,T), R(I,T)), \qquad
              \ell(a, c) = \frac1s \frac1N \sum_i \Bigl(-k_{ii} + \log \sum_{j \ne i} e^{k_{ij}}\Bigr)

    The right answer is left out below the line ("leave one out"), so samples of one perturbation are left out
    there too unless they are to be negatives; under ``"positive"`` they also enter above it, as a mean. A
    sample to which nothing in the batch is negative has nothing to learn from and is left out.

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    logit_scale : Tensor
        Logarithm t of the inverse temperature, scalar.
    groups, same_perturbation
        As in `clip_loss`.
    hopfield_scale : float
        Inverse temperature of the retrieval.

    Returns
    -------
    Tensor
        Scalar; 0 where no sample has a negative.
    """
    same = same_pairs(len(image), groups, same_perturbation, image.device)
    scale = logit_scale.exp()
    by_image = (
        hopfield_retrieval(image, image, hopfield_scale),
        hopfield_retrieval(text, image, hopfield_scale),
    )
    by_text = (
        hopfield_retrieval(text, text, hopfield_scale),
        hopfield_retrieval(image, text, hopfield_scale),
    )
    return sum(
        (_info_loob(scale * a @ c.T, same, same_perturbation) / scale for a, c in (by_image, by_text)),
        start=image.new_zeros(()),
    )


def _info_loob(logits: Tensor, same: Tensor, rule: SamePerturbation) -> Tensor:
    """InfoLOOB of [N, N] logits (Poole et al. 2019, arXiv 1905.06922), times s."""
    own = own_pairs(len(same), same.device)
    negative = ~(own | same)
    learns = negative.any(dim=1)
    right = (own | same if rule == "positive" else own).to(logits.dtype)
    above = (logits * right).sum(dim=1) / right.sum(dim=1)
    # Rows without a negative are set aside before the logarithm, whose gradient there would not be finite.
    below = logits.masked_fill(~negative & learns[:, None], -torch.inf).logsumexp(dim=1)
    return ((below - above) * learns).sum() / learns.sum().clamp(min=1)
