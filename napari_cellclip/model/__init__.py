"""CellCLIP: pixels and words in one space. Cards load without torch; the rest on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cellclip.model.triton_mesa import isolate_triton_from_mesa

if TYPE_CHECKING:
    from napari_cellclip.model.card import EncoderCard, FileCard, ModelCard
    from napari_cellclip.model.device import resolve_device
    from napari_cellclip.model.encoders.channel_encoders import ChannelEncoder
    from napari_cellclip.model.encoders.intensity import IntensityScaling, IntensityStats
    from napari_cellclip.model.encoders.small_encoder import SmallEncoder
    from napari_cellclip.model.encoders.tiling import Tiling
    from napari_cellclip.model.losses import LOSSES, clip_loss, contrastive, cwcl_loss, needs_bias
    from napari_cellclip.model.model import Model
    from napari_cellclip.model.network.cellclip import CellCLIP, CellCLIPConfig
    from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
    from napari_cellclip.model.new_models import new_model
    from napari_cellclip.model.prompts import PromptTemplates
    from napari_cellclip.model.registry import image_cards, known_cards
    from napari_cellclip.model.weights.model_folders import load_model, save_model

_FILE_OF = {
    "CellCLIP": "network.cellclip",
    "CellCLIPConfig": "network.cellclip",
    "ChannelEncoder": "encoders.channel_encoders",
    "EncoderCard": "card",
    "FileCard": "card",
    "IntensityScaling": "encoders.intensity",
    "IntensityStats": "encoders.intensity",
    "LOSSES": "losses",
    "Model": "model",
    "ModelCard": "card",
    "PromptTemplates": "prompts",
    "SmallEncoder": "encoders.small_encoder",
    "Tiling": "encoders.tiling",
    "WordPieceTokenizer": "network.tokenizer",
    "image_cards": "registry",
    "known_cards": "registry",
    "clip_loss": "losses",
    "contrastive": "losses",
    "cwcl_loss": "losses",
    "load_model": "weights.model_folders",
    "needs_bias": "losses",
    "new_model": "new_models",
    "resolve_device": "device",
    "save_model": "weights.model_folders",
}

__all__ = [
    "LOSSES",
    "CellCLIP",
    "CellCLIPConfig",
    "ChannelEncoder",
    "EncoderCard",
    "FileCard",
    "IntensityScaling",
    "IntensityStats",
    "Model",
    "ModelCard",
    "PromptTemplates",
    "SmallEncoder",
    "Tiling",
    "WordPieceTokenizer",
    "clip_loss",
    "contrastive",
    "cwcl_loss",
    "image_cards",
    "known_cards",
    "load_model",
    "needs_bias",
    "new_model",
    "resolve_device",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        isolate_triton_from_mesa()
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
