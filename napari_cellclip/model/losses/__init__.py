"""What CellCLIP is trained to minimise: the losses the paper compares, by function and by name."""

from napari_cellclip.model.losses.cloob import HOPFIELD_SCALE, cloob_loss, hopfield_retrieval
from napari_cellclip.model.losses.contrastive import (
    FURTHER_LOSSES,
    LOSSES,
    contrastive,
    needs_bias,
    needs_pooled,
)
from napari_cellclip.model.losses.pairs import SamePerturbation
from napari_cellclip.model.losses.sigmoid import (
    S2L_GAMMA,
    S2L_GAMMA_OF_CODE,
    phenotypic_similarity,
    s2l_loss,
    sigclip_loss,
)
from napari_cellclip.model.losses.softmax import (
    bi_cwcl_loss,
    clip_loss,
    cwcl_loss,
    cwcl_ma_loss,
    profile_similarity,
    text_similarity,
)

__all__ = [
    "FURTHER_LOSSES",
    "HOPFIELD_SCALE",
    "LOSSES",
    "S2L_GAMMA",
    "S2L_GAMMA_OF_CODE",
    "SamePerturbation",
    "bi_cwcl_loss",
    "clip_loss",
    "cloob_loss",
    "contrastive",
    "cwcl_loss",
    "cwcl_ma_loss",
    "hopfield_retrieval",
    "needs_bias",
    "needs_pooled",
    "phenotypic_similarity",
    "profile_similarity",
    "s2l_loss",
    "sigclip_loss",
    "text_similarity",
]
