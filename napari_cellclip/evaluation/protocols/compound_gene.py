"""Compounds against their target genes: do they look alike, at which concentration?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.metrics.precision import average_precision, chance_precision
from napari_cellclip.evaluation.protocols.consensus import How, entity_map, gene_rows
from napari_cellclip.evaluation.protocols.correction import Correction
from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable
from napari_cellclip.evaluation.protocols.plots import bars, new_figure
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVE_NM = 1_000.0
INACTIVE_NM = 10_000.0
MIN_NEGATIVES = 20
SEEDS = 10
COLUMNS = ("treatment", "gene_symbol", "nM_value")
ANY = "best of all"


def read_activities(path: str | Path) -> pd.DataFrame:
    """Read measured activities: columns ``treatment``, ``gene_symbol`` and ``nM_value``.

    Returns
    -------
    DataFrame
        One row a pair, with its strongest activity.

    Raises
    ------
    CellClipError
        If the file cannot be read, lacks a column, or holds an activity that is no positive number.
    """
    file = from_home(path)
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise CellClipError(f"{file} cannot be read as a CSV of activities ({error})") from error
    if absent := [c for c in COLUMNS if c not in table]:
        raise CellClipError(f"{file.name} lacks the column {absent[0]}: activities are {', '.join(COLUMNS)}")
    value = pd.to_numeric(table["nM_value"], errors="coerce")
    if not (bad := table.index[~(value > 0) | ~np.isfinite(value)]).empty:
        raise CellClipError(
            f"{file.name} line {bad[0] + 2}: nM_value {table.loc[bad[0], 'nM_value']!r} is no activity in nM"
        )
    return (
        table.assign(nM_value=value).groupby(["treatment", "gene_symbol"], as_index=False)["nM_value"].min()
    )


def draw_genes(
    activities: pd.DataFrame, genes: set[str], seed: int
) -> dict[str, tuple[list[str], NDArray[np.bool_]]]:
    """Target genes of each compound, and as many others drawn beside them.

    Active genes are those with an activity of at most 1,000 nM. Genes above that and up to 10,000 nM count
    neither way. From all other genes of the table, measured inactive or never measured with the compound,
    twice as many as there are active ones are drawn, at least 20; a compound for which there are fewer is
    left out, as is one without an active gene.

    Parameters
    ----------
    activities : DataFrame
        From :func:`read_activities`.
    genes : set of str
        Those in the map.
    seed : int
        The same seed draws the same genes from one table and map, whichever compounds the map has.

    Returns
    -------
    dict
        By compound: names of genes, and which of them are active.
    """
    known = activities[activities["gene_symbol"].isin(genes)]
    pool = sorted(set(known["gene_symbol"]))
    drawn = {}
    for number, (compound, part) in enumerate(activities.groupby("treatment", sort=True)):
        here = part[part["gene_symbol"].isin(genes)]
        active = sorted(here.loc[here["nM_value"] <= ACTIVE_NM, "gene_symbol"])
        between = here.loc[(here["nM_value"] > ACTIVE_NM) & (here["nM_value"] <= INACTIVE_NM), "gene_symbol"]
        others = [gene for gene in pool if gene not in {*active, *between}]
        wanted = max(2 * len(active), MIN_NEGATIVES)
        if not active or len(others) < wanted:
            continue
        rng = np.random.default_rng([seed, number])
        chosen = [*active, *rng.choice(others, wanted, replace=False)]
        drawn[str(compound)] = ([str(g) for g in chosen], np.arange(len(chosen)) < len(active))
    return drawn


def compound_gene(
    table: EmbeddingTable,
    activities: str | Path,
    *,
    how: How = "median",
    correction: Correction | None = None,
    seeds: int = SEEDS,
    seed: int = 0,
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Run the benchmark of RxRx3-core on a map of compounds and knocked-out genes.

    A compound's genes (:func:`draw_genes`) are ranked by the absolute cosine of the compound at one
    concentration with the gene; average precision and area under the ROC curve of each compound are averaged.
    ``best of all`` takes each gene's highest score over the concentrations.

    Parameters
    ----------
    table : EmbeddingTable
        Wells with compounds and with genes.
    activities : path
        For :func:`read_activities`; compounds and genes are matched by name.
    how, correction
        See :func:`~napari_cellclip.evaluation.protocols.relationships.relationships`.
    seeds : int
        How often negatives are drawn; a compound's figure is the mean.
    seed : int
        The first of them.

    Returns
    -------
    summary, table, figure
        As :func:`~napari_cellclip.evaluation.protocols.report.write_report` wants them; one row a
        concentration.

    Raises
    ------
    CellClipError
        If no compound or gene of the activities is in the map, or none has enough genes to be ranked.

    References
    ----------
    Kraus et al. 2025 (RxRx3-core, arXiv:2503.20158); the benchmark of EFAAR_benchmarking.
    """
    if seeds < 1:
        raise CellClipError(f"negatives must be drawn at least once, not {seeds} times")
    measured = read_activities(activities)
    corrected, applied = (correction or Correction()).apply(table)
    entities = entity_map(corrected, how)
    vectors = unit_rows(entities.vectors, np.float64)
    is_gene = entities.wells["is_gene"].to_numpy(dtype=bool)
    names = entities.wells["entity"].to_numpy().astype(str)
    of_gene = gene_rows(entities)
    compounds = [i for i in range(len(names)) if not is_gene[i] and names[i] in set(measured["treatment"])]
    if not compounds or not set(of_gene) & set(measured["gene_symbol"]):
        raise CellClipError(
            f"{table.name} shares no compound, or no gene, with {Path(activities).name}: names must agree"
        )
    dose = entities.wells["Metadata_dose"].to_numpy(dtype=float)
    scores: dict[str, dict[str, list[dict[str, float]]]] = {}
    for number in range(seed, seed + seeds):
        drawn = draw_genes(measured, set(of_gene), number)
        for compound, (chosen, active) in drawn.items():
            rows = [i for i in compounds if names[i] == compound]
            if not rows:
                continue
            gene_vectors = vectors[[of_gene[gene] for gene in chosen]]
            similar = np.abs(vectors[rows] @ gene_vectors.T)
            by_dose = {ANY: similar.max(axis=0)}
            for k, i in enumerate(rows):  # rows of one dose, such as of two cell lines: the best counts, too
                before = by_dose.get(_text(dose[i]), similar[k])
                by_dose[_text(dose[i])] = np.maximum(before, similar[k])
            for concentration, values in by_dose.items():
                scores.setdefault(concentration, {}).setdefault(compound, []).append(_score(values, active))
    if not scores:
        raise CellClipError(
            f"no compound of {Path(activities).name} has an active gene and {MIN_NEGATIVES} others"
            f" in {table.name}"
        )
    found = _by_concentration(scores, seed)
    best = found.loc[ANY]
    figures: dict[str, Any] = {
        f"{label} ({ANY})": {"value": best[key], "low": best[f"{key}_low"], "high": best[f"{key}_high"]}
        for key, label in (("ap", "average precision"), ("auc", "AUC"))
    }
    figures |= {
        "average precision random": best["ap_random"],
        "AUC random": 0.5,
        "compounds": int(best["compounds"]),
    }
    for concentration, row in found.drop(index=ANY).iterrows():
        figures[f"average precision at {concentration}"] = row["ap"]
    summary = {
        "data": {"source": table.name, "activities": Path(activities).name, **applied},
        "model": table.model,
        "protocol": {
            "active": f"at most {ACTIVE_NM:g} nM",
            "left out": f"above that, up to {INACTIVE_NM:g} nM",
            "negatives": f"max(2 x active, {MIN_NEGATIVES}) drawn from the other genes of the table",
            "similarity": "absolute cosine",
            "consensus": how,
            "seeds": list(range(seed, seed + seeds)),
            "interval": "95 %, bootstrap of compounds",
        },
        "figures": figures,
    }
    return summary, found, _picture(found)


def _text(dose: float) -> str:
    return "unknown dose" if np.isnan(dose) else f"{dose:g} µM"


def _score(values: NDArray[np.float64], active: NDArray[np.bool_]) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    return {
        "ap": average_precision(values, active),
        "auc": float(roc_auc_score(active, values)),
        "ap_random": chance_precision(len(active), int(active.sum())),
    }


def _by_concentration(scores: Mapping[str, Mapping[str, list[dict[str, float]]]], seed: int) -> pd.DataFrame:
    rows = {}
    for concentration, of_compound in scores.items():
        seeds = pd.concat([pd.DataFrame(each) for each in of_compound.values()], keys=list(of_compound))
        means = seeds.groupby(level=0, sort=True).mean()
        row: dict[str, float] = {
            "compounds": len(means),
            "ap_random": means["ap_random"].mean(),
            "auc_random": 0.5,
        }
        for key in ("ap", "auc"):
            interval = bootstrap(means[key], means.index, {key: np.mean}, seed=seed)[key]
            row |= {key: interval["value"], f"{key}_low": interval["low"], f"{key}_high": interval["high"]}
            # How much the draw of negatives matters: each draw averaged over compounds.
            row[f"{key}_sd_of_seeds"] = float(seeds[key].groupby(level=1).mean().std(ddof=0))
        rows[concentration] = row
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("concentration")
    size = [
        np.inf if name == ANY else float(name.split()[0]) if name[0].isdigit() else -1.0
        for name in table.index
    ]
    return table.iloc[np.argsort(size, kind="stable")]


def _picture(found: pd.DataFrame) -> Figure:
    figure = new_figure(8.5, 4)
    for axes, key, label in zip(
        figure.subplots(1, 2), ("ap", "auc"), ("average precision", "area under the ROC curve"), strict=True
    ):
        bars(
            axes,
            [str(name).replace(" ", "\n") for name in found.index],
            {label: found[key]},
            intervals={label: list(zip(found[f"{key}_low"], found[f"{key}_high"], strict=True))},
            baseline=found[f"{key}_random"],
        )
        axes.set_ylabel(label)
        axes.tick_params(axis="x", labelsize="small")
    return figure
