"""Sister matching: do perturbations of the same target look alike, within a modality and across two?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.metrics.pairs import (
    FDR,
    NULL_SIZE,
    Significance,
    label_precision,
    significance,
)
from napari_cellclip.evaluation.protocols.consensus import How, consensus
from napari_cellclip.evaluation.protocols.correction import Correction
from napari_cellclip.evaluation.protocols.embeddings import (
    PERTURBATION,
    EmbeddingTable,
    compounds_of,
    kinds_present,
)
from napari_cellclip.evaluation.protocols.replicates import (
    FitOn,
    evaluated_wells,
    precision_picture,
    replicable,
    replicate_keys,
)
from napari_cellclip.vocabulary import CellClipError, Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGETS = "Metadata_genes"


def sisters(
    table: EmbeddingTable,
    *,
    by: str = PERTURBATION,
    labels: str = TARGETS,
    kind: str | None = None,
    across: tuple[str, str] | None = None,
    how: How = "mean",
    replicable_only: bool = True,
    within: Sequence[str] = (),
    correction: Correction | None = None,
    fit_on: FitOn = "half",
    method: Significance = "geometric",
    null_size: int = NULL_SIZE,
    seed: int = 0,
    fdr: float = FDR,
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Run the protocol within one modality, or across two.

    Within: positives share a target, negatives share none; the absolute cosine for compounds, which may do
    the opposite of each other, the cosine for genes. Other doses of the same compound, and the same compound
    on other cells, are neither.
    Across: positives share a target and are of the other modality, negatives are of the other modality and
    share none; compounds' targets are cut to the genes that were perturbed; absolute cosine.

    Parameters
    ----------
    table : EmbeddingTable
        Wells.
    by : str
        Column that tells perturbations apart.
    labels : str
        Column of targets joined by ``|``.
    kind : str, optional
        The modality to match within; where not given, the only one present.
    across : pair of str, optional
        Two modalities, such as ``("compound", "crispr")``, to match across instead.
    how : {"mean", "median"}
        Consensus of the wells of a perturbation (the paper's mean; the published code takes the median).
    replicable_only : bool
        Leave out compounds that do not find their own replicates at this FDR; genes are never left out.
    fit_on : {"half", "all"}
        What the correction is fitted on while replicates are looked for; sisters are matched after a fit on
        all controls, which take no part in that.
    within, correction, method, null_size, seed, fdr
        See :func:`~napari_cellclip.evaluation.protocols.replicates.replicates`.

    Returns
    -------
    summary, table, figure
        As :func:`~napari_cellclip.evaluation.protocols.report.write_report` wants them; one row a target.

    Raises
    ------
    CellClipError
        If modalities or targets are absent, or nothing is left to match.
    """
    corrected, applied = (correction or Correction()).apply(table)
    key = replicate_keys(corrected, by, within)
    rows = corrected.treated & (corrected.column(by) != "").to_numpy()
    kinds = kinds_present(corrected.wells[rows])
    wanted = across or (_one_kind(kind, kinds, table.name),)
    if absent := [name for name in wanted if name not in kinds]:
        raise CellClipError(
            f"{table.name} has no wells of kind {absent[0]}: it has {', '.join(kinds) or 'none'}"
        )
    of_kind = corrected.wells["Metadata_kind"]
    filtered = replicable_only and Kind.COMPOUND.value in wanted
    if filtered:
        wells, _ = evaluated_wells(table, correction or Correction(), fit_on, seed)
        found, _ = replicable(
            wells, by=by, within=within, method=method, null_size=null_size, seed=seed, fdr=fdr
        )
        good = key.isin(found.index[found["retrieved"]])
        rows = rows & ((of_kind != Kind.COMPOUND.value) | good).to_numpy()
    rows = rows & of_kind.isin(wanted).to_numpy()
    if not rows.any():
        raise CellClipError(
            f"no compound of {table.name} finds its own replicates, so none is left to match:"
            " keep all with --all"
        )
    profiles = consensus(corrected.take(rows), (key + " | " + of_kind)[rows], how)
    modality = profiles.wells["Metadata_kind"].to_numpy().astype(str)
    targets = [[t.strip() for t in text.split("|") if t.strip()] for text in profiles.column(labels)]
    if not any(targets):
        raise CellClipError(f"{table.name} names no target in {labels}: choose another column with --labels")
    if across:
        targets = _cut(targets, modality)
    similarity: Literal["abs_cosine", "cosine"] = (
        "abs_cosine" if across or wanted[0] == Kind.COMPOUND.value else "cosine"
    )
    is_compound = modality == Kind.COMPOUND.value
    itself = np.where(is_compound, compounds_of(profiles.wells), profiles.wells.index.astype(str))
    queries = label_precision(
        profiles.vectors,
        targets,
        modality=modality if across else None,
        apart=itself,
        similarity=similarity,
    )
    found = significance(queries, "label", method=method, null_size=null_size, seed=seed, fdr=fdr)
    # Targets of one compound rise and fall together: the intervals draw perturbations.
    interval = bootstrap(
        queries["average_precision"], queries["item"], {"mAP of queries": np.mean}, seed=seed
    )
    summary = {
        "data": {"source": table.name, "kinds": list(wanted), **applied},
        "model": table.model,
        "protocol": {
            "match": "across " + " and ".join(wanted) if across else f"within {wanted[0]}",
            "labels": labels,
            "consensus": how,
            "similarity": similarity,
            "only compounds that find their replicates": filtered,
            "p": method,
            "null": null_size,
            "seed": seed,
        },
        "figures": {
            "mAP": found["mean_average_precision"].mean(),
            **interval,
            "random mAP": found["random"].mean(),
            f"fraction retrieved (FDR {fdr:g})": found["retrieved"].mean(),
            f"fraction retrieved (FDR {fdr:g}, ties ignored as published)": found[
                "retrieved_ties_ignored"
            ].mean(),
            "targets": len(found),
            "perturbations": int(queries["item"].nunique()),
        },
    }
    return summary, found.rename_axis("target"), precision_picture(found, fdr, "sister mAP of a target")


def _one_kind(kind: str | None, kinds: Sequence[str], name: str) -> str:
    if kind is not None:
        return kind
    known = [k for k in kinds if k in (Kind.COMPOUND.value, Kind.CRISPR.value, Kind.ORF.value)]
    if len(known) != 1:
        there = ", ".join(known) or "none"
        raise CellClipError(f"{name} holds several modalities or none ({there}): say which with --kind")
    return known[0]


def _cut(targets: Sequence[Sequence[str]], modality: np.ndarray[Any, Any]) -> list[list[str]]:
    """Targets of compounds that were also perturbed as genes."""
    pairs = list(zip(targets, modality, strict=True))
    perturbed = {gene for genes, kind in pairs if kind != Kind.COMPOUND.value for gene in genes}
    return [
        [gene for gene in genes if kind != Kind.COMPOUND.value or gene in perturbed] for genes, kind in pairs
    ]
