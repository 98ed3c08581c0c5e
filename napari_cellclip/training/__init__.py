"""Learning a model: CellCLIP heads on encoded screens, and the recipe of the bundled model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.training.ablation import ablate, iter_ablate
    from napari_cellclip.training.config import RunConfig
    from napari_cellclip.training.config_sections import TrainingConfig, ValidationConfig
    from napari_cellclip.training.data.bags import Bag, Caption
    from napari_cellclip.training.data.screen_bags import bags_of
    from napari_cellclip.training.data.splits import Split, folds, refuse_leakage, split_wells
    from napari_cellclip.training.loop.fit import iter_fit
    from napari_cellclip.training.loop.validation import Retrieval, retrieval, score_bags
    from napari_cellclip.training.runs import iter_train, train

_FILE_OF = {
    "Bag": "data.bags",
    "Caption": "data.bags",
    "Retrieval": "loop.validation",
    "RunConfig": "config",
    "Split": "data.splits",
    "TrainingConfig": "config_sections",
    "ValidationConfig": "config_sections",
    "ablate": "ablation",
    "bags_of": "data.screen_bags",
    "folds": "data.splits",
    "iter_ablate": "ablation",
    "iter_fit": "loop.fit",
    "iter_train": "runs",
    "refuse_leakage": "data.splits",
    "retrieval": "loop.validation",
    "score_bags": "loop.validation",
    "split_wells": "data.splits",
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
