"""Cross-modal retrieval: which well belongs to which words, both ways."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.evaluation.metrics.bootstrap import DRAWS, bootstrap
from napari_cellclip.evaluation.metrics.ranking import (
    Ranking,
    mean_rank,
    median_rank,
    rank_both_ways,
    recall_at,
)
from napari_cellclip.evaluation.protocols.consensus import consensus
from napari_cellclip.evaluation.protocols.embeddings import (
    PERTURBATION,
    TREATMENT,
    EmbeddingTable,
    compounds_of,
    treatments_of,
)
from napari_cellclip.evaluation.protocols.plots import bars, new_figure
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CUTS = (1, 5, 10)
DIRECTIONS = ("text to image", "image to text")
Unit = Literal["treatment", "well"]


def retrieval(
    table: EmbeddingTable,
    *,
    texts: EmbeddingTable | None = None,
    text_key: str = TREATMENT,
    unit: Unit = "treatment",
    chosen: NDArray[np.bool_] | None = None,
    selection: str = "all treated wells",
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Rank the items of a pool by their texts and the texts by the items.

    Items are perturbations (name, dose, cell line) or wells; negative controls and empty wells are left out.
    The text of an item is its perturbation worded by the model card, as in training. Items with the same text
    are one group, of which any is a hit. A perturbation's vector is the mean of its wells: of their unit
    vectors for the cosine, of the vectors as they are for dot products.

    Parameters
    ----------
    table : EmbeddingTable
        Wells of screens of one model, or of any table if `texts` are given.
    texts : EmbeddingTable, optional
        Embedded texts of another model, joined to the wells by `text_key`.
    text_key : str
        Column that both tables have.
    unit : {"treatment", "well"}
        What an item of the pool is.
    chosen : ndarray of bool (n,), optional
        Only these rows of `table`, such as the test part of a split.
    selection : str
        What `chosen` is, for the report.
    draws : int
        Of the bootstrap over compounds.
    seed : int
        Of the bootstrap.

    Returns
    -------
    summary, table, figure
        As :func:`~napari_cellclip.evaluation.protocols.report.write_report` wants them; one row a query.

    Raises
    ------
    CellClipError
        If no item has a text, or there are fewer than two texts.
    """
    if unit not in ("treatment", "well"):
        raise CellClipError(f"{unit!r} is no unit of a pool: use treatment or well")
    rows = table.treated if chosen is None else table.treated & chosen
    if not rows.any():
        raise CellClipError(f"{table.name}: no treated well is left among {selection}; add a plate map")
    wells = table.take(rows)
    captions, text_vectors = _texts(wells, texts, text_key)
    if missing := int((captions == "").sum()):
        source = "" if texts is None else f" in {texts.name}"
        raise CellClipError(f"{missing} wells of {table.name} have no text of their {text_key}{source}")
    distinct, owner = np.unique(captions, return_inverse=True)
    if len(distinct) < 2:
        raise CellClipError(f"{table.name}: all wells have the same text, so there is nothing to tell apart")
    t = np.stack([text_vectors[caption] for caption in distinct])
    if t.shape[1] != wells.vectors.shape[1]:
        raise CellClipError(
            f"texts have {t.shape[1]} dimensions and images {wells.vectors.shape[1]}: they share no space"
        )
    key = wells.column(PERTURBATION).str.cat([pd.Series(captions, index=wells.wells.index)], sep=" | ")
    rankings: dict[str, tuple[Ranking, Ranking]] = {}
    for name, vectors in (("cosine", unit_rows(wells.vectors, np.float64)), ("raw", wells.vectors)):
        items, text_of = replace(wells, vectors=vectors), pd.Series(owner, index=wells.wells.index)
        if unit == "treatment":
            items = consensus(items, key)
            text_of = pd.Series(owner, index=key.to_numpy()).groupby(level=0).first()[items.wells.index]
        rankings[name] = rank_both_ways(items.vectors, t, text_of.to_numpy(), cosine=name == "cosine")
    queries = _queries(rankings, distinct, items.wells, text_of.to_numpy())
    figures = _figures(rankings, queries, draws, seed)
    grouped = np.bincount(text_of, minlength=len(distinct))
    summary = {
        "data": {
            "source": table.name,
            "selection": selection,
            "unit": unit,
            "pool of images": len(items),
            "pool of texts": len(distinct),
            "texts of several images": int((grouped > 1).sum()),
            "wells": len(wells),
        },
        "model": table.model,
        "protocol": {
            "rank": "items of another group that score at least as high as the best of the group",
            "hit": "any item of the group that shares a text",
            "interval": f"95 %, {draws} bootstrap draws of compounds, pool fixed, seed {seed}",
        },
        "figures": figures,
    }
    return summary, queries, _picture(figures, len(items), len(distinct))


def _texts(
    wells: EmbeddingTable, texts: EmbeddingTable | None, text_key: str
) -> tuple[NDArray[np.str_], dict[str, NDArray[np.float64]]]:
    """Text of each well, and the vector of each text."""
    if texts is not None:
        names = texts.column(text_key).to_numpy().astype(str)
        known = dict(zip(names, texts.vectors, strict=True))
        asked = wells.column(text_key).to_numpy().astype(str)
        return np.array([name if name in known else "" for name in asked]), known
    if not wells.screens:
        raise CellClipError(
            f"{wells.name} holds embeddings of wells only: give embedded texts too (--texts), or a screen"
        )
    model = wells.screens[0].model
    prompts = model.card.prompts
    captions = [prompts.for_perturbation(p) for p in treatments_of(wells.wells)]
    distinct = sorted(set(captions))
    vectors = model.embed_texts(distinct).astype(np.float64)
    return np.array(captions), dict(zip(distinct, vectors, strict=True))


def _queries(
    rankings: dict[str, tuple[Ranking, Ranking]],
    texts: NDArray[np.str_],
    items: pd.DataFrame,
    text_of: NDArray[np.int64],
) -> pd.DataFrame:
    """One row a query: both directions, ranks counted from 1."""
    compound = compounds_of(items).to_numpy()
    used = np.unique(text_of)
    compound_of_text = pd.Series(compound).groupby(text_of).first()
    parts = []
    for i, (direction, names, clusters) in enumerate(
        (
            (DIRECTIONS[0], texts[used], compound_of_text[used].to_numpy()),
            (DIRECTIONS[1], items.index.to_numpy().astype(str), compound),
        )
    ):
        ranks = {f"rank_{name}": both[i].ranks + 1 for name, both in rankings.items()}
        hits = rankings["cosine"][i]
        parts.append(
            pd.DataFrame(
                {
                    "direction": direction,
                    "query": names,
                    "text": texts[used] if i == 0 else texts[text_of],
                    "compound": clusters,
                    "pool": hits.pool,
                    "hits_in_pool": hits.hits,
                    **ranks,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _figures(
    rankings: dict[str, tuple[Ranking, Ranking]], queries: pd.DataFrame, draws: int, seed: int
) -> dict[str, Any]:
    statistics: dict[str, Any] = {f"R@{k}": partial(recall_at, k=k) for k in CUTS}
    statistics |= {"mean rank": mean_rank, "median rank": median_rank}
    figures: dict[str, Any] = {}
    for i, direction in enumerate(DIRECTIONS):
        clusters = queries.loc[queries["direction"] == direction, "compound"]
        random = rankings["cosine"][i]
        figures[f"{direction}: pool"] = random.pool
        for name, both in rankings.items():
            measured = bootstrap(both[i].ranks, clusters, statistics, draws=draws, seed=seed)
            figures |= {f"{direction}: {key} {name}": value for key, value in measured.items()}
        figures |= {f"{direction}: R@{k} random": random.random_recall(k) for k in CUTS}
        figures[f"{direction}: mean rank random"] = random.random_mean_rank
    return figures


def _picture(figures: dict[str, Any], images: int, texts: int) -> Figure:
    figure = new_figure(8.5, 4)
    for axes, direction, pool in zip(
        figure.subplots(1, 2, sharey=True), DIRECTIONS, (f"{images} images", f"{texts} texts"), strict=True
    ):
        values = {name: [figures[f"{direction}: R@{k} {name}"] for k in CUTS] for name in ("cosine", "raw")}
        bars(
            axes,
            [f"R@{k}" for k in CUTS],
            {name: [v["value"] for v in each] for name, each in values.items()},
            intervals={name: [(v["low"], v["high"]) for v in each] for name, each in values.items()},
            baseline=[figures[f"{direction}: R@{k} random"] for k in CUTS],
        )
        axes.set(title=f"{direction}, pool of {pool}", ylim=(0, None))
    figure.axes[0].set_ylabel("share of queries")
    return figure
