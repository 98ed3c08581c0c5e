"""What a batch correction does to a screen: replicates and the mixing of plates, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.metrics.pairs import NULL_SIZE
from napari_cellclip.evaluation.protocols.correction import Correction, half_of_controls
from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.replicates import replicable
from napari_cellclip.screen.plate_mixing import plate_mixing
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEFORE = "none"


def batch(
    table: EmbeddingTable, methods: Sequence[str], *, null_size: int = NULL_SIZE, seed: int = 0
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Compare corrections with no correction, on the same wells.

    A random half of each plate's negative controls is fitted on; replicates are told from the other half,
    and plates mix among the wells that were not fitted on. Corrections that take no controls see all wells.

    Parameters
    ----------
    table : EmbeddingTable
        Wells of one or more plates, negative controls on each; of one, no mixing is told.
    methods : sequence of str
        Corrections, see :func:`~napari_cellclip.screen.correct.correct`; no correction is added.
    null_size, seed
        As of :func:`~napari_cellclip.evaluation.protocols.replicates.replicates`.

    Returns
    -------
    summary, table, figure
        One row a method: ``replicate_mAP`` with ``low`` and ``high`` (95 % over compounds), ``random_mAP``,
        ``retrieved`` (share of perturbations at FDR 5 %), ``plate_mixing``
        (:func:`~napari_cellclip.screen.plate_mixing.plate_mixing`), and ``refused``: why a method has no
        figures.

    Raises
    ------
    CellClipError
        Without controls or replicates.
    """
    fit = half_of_controls(table, seed)
    plates = table.wells["Metadata_Plate"][~fit].tolist()
    several = len(set(plates)) > 1
    rows: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys([BEFORE, *methods]):
        try:
            corrected, _ = Correction(method).apply(table, fit)  # type: ignore[arg-type]
        except ScreenError as error:
            rows[method] = {"refused": str(error)}
            continue
        scored = corrected.take(~fit)
        per_perturbation, _ = replicable(scored, null_size=null_size, seed=seed)
        interval = bootstrap(
            per_perturbation["mean_average_precision"],
            per_perturbation["compound"],
            {"mAP": np.mean},
            seed=seed,
        )["mAP"]
        rows[method] = {
            "replicate_mAP": interval["value"],
            "low": interval["low"],
            "high": interval["high"],
            "random_mAP": per_perturbation["random"].mean(),
            "retrieved": per_perturbation["retrieved"].mean(),
            "plate_mixing": plate_mixing(scored.vectors, plates, seed=seed) if several else np.nan,
            "refused": "",
        }
    found = pd.DataFrame.from_dict(rows, orient="index").loc[list(rows)].rename_axis("correction")
    figures = {
        f"{method}: {name}": value
        for method, row in rows.items()
        for name, value in row.items()
        if name in ("replicate_mAP", "retrieved", "plate_mixing")
    }
    summary = {
        "data": {
            "source": table.name,
            "plates": int(table.wells["Metadata_Plate"].nunique()),
            "controls fitted on": int(fit.sum()),
        },
        "model": table.model,
        "protocol": {
            "replicates": "as of evaluate replicates, cosine, negatives not fitted on",
            "plate mixing": "inverse Simpson index of nearest wells' plates, over that of shuffled plates",
            "null": null_size,
            "seed": seed,
        },
        "figures": figures,
    }
    return summary, found, _picture(found)


def _picture(found: pd.DataFrame) -> Figure:
    figure = new_figure(5.5, 4.0)
    axes = figure.subplots()
    shown = found[found["refused"] == ""]
    for i, (method, row) in enumerate(shown.iterrows()):
        colour = COLOURS[i % len(COLOURS)]
        error = [[row["replicate_mAP"] - row["low"]], [row["high"] - row["replicate_mAP"]]]
        axes.errorbar(
            row["plate_mixing"], row["replicate_mAP"], yerr=error, fmt="o", color=colour, label=method
        )
    axes.set(
        xlabel="plate mixing (1: as shuffled)", ylabel="replicate mAP", xlim=(-0.05, 1.15), ylim=(0, 1.02)
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
