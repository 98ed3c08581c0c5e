"""Scoring a model by stated protocols."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.evaluation.precision import average_precision, chance_precision
    from napari_cellclip.evaluation.report import write_report
    from napari_cellclip.evaluation.simulated_retrieval import evaluate

_FILE_OF = {
    "average_precision": "precision",
    "chance_precision": "precision",
    "evaluate": "simulated_retrieval",
    "write_report": "report",
}

__all__ = ["average_precision", "chance_precision", "evaluate", "write_report"]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
