"""CellCLIP: pixels and words in one space. Cards load without torch; the rest on first use."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cellclip.model.llvm_clash import part_triton_from_mesa

if TYPE_CHECKING:
    from napari_cellclip.model.bundle import Model, resolve_device
    from napari_cellclip.model.card import EncoderCard, FileCard, ModelCard
    from napari_cellclip.model.cellclip import CellCLIP, CellCLIPConfig
    from napari_cellclip.model.encoders import ChannelEncoder
    from napari_cellclip.model.intensity import IntensityScaling, IntensityStats
    from napari_cellclip.model.losses import LOSSES, clip_loss, contrastive, cwcl_loss, needs_bias
    from napari_cellclip.model.prompts import PromptTemplates
    from napari_cellclip.model.registry import cards
    from napari_cellclip.model.small_encoder import SmallEncoder
    from napari_cellclip.model.tiling import Tiling
    from napari_cellclip.model.tokenizer import WordPieceTokenizer
    from napari_cellclip.model.untrained import new_model
    from napari_cellclip.model.weights import load_model, save_model

_FILE_OF = {
    "CellCLIP": "cellclip",
    "CellCLIPConfig": "cellclip",
    "ChannelEncoder": "encoders",
    "EncoderCard": "card",
    "FileCard": "card",
    "IntensityScaling": "intensity",
    "IntensityStats": "intensity",
    "LOSSES": "losses",
    "Model": "bundle",
    "ModelCard": "card",
    "PromptTemplates": "prompts",
    "SmallEncoder": "small_encoder",
    "Tiling": "tiling",
    "WordPieceTokenizer": "tokenizer",
    "cards": "registry",
    "clip_loss": "losses",
    "contrastive": "losses",
    "cwcl_loss": "losses",
    "load_model": "weights",
    "needs_bias": "losses",
    "new_model": "untrained",
    "resolve_device": "bundle",
    "save_model": "weights",
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
    "cards",
    "clip_loss",
    "contrastive",
    "cwcl_loss",
    "load_model",
    "needs_bias",
    "new_model",
    "resolve_device",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        if "torch" not in sys.modules:
            part_triton_from_mesa()
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
