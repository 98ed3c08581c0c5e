"""Channel encoders: what turns a crop of one stain into a feature vector, behind one small interface."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from napari_cellclip.model.card import EncoderCard
from napari_cellclip.model.encoders.kinds import ENCODER_KINDS
from napari_cellclip.model.encoders.timm_encoder import timm_card
from napari_cellclip.model.encoders.transformers_encoder import transformers_card
from napari_cellclip.vocabulary import ModelError


@runtime_checkable
class ChannelEncoder(Protocol):
    """Anything that maps single-stain crops [N, 1, H, W] in 0..1 to features [N, dim]."""

    dim: int

    def __call__(self, images: Tensor) -> Tensor:
        """Encode crops."""
        ...


def load_encoder(card: EncoderCard, source: Path, *, size: int = 224) -> nn.Module:
    """Load a channel encoder from local files.

    Parameters
    ----------
    card : EncoderCard
        What it is.
    source : Path
        ``dinov2``, ``vit``, ``clip``, ``siglip``: a folder in the hub's layout (``config.json``,
        ``model.safetensors``). ``timm`` and ``small``: a safetensors (or, for timm, weights-only
        ``.bin``/``.pth``) file, or the folder that holds one. ``profile``: its list of features.
    size : int
        Side of the crops in pixels; timm's transformers are made for one size.

    Returns
    -------
    nn.Module
        A `ChannelEncoder`, frozen and in evaluation mode.

    Raises
    ------
    ModelError
        If a file is missing, damaged, or holds another network.
    """
    kind = import_module(f"napari_cellclip.model.encoders.{ENCODER_KINDS[card.kind].module}")
    encoder: Any = kind.load(card, source, size)
    if encoder.dim != card.dim:
        raise ModelError(
            f"the channel encoder in {source} gives {encoder.dim} numbers a stain, the model wants "
            f"{card.dim}: use the encoder this model was trained with"
        )
    frozen: nn.Module = encoder.eval().requires_grad_(False)
    return frozen


def encoder_card(folder: Path) -> EncoderCard:
    """Read off a folder in the hub's layout what encoder it holds (not yet hashed).

    Raises
    ------
    ModelError
        If it holds none that this program knows.
    """
    return encoder_and_crop(folder)[0]


def encoder_and_crop(folder: Path) -> tuple[EncoderCard, int]:
    """Read off a folder what encoder it holds, and the side of the crops in pixels that it was made for."""
    timm = timm_card(folder)
    return timm if timm is not None else transformers_card(folder)
