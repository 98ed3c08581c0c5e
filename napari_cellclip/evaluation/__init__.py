"""Scoring a model by stated protocols, on plates whose labels it never sees."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.evaluation.precision import average_precision, chance_precision
    from napari_cellclip.evaluation.retrieval import evaluate

_FILE_OF = {"average_precision": "precision", "chance_precision": "precision", "evaluate": "retrieval"}

__all__ = ["average_precision", "chance_precision", "evaluate"]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
