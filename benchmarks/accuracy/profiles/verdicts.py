"""Ask held-out treatments by look-alikes, and count how often scores and verdicts were right."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.match_probability import (
    MatchProbability,
    q_values,
    wilson,
)
from napari_cellclip.explore.references.probability.recognisable import recognisable
from napari_cellclip.explore.references.profiles import WellProfiles
from napari_cellclip.explore.references.reference_set import ReferenceSet
from napari_cellclip.vocabulary.significance import FDR

BINS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
DRAWS = 300


def asked(
    wells: WellProfiles,
    references: ReferenceSet,
    truth: Mapping[str, Collection[str]],
    mechanisms: Collection[str],
    **about: Any,
) -> pd.DataFrame:
    """Ask for mechanisms among treatments that are no references.

    Parameters
    ----------
    wells : WellProfiles
        Of a screen; treatments of `truth` and negative controls are taken.
    references : ReferenceSet
    truth : mapping of str to collection of str
        Mechanisms of each treatment that is asked about.
    mechanisms : collection of str
        What is asked; those that no reference carries are left out.
    about
        Further columns.

    Returns
    -------
    DataFrame
        One row for each question and treatment (or dose).
    """
    keep = wells.wells["Metadata_treatment"].isin(set(truth)).to_numpy() | wells.controls
    own = replace(
        wells,
        values=wells.values[keep],
        wells=wells.wells[keep],
        plates=wells.plates[keep],
        controls=wells.controls[keep],
    )
    found = LookAlikes(own, references)
    model = MatchProbability(found, structures=True)
    groups = found.replicates
    agreement, _ = found.agreement()
    names = groups.table["treatment"].tolist()
    parts = []
    for mechanism in mechanisms:
        members = found.mechanisms.get(mechanism)
        if members is None:
            continue
        scores = model.scores(members, agreement)
        right = np.array([mechanism in truth[name] for name in names])
        parts.append(
            pd.DataFrame(
                {
                    "mechanism": mechanism,
                    "name": names,
                    "dose": groups.table["dose"].to_numpy(float),
                    "right": right,
                    "probability": model.probability(scores),
                    "q": q_values(model.p_values(scores), model.probability(scores)),
                    "open": recognisable(found, members).open,
                    "references": int(members.sum()),
                    "looks": scores.looks,
                    "score": scores.score,
                    "present": bool(right.any()),
                }
            ).assign(**about)
        )
    return pd.concat(parts, ignore_index=True)


def figures_of(table: pd.DataFrame, *, seed: int = 0) -> dict[str, Any]:
    """Summarise: average precision with intervals, reliability, claims, false discoveries, recall."""
    present = table[table["present"]]
    found: dict[str, Any] = {
        "questions": _questions(present),
        "right": int(present["right"].sum()),
        "map": {name: _map(present, name, seed) for name in ("looks", "score", "probability")},
        "reliability": reliability(present),
        "reliability_all": reliability(table),
        "claims_at_half": _share(present[present["probability"] >= 0.5]),
        "claims_at_half_all": _share(table[table["probability"] >= 0.5]),
        "per_mechanism": {
            str(name): {column: _map(rows, column, seed, draws=0)["mean"] for column in ("looks", "score")}
            for name, rows in present.groupby("mechanism")
        },
    }
    for rate in (FDR, 2 * FDR):
        claimed = (present["q"] <= rate) & present["open"]
        by_question = present.assign(wrong=claimed & ~present["right"], claimed=claimed).groupby(
            ["seed", "fold", "mechanism"]
        )[["wrong", "claimed"]]
        sums = by_question.sum()
        possible = present[present["open"] & present["right"]]
        found[f"significant_at_{rate:g}"] = {
            **_share(present[claimed]),
            "fdp_per_question": round(float((sums["wrong"] / sums["claimed"].clip(lower=1)).mean()), 3),
            "recall_on_recognisable": round(float((possible["q"] <= rate).mean()), 3),
            "possible_on_recognisable": len(possible),
            "by_references": {
                str(n): {
                    **_share(table[(table["q"] <= rate) & table["open"] & (table["references"] == n)]),
                    "possible": len(rows),
                    "found": int((rows["q"] <= rate).sum()),
                }
                for n, rows in possible.groupby("references")
            },
        }
    found["best_in_hindsight"] = best_in_hindsight(table)
    found["above_all_wrong"] = above_all_wrong(present[present["open"]], seed)
    absent = table[~table["present"]]
    if len(absent):
        found["absent"] = {"questions": _questions(absent), "answered": answered(absent)}
    return found


def best_in_hindsight(table: pd.DataFrame, rate: float = FDR, *, thresholds: int = 80) -> dict[str, float]:
    """Find how much any rule could find that only chooses from which probability on to claim.

    The threshold is chosen on the answers themselves, which no rule can do: of those with a share of false
    discoveries a question of at most 1.2 times the rate, and matches for absent mechanisms in at most 5 % of
    questions, the one with the highest recall on recognisable mechanisms.
    """
    keys = ["seed", "fold", "mechanism"]
    best = {"threshold": 1.0, "recall_on_recognisable": 0.0, "claims": 0, "share_right": 0.0}
    possible = table[table["present"] & table["open"] & table["right"]]["probability"]
    for threshold in np.quantile(table["probability"], 1 - np.geomspace(1e-4, 0.2, thresholds)):
        claimed = (table["probability"] >= threshold) & table["open"]
        sums = (
            table.assign(claimed=claimed, wrong=claimed & ~table["right"])
            .groupby([*keys, "present"])[["claimed", "wrong"]]
            .sum()
            .reset_index("present")
        )
        there = sums[sums["present"]]
        false_share = float((there["wrong"] / there["claimed"].clip(lower=1)).mean())
        absent = sums[~sums["present"]]
        matched = float((absent["claimed"] > 0).mean()) if len(absent) else 0.0
        recall = float((possible >= threshold).mean())
        if false_share <= 1.2 * rate and matched <= 0.05 and recall > best["recall_on_recognisable"]:
            n = int(there["claimed"].sum())
            best = {
                "threshold": round(float(threshold), 3),
                "recall_on_recognisable": round(recall, 3),
                "claims": n,
                "share_right": round(1 - float(there["wrong"].sum()) / max(n, 1), 3),
            }
    return best


def above_all_wrong(table: pd.DataFrame, seed: int) -> dict[str, float]:
    """Find how many right answers stand above every wrong one of their question, with a 95 % interval.

    What a rule could claim without any wrong match that knew in each question where to stop; none can.
    """
    found = {}
    for column in ("looks", "score", "probability"):
        parts = []
        for _, rows in table.groupby(["seed", "fold", "mechanism"]):
            hit = rows[column] > rows.loc[~rows["right"], column].max()
            parts.append(rows.assign(hit=hit)[rows["right"]])
        every = pd.concat(parts)
        found[column] = dict(
            zip(("share", "low", "high"), over_compounds(every["hit"], every["name"], seed), strict=True)
        )
    return found


def over_compounds(right: pd.Series, names: pd.Series, seed: int) -> tuple[float, float, float]:
    """Share that is right, and its 95 % interval by drawing compounds, each with all of its rows."""
    codes, unique = pd.factorize(names)
    hits, n = np.bincount(codes, right.to_numpy(float)), np.bincount(codes)
    draws = np.random.default_rng([seed, 6]).integers(len(unique), size=(DRAWS, len(unique)))
    low, high = np.quantile(hits[draws].sum(axis=1) / n[draws].sum(axis=1), [0.025, 0.975])
    return round(float(hits.sum() / n.sum()), 3), round(float(low), 3), round(float(high), 3)


def answered(table: pd.DataFrame, rate: float = FDR) -> float:
    """Share of questions with any significant match."""
    claimed = ((table["q"] <= rate) & table["open"]).groupby(
        [table["seed"], table["fold"], table["mechanism"]]
    )
    return round(float(claimed.any().mean()), 4)


def reliability(table: pd.DataFrame) -> list[dict[str, float]]:
    """Promised and realised probability in bins, with 95 % intervals over compounds."""
    bins = pd.cut(table["probability"], list(BINS))
    rows = []
    for interval, own in table.groupby(bins, observed=True):
        share, low, high = over_compounds(own["right"], own["name"], 0)
        rows.append(
            {
                "from": float(interval.left),
                "to": float(interval.right),
                "n": len(own),
                "compounds": own["name"].nunique(),
                "promised": round(float(own["probability"].mean()), 3),
                "realised": share,
                "low": low,
                "high": high,
            }
        )
    return rows


def precision_at_right(score: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Precision at the rank of each right item, in their order; the mean is the average precision."""
    order = np.argsort(-score, kind="stable")
    hit = right[order]
    precision = np.cumsum(hit) / np.arange(1, len(order) + 1)
    out = np.empty(len(score))
    out[order] = precision
    return out[right]


def _map(table: pd.DataFrame, column: str, seed: int, *, draws: int = DRAWS) -> dict[str, float]:
    """Mean average precision over questions, with a 95 % interval by resampling the right treatments."""
    codes, names = pd.factorize(table["name"])
    score, right = table[column].to_numpy(float), table["right"].to_numpy(bool)
    at = table.groupby(["seed", "fold", "mechanism"]).indices.values()
    parts = [(precision_at_right(score[i], right[i]), codes[i][right[i]]) for i in at]

    def mean(weight: NDArray[np.float64]) -> float:
        chosen = [np.average(p, weights=weight[c]) for p, c in parts if weight[c].any()]
        return float(np.mean(chosen))

    out = {"mean": round(mean(np.ones(len(names))), 3)}
    if draws:
        rng = np.random.default_rng([seed, 5])
        drawn = [
            mean(np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names)).astype(float))
            for _ in range(draws)
        ]
        low, high = np.quantile(drawn, [0.025, 0.975])
        out |= {"low": round(float(low), 3), "high": round(float(high), 3)}
    return out


def _questions(table: pd.DataFrame) -> int:
    return int(table.groupby(["seed", "fold", "mechanism"]).ngroups)


def _share(claims: pd.DataFrame) -> dict[str, float]:
    share, low, high = wilson(int(claims["right"].sum()), len(claims))
    return {"claims": len(claims), "share_right": round(share, 3) if len(claims) else 0.0} | (
        {"low": round(low, 3), "high": round(high, 3)} if len(claims) else {}
    )
