"""Average precision over pairs of wells, with copairs, and how surprising it is."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.significance import FDR

Significance = Literal["geometric", "mean"]

NULL_SIZE = 10_000
_TIE = 1e-6
"""copairs keeps its null in single precision: average precisions closer than this are equal."""


def replicate_precision(
    vectors: ArrayLike,
    perturbation: Sequence[str] | pd.Series[str],
    plate: Sequence[str] | pd.Series[str],
    control: ArrayLike,
    *,
    similarity: Literal["cosine", "abs_cosine"] = "cosine",
) -> pd.DataFrame:
    """Average precision of each treated well at finding its replicates among its plate's controls.

    Positives of a well: wells of the same perturbation on any plate. Negatives: the negative controls of its
    own plate. Other treatments take no part.

    Parameters
    ----------
    vectors : array_like (n, E)
        Finite.
    perturbation, plate : sequence of str (n,)
        What was done, and where. What controls are called does not matter.
    control : array_like of bool (n,)
        The negative controls.
    similarity : {"cosine", "abs_cosine"}
        How alike two wells are.

    Returns
    -------
    DataFrame
        One row for each well with a replicate, by position in `vectors`: ``perturbation``, ``plate``,
        ``average_precision``, ``n_pos_pairs``, ``n_total_pairs``.

    Raises
    ------
    CellClipError
        If no perturbation has two wells, or a plate with treated wells has no control.

    References
    ----------
    Kalinin et al. 2025 (mAP for profiling, doi:10.1038/s41467-025-60306-2); Chandrasekaran et al. 2024
    (CPJUMP1, doi:10.1038/s41592-024-02241-6).
    """
    x, negative = _finite(vectors), np.asarray(control, dtype=bool)
    names, plates = (np.asarray(column, dtype=object).astype(str) for column in (perturbation, plate))
    if bare := sorted(set(plates[~negative]) - set(plates[negative])):
        raise CellClipError(
            "replicates are told from the negative controls of their plate, and these have none:"
            f" {', '.join(bare)}"
        )
    # Controls get a number each: they are nobody's replicates, and pairs among them would only cost memory.
    sample = np.where(negative, -1 - np.arange(len(x)), pd.factorize(names)[0])
    if not pd.Series(sample).duplicated().any():
        raise CellClipError(
            "no perturbation has two wells, so there are no replicates to find: give plates with replicates,"
            " or a plate map that names the treatments"
        )
    # Names of our own, since copairs writes column names into a query.
    wells = pd.DataFrame({"sample": sample, "plate": plates, "negative": negative.astype(int)})
    found = _copairs().average_precision(
        wells,
        x,
        pos_sameby=["sample"],
        pos_diffby=[],
        neg_sameby=["plate"],
        neg_diffby=["negative"],
        distance=similarity,
        progress_bar=False,
    )
    kept = found.assign(perturbation=names).loc[~negative & (found["n_pos_pairs"].to_numpy() > 0)]
    return _tidy(kept, ["perturbation", "plate"])


def label_precision(
    vectors: ArrayLike,
    labels: Sequence[Sequence[str]],
    *,
    modality: Sequence[str] | None = None,
    apart: Sequence[str] | None = None,
    similarity: Literal["cosine", "abs_cosine"] = "abs_cosine",
) -> pd.DataFrame:
    """Average precision of each item at finding those that share a label, for each of its labels.

    Positives share the label; negatives share no label at all. With `modality`, both are of another modality
    than the item.

    Parameters
    ----------
    vectors : array_like (n, E)
        Consensus profiles.
    labels : sequence of sequences of str (n,)
        Such as target genes.
    modality : sequence of str (n,), optional
        Such as ``compound`` and ``crispr``.
    apart : sequence of str (n,), optional
        Items that agree in this, such as two doses of one compound, are no positives of each other.
    similarity : {"abs_cosine", "cosine"}
        ``abs_cosine`` where a perturbation may do the opposite of its sister.

    Returns
    -------
    DataFrame
        One row for each item and label that has a positive and a negative: ``item`` (position in `vectors`),
        ``label``, ``average_precision``,
        ``n_pos_pairs``, ``n_total_pairs``.

    Raises
    ------
    CellClipError
        If no two items share a label, or no item has a negative.
    """
    x = _finite(vectors)
    table = pd.DataFrame({"item": np.arange(len(x)), "label": [sorted(set(each)) for each in labels]})
    other = [] if modality is None else ["modality"]
    if modality is not None:
        table["modality"] = np.asarray(modality, dtype=object).astype(str)
    elsewhere = list(other)
    if apart is not None:
        table["apart"] = np.asarray(apart, dtype=object).astype(str)
        elsewhere.append("apart")
    rivals = _rivals(table["label"].tolist(), table["modality"].tolist() if other else None)
    # copairs 0.5 gives an item without a negative those of the next one, or runs past the end: such items
    # come first here, and their rows are taken out below. They still are positives of others.
    order = np.argsort(rivals.any(axis=1), kind="stable")
    order = order[(table["label"].map(len) > 0).to_numpy()[order]]
    table, x, meaningful = table.iloc[order], x[order], set(np.flatnonzero(rivals.any(axis=1)).tolist())
    from copairs.matching import UnpairedException

    pairing = " of different modalities" if other else ""
    try:
        found = _copairs().multilabel.average_precision(
            table,
            x,
            pos_sameby=["label"],
            pos_diffby=elsewhere,
            neg_sameby=[],
            neg_diffby=["label", *other],
            multilabel_col="label",
            distance=similarity,
            progress_bar=False,
        )
    except UnpairedException as error:
        raise CellClipError(
            f"no two perturbations{pairing} share a target, or none have different ones:"
            " there is nothing to match"
        ) from error
    found = _tidy(found[found["item"].isin(meaningful)], ["item", "label"])
    return found.sort_values(["item", "label"], ignore_index=True)


def _rivals(labels: Sequence[Sequence[str]], modality: Sequence[str] | None) -> NDArray[np.bool_]:
    """Which items are negatives of which: both have labels, share none, and are of different modalities."""
    from scipy.sparse import csr_matrix

    rows = np.repeat(np.arange(len(labels)), [len(each) for each in labels])
    columns, names = pd.factorize(np.array([label for each in labels for label in each], dtype=object))
    has = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(labels), max(len(names), 1)))
    known = np.array([len(each) > 0 for each in labels])
    apart = (has @ has.T).toarray() == 0
    apart &= known[:, None] & known[None, :]
    if modality is not None:
        kind = np.asarray(modality, dtype=object)
        apart &= kind[:, None] != kind[None, :]
    return apart


def significance(
    precision: pd.DataFrame,
    by: str,
    *,
    method: Significance = "geometric",
    null_size: int = NULL_SIZE,
    seed: int = 0,
    fdr: float = FDR,
) -> pd.DataFrame:
    """Mean average precision of each group, against random rankings.

    Parameters
    ----------
    precision : DataFrame
        From :func:`replicate_precision` or :func:`label_precision`.
    by : str
        Its column that groups queries: ``perturbation`` or ``label``.
    method : {"geometric", "mean"}
        ``geometric``: a p for each query, their geometric mean for the group (the published evaluations);
        ``mean``: p of the group's mean against means of random rankings (copairs' present one).
    null_size : int
        Random rankings for each number of positives and negatives; the paper took 100,000.
    seed : int
        Of the random rankings.
    fdr : float
        Level of the Benjamini-Hochberg procedure.

    Returns
    -------
    DataFrame
        Indexed by group: ``n``, ``mean_average_precision``, ``p``, ``q``, ``retrieved`` (q below `fdr`),
        ``random`` (what random rankings reach on average), ``smallest_p`` (what perfect rankings would get:
        with few negatives even they may not be significant), and ``p_ties_ignored``,
        ``retrieved_ties_ignored``: as in the published evaluations, which do not count random rankings that
        do exactly as well. With few positives those are common (three positives among six negatives are
        ranked perfectly by chance in 1 of 84 cases), so that finds too much.

    Raises
    ------
    CellClipError
        If there is no such method.
    """
    if method not in get_args(Significance):
        raise CellClipError(
            f"{method!r} is no way to a p value: use one of {', '.join(get_args(Significance))}"
        )
    from copairs import compute

    shapes = precision[["n_pos_pairs", "n_total_pairs"]].to_numpy()
    distinct, which = np.unique(shapes, axis=0, return_inverse=True)
    with tempfile.TemporaryDirectory() as fresh:
        # Not copairs' own cache in the user's folder: it would make results depend on earlier runs.
        null = compute.get_null_dists(distinct, null_size, seed=seed, cache_dir=fresh, progress_bar=False)
    reached = precision["average_precision"].to_numpy()
    rows: dict[str, dict[str, float]] = {}
    for name, places in precision.groupby(by, sort=True).indices.items():
        value = float(reached[places].mean())
        if method == "mean":
            p = _p(np.array([value]), null[which[places]].mean(axis=0, keepdims=True))[0]
        else:
            p = np.exp(np.log(_p(reached[places], null[which[places]])).mean(axis=0))
        rows[str(name)] = {
            "n": len(places),
            "mean_average_precision": value,
            "p": p[0],
            "random": float(null[which[places]].mean()),
            "smallest_p": _smallest_p(distinct[which[places]], null_size, method),
            "p_ties_ignored": p[1],
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(by).astype({"n": int})
    table.insert(3, "q", benjamini_hochberg(table["p"].to_numpy(float)))
    table.insert(4, "retrieved", table["q"] < fdr)
    return table.assign(
        retrieved_ties_ignored=benjamini_hochberg(table["p_ties_ignored"].to_numpy(float)) < fdr
    )


def _p(values: NDArray[np.float64], null: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of random rankings that do as well as each value, and of those that do better: (n, 2)."""
    as_well = (null >= values[:, None] - _TIE).sum(axis=1)
    better = (null >= values[:, None] + _TIE).sum(axis=1)
    return (np.stack([as_well, better], axis=1) + 1) / (null.shape[1] + 1)


def _smallest_p(shapes: NDArray[np.int64], null_size: int, method: Significance) -> float:
    """What p perfect rankings get: the chance that random ones of the same shapes are perfect too."""
    if method == "mean":  # queries of one shape share their random rankings
        shapes = np.unique(shapes, axis=0)
    positives, total = shapes.T
    log = gammaln(positives + 1) + gammaln(total - positives + 1) - gammaln(total + 1)
    reached = log.sum() if method == "mean" else log.mean()
    return float(max(np.exp(reached), 1 / (null_size + 1)))


def _tidy(found: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return found[[*names, "average_precision", "n_pos_pairs", "n_total_pairs"]].astype(
        {"average_precision": float, "n_pos_pairs": int, "n_total_pairs": int}
    )


def _finite(vectors: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(x).all():
        raise CellClipError("some embeddings are not finite numbers: leave these wells out")
    return x


def _copairs() -> ModuleType | Any:
    try:
        import copairs.map as copairs_map
    except ModuleNotFoundError as error:
        raise CellClipError(
            'replicate and sister matching need copairs: pip install "napari-cellclip[evaluate]"'
        ) from error
    return copairs_map
