"""Which wells a query should find, and how well a ranking finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.metrics.precision import average_precision, chance_precision
from napari_cellclip.training.demo.held_out import HELD_OUT
from napari_cellclip.vocabulary import split_id
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, Mechanism

MIN_EFFECT = 0.5
"""Wells of the asked mechanism below this effect are neither relevant nor irrelevant."""


@dataclass(frozen=True)
class Relevance:
    """Wells that count for one mechanism: relevant, and left out of the ranking."""

    relevant: pd.Series[bool]
    left_out: pd.Series[bool]


def relevance_of(truth: pd.DataFrame, mechanism: str, compounds: Sequence[str] | None = None) -> Relevance:
    """Tell relevant wells of a mechanism from those left out.

    Parameters
    ----------
    truth : DataFrame
        Indexed by well id, with ``mechanism`` (the name in plate maps), ``treatment`` and ``effect``.
    mechanism : str
        Name of the mechanism.
    compounds : sequence of str, optional
        Only these treatments are relevant; the mechanism's other wells are left out too.

    Returns
    -------
    Relevance
    """
    same = truth["mechanism"] == mechanism
    relevant = same & (truth["effect"] >= MIN_EFFECT)
    if compounds is not None:
        relevant &= truth["treatment"].isin(list(compounds))
    return Relevance(relevant, same & ~relevant)


def precision_of(scores: pd.Series[float], relevance: Relevance) -> float:
    """Average precision of one query; scores and relevance are matched by well id."""
    kept = relevance.left_out.index[~relevance.left_out]
    return average_precision(scores.reindex(kept).to_numpy(), relevance.relevant.loc[kept].to_numpy())


def per_mechanism(
    scores: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    pooled: bool = False,
    mechanisms: Sequence[Mechanism] = MECHANISMS,
) -> pd.DataFrame:
    """Average precision of every mechanism: all compounds, and those held out of training.

    Parameters
    ----------
    scores : DataFrame
        Indexed by well id, one column per mechanism key.
    truth : DataFrame
        Indexed by well id, see :func:`relevance_of`.
    pooled : bool
        Rank the wells of all plates together; otherwise each plate on its own, and the mean over the plates
        that hold a relevant well.
    mechanisms : sequence of Mechanism
        Which queries.

    Returns
    -------
    DataFrame
        Indexed by mechanism key: ``name``, ``wells`` and ``held_out_wells`` (relevant ones), ``ap``,
        ``ap_held_out`` (``nan`` without such wells), ``chance``, ``chance_held_out``.
    """
    plate = ["" if pooled else split_id(well)[0] for well in truth.index]
    rows = {}
    for mechanism in MECHANISMS:
        found: dict[str, list[float]] = {
            name: [] for name in ("ap", "ap_held_out", "chance", "chance_held_out")
        }
        wells = {"": 0, "_held_out": 0}
        for _, part in truth.groupby(plate):
            for suffix, compounds in (("", None), ("_held_out", HELD_OUT[mechanism.key])):
                relevance = relevance_of(part, mechanism.name, compounds)
                relevant, ranked = int(relevance.relevant.sum()), int((~relevance.left_out).sum())
                wells[suffix] += relevant
                found[f"ap{suffix}"].append(precision_of(scores[mechanism.key], relevance))
                found[f"chance{suffix}"].append(chance_precision(ranked, relevant))
        rows[mechanism.key] = {
            "name": mechanism.name,
            "wells": wells[""],
            "held_out_wells": wells["_held_out"],
            **{name: _mean(values) for name, values in found.items()},
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def shuffled_captions(scores: pd.DataFrame) -> list[pd.DataFrame]:
    """Hand the same answers to other mechanisms: every cyclic shift of the queries but the true one."""
    keys = [mechanism.key for mechanism in MECHANISMS]
    return [
        pd.DataFrame({key: scores[keys[(i + shift) % len(keys)]] for i, key in enumerate(keys)})
        for shift in range(1, len(keys))
    ]


def mean_precision(scores: pd.DataFrame, truth: pd.DataFrame, *, pooled: bool = False) -> tuple[float, float]:
    """Mean average precision over mechanisms: all compounds, held-out compounds."""
    table = per_mechanism(scores, truth, pooled=pooled)
    return float(table["ap"].mean()), float(table["ap_held_out"].mean())


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
