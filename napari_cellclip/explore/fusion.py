"""Fuse the evidence of words and of look-alikes into one answer, both kept apart in its table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.calibration.findings import best_first
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.vocabulary.ids import split_ids

AGREE = 0.05
"""p up to which each kind of evidence speaks for a treatment."""


def fuse(words: Answer, looks: Answer, *, reason: str, words_count: bool = True) -> Answer:
    """Join two answers to one question: scores averaged, the smaller p doubled (Bonferroni).

    Where the references do not resemble each other, p is that of the words alone, so that a match is one they
    make; scores are averaged all the same. How far the two agree is said in a note.

    Parameters
    ----------
    words, looks : Answer
        Of the same screen, question and accepted rate.
    reason : str
        Why both are used.
    words_count : bool
        Whether a match may rest on words. If not, they take part in the scores alone, and p, q and the
        verdict are those of the look-alikes.
    """
    table = looks.treatments_table.copy()
    other = words.treatments_table.reindex(table.index)
    table["words_score"], table["words_p"] = other["score"], other["p"]
    by_words = table["words_p"].to_numpy(float)
    recognised = looks.references is not None and looks.references.recognisable.open
    if not words_count:
        p, smallest = table["p"].to_numpy(float), table["smallest_p"].to_numpy(float)
    elif recognised:
        by_looks = np.where(np.isfinite(table["q"].to_numpy(float)), table["p"].to_numpy(float), np.nan)
        p = np.minimum(2 * np.fmin(by_looks, by_words), 1.0)
        smallest = 2 * np.fmin(table["smallest_p"].to_numpy(float), other["smallest_p"].to_numpy(float))
    else:
        p, smallest = by_words, other["smallest_p"].to_numpy(float)
    score = _mean(table["score"].to_numpy(float), table["words_score"].to_numpy(float))
    q = benjamini_hochberg(p) if words_count else table["q"].to_numpy(float)
    table = table.assign(score=score, p=p, q=q, smallest_p=smallest)
    order = np.lexsort((-np.nan_to_num(score, nan=-np.inf), np.nan_to_num(p, nan=2.0)))
    table = table.iloc[order]
    outcome = Verdict.of(table["q"].to_numpy(float), words.fdr) if words_count else looks.outcome
    agree = int(((looks.treatments_table["p"] <= AGREE) & (other["p"] <= AGREE)).sum())
    note = f"Words and look-alikes agree on {agree} treatments (both p ≤ {AGREE:g})."
    return replace(
        words,
        scores=_wells(words.scores, looks.scores, table),
        notes=(note, *words.notes, *(n for n in looks.notes if n not in words.notes)),
        outcome=outcome,
        treatments_table=table,
        null={"words": words.null, "look_alikes": looks.null, "kind": "both", "seed": looks.null["seed"]},
        evidence="both",
        evidence_reason=reason,
        references=looks.references,
    )


def _mean(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of two scores; of one alone where the other is unknown."""
    return np.where(np.isnan(one), two, np.where(np.isnan(two), one, (one + two) / 2))


def _wells(words: pd.DataFrame, looks: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of wells; q is that of their treatment."""
    ids = words.index.intersection(looks.index)
    one, two = words.loc[ids], looks.loc[ids]
    score = _mean(one["score"].to_numpy(float), two["score"].to_numpy(float))
    q = pd.Series(np.nan, index=ids)
    for wells, value in zip(table.index, table["q"], strict=True):
        q.loc[q.index.intersection(split_ids(wells))] = value
    order = best_first(score, one["cosine"].to_numpy(float))
    made = one.assign(score=score, z=score, q=q).iloc[order]
    return made.assign(rank=np.arange(1, len(made) + 1))
