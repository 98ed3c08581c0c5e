"""Learning a model: CellCLIP heads on encoded screens, and the recipe of the bundled model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.training.ablation import ablate, iter_ablate
    from napari_cellclip.training.bags import Bag, Caption
    from napari_cellclip.training.config import RunConfig, TrainingConfig, ValidationConfig
    from napari_cellclip.training.heads import iter_fit
    from napari_cellclip.training.runs import iter_train, train
    from napari_cellclip.training.screen_bags import bags_of
    from napari_cellclip.training.splits import Split, folds, refuse_leakage, split_wells
    from napari_cellclip.training.validation import Retrieval, retrieval, score_bags

_FILE_OF = {
    "Bag": "bags",
    "Caption": "bags",
    "Retrieval": "validation",
    "RunConfig": "config",
    "Split": "splits",
    "TrainingConfig": "config",
    "ValidationConfig": "config",
    "ablate": "ablation",
    "bags_of": "screen_bags",
    "folds": "splits",
    "iter_ablate": "ablation",
    "iter_fit": "heads",
    "iter_train": "runs",
    "refuse_leakage": "splits",
    "retrieval": "validation",
    "score_bags": "validation",
    "split_wells": "splits",
    "train": "runs",
}

__all__ = [
    "Bag",
    "Caption",
    "Retrieval",
    "RunConfig",
    "Split",
    "TrainingConfig",
    "ValidationConfig",
    "ablate",
    "bags_of",
    "folds",
    "iter_ablate",
    "iter_fit",
    "iter_train",
    "refuse_leakage",
    "retrieval",
    "score_bags",
    "split_wells",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
