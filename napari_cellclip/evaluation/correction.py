"""Corrected embeddings to be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from napari_cellclip.evaluation.embeddings import EmbeddingTable
from napari_cellclip.screen.correct import Kernel, Method, Scaler, correct


@dataclass(frozen=True)
class Correction:
    """Which correction to judge embeddings after; see :func:`napari_cellclip.screen.correct.correct`."""

    method: Method = "none"
    kernel: Kernel = "rbf"
    components: int = 500
    scaler: Scaler = "controls"
    batch: str = "Metadata_Plate"

    def apply(self, table: EmbeddingTable) -> tuple[EmbeddingTable, dict[str, Any]]:
        """The table with corrected vectors, and what was done in words for the report."""
        if self.method == "none":
            return table, {"correction": "none"}
        corrected = correct(
            table.vectors,
            table.wells,
            self.method,
            controls=table.negative,
            batch=self.batch,
            kernel=self.kernel,
            components=self.components,
            scaler=self.scaler,
        )
        said = {"correction": self.method, **{f"correction {k}": v for k, v in corrected.settings.items()}}
        return replace(table, vectors=corrected.vectors), said
