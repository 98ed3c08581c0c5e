"""Scoring embeddings and models by stated protocols; docs/evaluation.md defines them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.evaluation.metrics.precision import average_precision, chance_precision
    from napari_cellclip.evaluation.metrics.ranking import rank_both_ways
    from napari_cellclip.evaluation.protocols.correction import Correction
    from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable, read_embeddings
    from napari_cellclip.evaluation.protocols.report import write_report
    from napari_cellclip.evaluation.protocols.simulated.mechanism_retrieval import evaluate

_FILE_OF = {
    "Correction": "protocols.correction",
    "EmbeddingTable": "protocols.embeddings",
    "average_precision": "metrics.precision",
    "chance_precision": "metrics.precision",
    "evaluate": "protocols.simulated.mechanism_retrieval",
    "rank_both_ways": "metrics.ranking",
    "read_embeddings": "protocols.embeddings",
    "write_report": "protocols.report",
}
"""The protocols themselves are in files of their own name: ``evaluation.protocols.retrieval`` and so on."""

__all__ = [
    "Correction",
    "EmbeddingTable",
    "average_precision",
    "chance_precision",
    "evaluate",
    "rank_both_ways",
    "read_embeddings",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
