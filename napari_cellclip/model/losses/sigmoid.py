"""Losses that score each pair of a batch by itself, with a learnt bias: SigCLIP and S2L."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from napari_cellclip.model.losses.pairs import SamePerturbation, own_pairs, same_pairs

S2L_GAMMA = 1.75
"""Weight of the negative half in the paper."""

S2L_GAMMA_OF_CODE = 1.7
"""The same in the published code."""

_S2L_DISTANCE = 0.3
_S2L_LEAST = 0.75


def sigclip_loss(
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    bias: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
) -> Tensor:
    r"""Pairwise sigmoid loss (Zhai et al. 2023, SigLIP, arXiv 2303.15343), as a mean over all pairs.

    .. math:: -\frac1{N^2} \sum_{ij} \log\sigma\bigl(y_{ij} (e^{t} T_i I_j^\top + b)\bigr), \qquad
              y_{ij} = +1 \text{ for } i = j, \text{ else } -1

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    logit_scale, bias : Tensor
        Logarithm t of the inverse temperature, and the bias b; scalars.
    groups, same_perturbation
        As in `clip_loss`: other samples of the perturbation are labelled +1, left out of the mean, or -1.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * text @ image.T + bias
    same = same_pairs(len(logits), groups, same_perturbation, logits.device)
    right = own_pairs(len(logits), logits.device)
    if same_perturbation == "positive":
        right = right | same
    each = -F.logsigmoid(logits.where(right, -logits))
    if same_perturbation == "ignore":
        return each.masked_fill(same, 0.0).sum() / (~same).sum()
    return each.mean()


def phenotypic_similarity(image: Tensor) -> Tensor:
    r"""Compute how alike unit image embeddings are, for `s2l_loss`: 1 at no distance, 0 from a small one on.

    .. math:: k_{ij} = 1 - \frac4\pi \arctan\frac{\lVert I_i - I_j \rVert^2}{0.3}, \text{ and 0 below } 0.75

    Parameters
    ----------
    image : Tensor
        [N, E] unit embeddings.

    Returns
    -------
    Tensor
        [N, N].
    """
    distance = (2 - 2 * image @ image.T).clamp(min=0)
    distance = distance.masked_fill(
        own_pairs(len(image), image.device), 0.0
    )  # exactly, whatever the rounding
    likeness = 1 - (4 / math.pi) * (distance / _S2L_DISTANCE).atan()
    return likeness.masked_fill(likeness < _S2L_LEAST, 0.0)


def s2l_loss(
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    bias: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
    gamma: float = S2L_GAMMA,
    detach_weights: bool = True,
) -> Tensor:
    r"""Soft-weighted sigmoid loss of MolPhenix (Fradkin et al. 2024, arXiv 2409.08302).

    Pairs are right in the measure in which the wells look alike. With :math:`k` of `phenotypic_similarity`
    and :math:`A_{ij} = e^{t} T_i I_j^\top + b`,

    .. math:: -\frac1N \sum_{ij} \bigl[k_{ij} \log\sigma(A_{ij})
              + (\gamma - 0.75\,k_{ij}) \log\sigma(-A_{ij})\bigr]

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    logit_scale, bias : Tensor
        Logarithm t of the inverse temperature, and the bias b; scalars.
    groups, same_perturbation
        As in `clip_loss`: other samples of the perturbation get k = 1, are left out of the sum, or keep what
        their images say.
    gamma : float
        1.75 in the paper, 1.7 in the published code.
    detach_weights : bool
        Whether k is a constant; else the loss may also fall by making wells look less alike.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * text @ image.T + bias
    same = same_pairs(len(logits), groups, same_perturbation, logits.device)
    likeness = phenotypic_similarity(image.detach() if detach_weights else image)
    if same_perturbation == "positive":
        likeness = likeness.masked_fill(same, 1.0)
    each = likeness * F.logsigmoid(logits) + (gamma - 0.75 * likeness) * F.logsigmoid(-logits)
    if same_perturbation == "ignore":
        each = each.masked_fill(same, 0.0)
    return -each.sum() / len(logits)
