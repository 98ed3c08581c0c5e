"""Replicate detection: does a well find its replicates among the controls of its plate?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.metrics.pairs import (
    FDR,
    NULL_SIZE,
    Significance,
    replicate_precision,
    significance,
)
from napari_cellclip.evaluation.protocols.correction import Correction, half_of_controls
from napari_cellclip.evaluation.protocols.embeddings import (
    PERTURBATION,
    EmbeddingTable,
    compounds_of,
    kinds_present,
)
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.vocabulary import CellClipError, ScreenError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FitOn = Literal["half", "all"]

ALIKE = ("Metadata_kind", "Metadata_cell_line")
"""Replicates agree in these too: the same compound on other cells is none."""


def replicates(
    table: EmbeddingTable,
    *,
    by: str = PERTURBATION,
    within: Sequence[str] = (),
    correction: Correction | None = None,
    fit_on: FitOn = "half",
    method: Significance = "geometric",
    null_size: int = NULL_SIZE,
    seed: int = 0,
    fdr: float = FDR,
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Run the protocol; see :func:`~napari_cellclip.evaluation.metrics.pairs.replicate_precision` for its
    pairs.

    Parameters
    ----------
    table : EmbeddingTable
        Wells of one or more plates, negative controls on each.
    by : str
        Column that says which wells are replicates.
    within : sequence of str
        Further columns in which replicates must agree, such as a time point; kind and cell line always.
    correction : Correction, optional
        Batch correction, fitted on controls beforehand.
    fit_on : {"half", "all"}
        ``half``: a random half of each plate's controls is fitted on, the other half are the negatives.
        ``all``: all are both, as published, which flatters: a correction pulls together the very wells that
        it is fitted on. Without a correction all controls are negatives.
    method, null_size, seed, fdr
        See :func:`~napari_cellclip.evaluation.metrics.pairs.significance`.

    Returns
    -------
    summary, table, figure
        As :func:`~napari_cellclip.evaluation.protocols.report.write_report` wants them; one row a
        perturbation.

    Raises
    ------
    CellClipError
        Without controls or replicates.
    """
    if fit_on not in get_args(FitOn):
        raise CellClipError(f"a correction is fitted on {' or '.join(get_args(FitOn))} of the controls")
    asked = correction or Correction()
    options: dict[str, Any] = {
        "by": by,
        "within": within,
        "method": method,
        "null_size": null_size,
        "seed": seed,
        "fdr": fdr,
    }
    corrected, applied = evaluated_wells(table, asked, fit_on, seed)
    per_perturbation, queries = replicable(corrected, **options)
    compared: dict[str, float] = {}
    if asked.method != "none" and fit_on == "half":
        others = {
            "mAP without correction, same negatives": table.take(~half_of_controls(table, seed)),
            "mAP if also fitted on its negatives, as published": asked.apply(table)[0],
        }
        compared = {
            name: float(replicable(other, **options)[0]["mean_average_precision"].mean())
            for name, other in others.items()
        }
    ap = queries["average_precision"]
    interval = bootstrap(ap, queries["compound"], {"mAP of wells": np.mean}, seed=seed)
    of_perturbations = bootstrap(
        per_perturbation["mean_average_precision"],
        per_perturbation["compound"],
        {"mAP": np.mean},
        seed=seed,
    )
    figures: dict[str, Any] = {
        **of_perturbations,
        **interval,
        **compared,
        "random mAP": per_perturbation["random"].mean(),
        f"fraction retrieved (FDR {fdr:g})": per_perturbation["retrieved"].mean(),
        f"fraction retrieved (FDR {fdr:g}, ties ignored as published)": per_perturbation[
            "retrieved_ties_ignored"
        ].mean(),
        "perturbations": len(per_perturbation),
        "wells": len(queries),
    }
    kinds = kinds_present(per_perturbation.rename(columns={"kind": "Metadata_kind"}))
    if len(kinds) > 1:
        for kind in kinds:
            part = per_perturbation[per_perturbation["kind"] == kind]
            figures[f"{kind}: mAP"] = part["mean_average_precision"].mean()
            figures[f"{kind}: fraction retrieved (FDR {fdr:g})"] = part["retrieved"].mean()
    summary = {
        "data": {
            "source": table.name,
            "plates": int(corrected.wells["Metadata_Plate"].nunique()),
            "controls": int(corrected.negative.sum()),
            **applied,
        },
        "model": table.model,
        "protocol": {
            "positives": f"wells of the same {by}, {', '.join([*ALIKE, *within])}, on any plate",
            "negatives": "negative controls of the same plate"
            + (", those not fitted on" if asked.method != "none" and fit_on == "half" else ""),
            "similarity": "cosine",
            "p": method,
            "null": null_size,
            "seed": seed,
        },
        "figures": figures,
    }
    return summary, per_perturbation, precision_picture(per_perturbation, fdr, "replicate mAP")


def evaluated_wells(
    table: EmbeddingTable, correction: Correction, fit_on: FitOn = "half", seed: int = 0
) -> tuple[EmbeddingTable, dict[str, Any]]:
    """Wells to evaluate, corrected; where half of the controls were fitted on, without these."""
    if correction.method == "none" or fit_on == "all":
        corrected, applied = correction.apply(table)
        return corrected, applied if correction.method == "none" else {
            **applied,
            "correction fitted on": "all",
        }
    fit = half_of_controls(table, seed)
    try:
        corrected, applied = correction.apply(table, fit)
    except ScreenError as error:
        raise CellClipError(
            f"{error}; half of the controls are kept to score by (--fit-on all: none)"
        ) from error
    return corrected.take(~fit), {**applied, "correction fitted on": "half"}


def replicable(
    table: EmbeddingTable,
    *,
    by: str = PERTURBATION,
    within: Sequence[str] = (),
    method: Significance = "geometric",
    null_size: int = NULL_SIZE,
    seed: int = 0,
    fdr: float = FDR,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test which perturbations find their replicates.

    Returns
    -------
    perturbations : DataFrame
        Indexed by ``perturbation`` (`by`, with what replicates must agree in besides): see
        :func:`~napari_cellclip.evaluation.metrics.pairs.significance`; also ``name`` (of `by` alone),
        ``kind``,
        ``compound``.
    queries : DataFrame
        See :func:`~napari_cellclip.evaluation.metrics.pairs.replicate_precision`; indexed by well.
    """
    if not table.negative.any():
        raise CellClipError(
            f"{table.name} has no negative control: mark them in the plate map, or name them with"
            " --controls COLUMN=VALUE"
        )
    key = replicate_keys(table, by, within)
    name = table.column(by)
    rows = table.negative | table.treated & (name != "").to_numpy()
    used, key, name = table.take(rows), key[rows], name[rows]
    queries = replicate_precision(used.vectors, key, used.wells["Metadata_Plate"], used.negative)
    rows = queries.index.to_numpy()
    queries = queries.assign(compound=compounds_of(used.wells).to_numpy()[rows])
    found = significance(queries, "perturbation", method=method, null_size=null_size, seed=seed, fdr=fdr)
    first = pd.Series(rows, index=queries["perturbation"].to_numpy()).groupby(level=0).first()[found.index]
    found = found.assign(
        name=name.to_numpy()[first],
        kind=used.wells["Metadata_kind"].to_numpy()[first],
        compound=compounds_of(used.wells).to_numpy()[first],
    )
    return found, queries.set_index(used.wells.index[rows])


def replicate_keys(table: EmbeddingTable, by: str, within: Sequence[str] = ()) -> pd.Series[str]:
    """One name for all that replicates must agree in; only columns that vary make it longer."""
    name = table.column(by)
    parts = [table.column(column) for column in (*ALIKE, *within)]
    varying = [part for part in parts if part[table.treated].nunique() > 1]
    return name.str.cat(varying, sep=" | ") if varying else name


def precision_picture(table: pd.DataFrame, fdr: float, label: str) -> Figure:
    """Mean average precision of each group against its q, with what random rankings reach."""
    figure = new_figure(6.5, 4.5)
    axes: Axes = figure.subplots()
    height = -np.log10(table["q"])
    for retrieved, colour, name in ((True, COLOURS[0], "retrieved"), (False, "#999999", "not retrieved")):
        part = table["retrieved"] == retrieved
        axes.scatter(
            table.loc[part, "mean_average_precision"],
            height[part],
            s=14,
            alpha=0.6,
            color=colour,
            linewidths=0,
            label=f"{name} ({int(part.sum())})",
        )
    axes.axhline(-np.log10(fdr), color="black", linewidth=0.8, linestyle="dotted", label=f"q = {fdr:g}")
    axes.axvline(table["random"].mean(), color="black", linewidth=0.8, linestyle="dashed", label="random mAP")
    axes.set(xlabel=label, ylabel="-log10 q", xlim=(-0.02, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure
