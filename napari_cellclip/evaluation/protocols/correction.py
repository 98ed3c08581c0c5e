"""Correct embeddings for batches before they are evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable
from napari_cellclip.screen.correct import Kernel, Method, Scaler, correct
from napari_cellclip.vocabulary import CellClipError


@dataclass(frozen=True)
class Correction:
    """Batch correction to score embeddings after; see :func:`napari_cellclip.screen.correct.correct`."""

    method: Method = "none"
    kernel: Kernel = "rbf"
    components: int = 500
    scaler: Scaler = "controls"
    batch: str = "Metadata_Plate"

    def apply(
        self, table: EmbeddingTable, fit: NDArray[np.bool_] | None = None
    ) -> tuple[EmbeddingTable, dict[str, Any]]:
        """Correct the vectors of a table, and put in words for the report what was done.

        Parameters
        ----------
        table : EmbeddingTable
            Wells with negative controls.
        fit : ndarray of bool (n,), optional
            The controls to fit on; where not given, all.
        """
        if self.method == "none":
            return table, {"correction": "none"}
        corrected = correct(
            table.vectors,
            table.wells,
            self.method,
            controls=table.negative if fit is None else fit,
            batch=self.batch,
            kernel=self.kernel,
            components=self.components,
            scaler=self.scaler,
        )
        return replace(table, vectors=corrected.vectors), corrected.about


def half_of_controls(table: EmbeddingTable, seed: int = 0) -> NDArray[np.bool_]:
    """Half of the negative controls of each plate, drawn at random: to fit on; the others are the negatives.

    A correction pulls together the controls it is fitted on, and these only. Where they are also the
    negatives that replicates are told from, the treated wells need do nothing to stand out.

    Raises
    ------
    CellClipError
        If a plate has one control.
    """
    fit = np.zeros(len(table), dtype=bool)
    rng = np.random.default_rng(seed)
    plates = table.wells["Metadata_Plate"].to_numpy()
    for plate in dict.fromkeys(plates[table.negative]):
        rows = np.flatnonzero(table.negative & (plates == plate))
        if len(rows) < 2:
            raise CellClipError(
                f"plate {plate} has one negative control, which cannot be both fitted on and a negative:"
                " add controls, or fit on all with --fit-on all"
            )
        fit[rng.permutation(rows)[: len(rows) // 2]] = True
    return fit
