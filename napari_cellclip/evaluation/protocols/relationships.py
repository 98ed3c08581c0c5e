"""Recall of known relationships between genes, against two nulls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_cellclip.evaluation.protocols.consensus import How, entity_map, gene_rows
from napari_cellclip.evaluation.protocols.correction import Correction
from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAILS = tuple(i / 100 for i in range(1, 11))
HEADLINE = 0.05
ALL_PAIRS, GENES_ONLY = "all pairs", "genes only"


def tail_recall(null: ArrayLike, query: ArrayLike, low: float, high: float) -> float:
    """Share of query values in the tails of a null distribution.

    Parameters
    ----------
    null, query : array_like
        Similarities of all pairs, and of the annotated ones.
    low, high : float
        A value counts if its percentile in the null is at most `low` (counting equal ones as below it) or at
        least `high` (counting them as above).

    Returns
    -------
    float
        For a random query it is expected to be ``low + 1 - high``.

    References
    ----------
    Celik et al. 2024 (EFAAR, doi:10.1371/journal.pcbi.1012463).
    """
    ordered, asked = np.sort(np.asarray(null)), np.asarray(query)
    if not len(ordered) or not len(asked):
        raise CellClipError("recall of relationships needs at least one pair, and a null of at least one")
    at_most = np.searchsorted(ordered, asked, side="right") / len(ordered)
    at_least = np.searchsorted(ordered, asked, side="left") / len(ordered)
    return float(((at_most <= low) | (at_least >= high)).mean())


def read_relationships(path: str | Path) -> pd.DataFrame:
    """Read annotated pairs: columns ``entity1`` and ``entity2``; pairs with oneself and mirrored ones are
    dropped.

    Raises
    ------
    CellClipError
        If the file cannot be read or lacks the columns.
    """
    file = from_home(path)
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise CellClipError(f"{file} cannot be read as a CSV of annotated pairs ({error})") from error
    if absent := [c for c in ("entity1", "entity2") if c not in table]:
        raise CellClipError(f"{file.name} lacks the column {absent[0]}: annotated pairs are entity1, entity2")
    pairs = np.sort(table[["entity1", "entity2"]].to_numpy(dtype=str), axis=1)
    found = pd.DataFrame(pairs, columns=["entity1", "entity2"])
    return found[found["entity1"] != found["entity2"]].drop_duplicates(ignore_index=True)


def relationships(
    table: EmbeddingTable,
    annotations: Sequence[str | Path],
    *,
    how: How = "median",
    correction: Correction | None = None,
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Run the protocol on a map of perturbations.

    Annotated pairs are pairs of genes of the map; their cosines are compared with those of all pairs of the
    map (genes and compounds at each dose, as published) and with those of its genes alone. Where compounds
    are in the map the first null is wider and its recalls are inflated.

    Parameters
    ----------
    table : EmbeddingTable
        Wells with genes knocked out or over-expressed.
    annotations : sequence of path
        Files for :func:`read_relationships`; the name of a file names its source.
    how : {"median", "mean"}
        Consensus of the wells of a perturbation (the paper's median; the published code takes the mean).
    correction : Correction, optional
        Fitted on the negative controls beforehand; the published protocol is ``pca``.

    Returns
    -------
    summary, table, figure
        As :func:`~napari_cellclip.evaluation.protocols.report.write_report` wants them; one row for each
        source, null and width of the tails.

    Raises
    ------
    CellClipError
        If there are fewer than two genes, no annotation, or none of its pairs is in the map.
    """
    if not annotations:
        raise CellClipError("name at least one CSV of annotated pairs (entity1, entity2)")
    corrected, applied = (correction or Correction()).apply(table)
    entities = entity_map(corrected, how)
    genes = gene_rows(entities)
    is_gene = entities.wells["is_gene"].to_numpy(dtype=bool)
    if len(genes) < 2:
        raise CellClipError(
            f"{table.name} has {len(genes)} genes knocked out or over-expressed: two are needed"
        )
    unit = unit_rows(entities.vectors)
    nulls = {ALL_PAIRS: _pairs(unit), GENES_ONLY: _pairs(unit[is_gene])}
    rows = []
    for path in annotations:
        known = read_relationships(path)
        known = known[known["entity1"].isin(genes) & known["entity2"].isin(genes)]
        if known.empty:
            raise CellClipError(
                f"no pair of {Path(path).name} is among the {len(genes)} genes of {table.name}"
            )
        one, other = (unit[known[column].map(genes)] for column in ("entity1", "entity2"))
        query = np.einsum("ij,ij->i", one, other)
        for null, values in nulls.items():
            for tail in TAILS:
                rows.append(
                    {
                        "source": Path(path).stem,
                        "null": null,
                        "tail": tail,
                        "pairs": len(query),
                        "null_size": len(values),
                        "recall": tail_recall(values, query, tail, 1 - tail),
                        "random": 2 * tail,
                    }
                )
    found = pd.DataFrame(rows)
    headline = found[found["tail"] == HEADLINE]
    figures: dict[str, Any] = {f"random (any null, tails of {HEADLINE:g})": 2 * HEADLINE}
    for row in headline.itertuples():
        figures[f"{row.source}: recall at tails of {HEADLINE:g}, null of {row.null}"] = row.recall
        figures[f"{row.source}: annotated pairs in the map"] = row.pairs
    summary = {
        "data": {
            "source": table.name,
            "genes": len(genes),
            "other entities": int((~is_gene).sum()),
            **applied,
        },
        "model": table.model,
        "protocol": {
            "consensus": how,
            "similarity": "cosine",
            "all pairs": "of genes and of compounds at each dose: inflated where compounds are in the map",
        },
        "figures": figures,
    }
    return summary, found, _picture(found)


def _pairs(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sorted cosines of all pairs: single precision, since a genome's map has a hundred million."""
    values = np.concatenate([unit[i + 1 :] @ unit[i] for i in range(len(unit) - 1)])
    values.sort()
    return values


def _picture(found: pd.DataFrame) -> Figure:
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    for i, (source, part) in enumerate(found.groupby("source", sort=False)):
        for null, style in ((ALL_PAIRS, "solid"), (GENES_ONLY, "dashed")):
            line = part[part["null"] == null]
            colour = COLOURS[i % len(COLOURS)]
            axes.plot(line["tail"], line["recall"], color=colour, linestyle=style, label=f"{source}, {null}")
    axes.plot(TAILS, [2 * t for t in TAILS], color="black", linestyle="dotted", label="random")
    axes.set(xlabel="width of each tail", ylabel="recall of annotated pairs", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
