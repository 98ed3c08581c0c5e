"""Learning a model: CellCLIP heads on encoded screens, and the recipe of the bundled model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.training.bags import Bag, Caption, bags_of
    from napari_cellclip.training.config import RunConfig, TrainingConfig, ValidationConfig
    from napari_cellclip.training.heads import iter_fit
    from napari_cellclip.training.runs import iter_train, train
    from napari_cellclip.training.validation import Retrieval, retrieval, score_bags

_FILE_OF = {
    "Bag": "bags",
    "Caption": "bags",
    "Retrieval": "validation",
    "RunConfig": "config",
    "TrainingConfig": "config",
    "ValidationConfig": "config",
    "bags_of": "bags",
    "iter_fit": "heads",
    "iter_train": "runs",
    "retrieval": "validation",
    "score_bags": "validation",
    "train": "runs",
}

__all__ = [
    "Bag",
    "Caption",
    "Retrieval",
    "RunConfig",
    "TrainingConfig",
    "ValidationConfig",
    "bags_of",
    "iter_fit",
    "iter_train",
    "retrieval",
    "score_bags",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
