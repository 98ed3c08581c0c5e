"""The verdict on a question, and the sentences it is told in."""

from __future__ import annotations

from enum import Enum

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class Verdict(Enum):
    """Result of the tests of a question, or of the terms for a selection of wells."""

    SIGNIFICANT = "significant"
    NOT_SIGNIFICANT = "not significant"
    NOT_TESTED = "not tested"

    @classmethod
    def of(cls, q: NDArray[np.floating], fdr: float) -> Verdict:
        """Decide by q-values; those that are NaN were not tested."""
        if not np.isfinite(q).any():
            return cls.NOT_TESTED
        return cls.SIGNIFICANT if (q <= fdr).any() else cls.NOT_SIGNIFICANT

    @property
    def match(self) -> bool | None:
        """Whether anything matches; ``None`` if nothing could be tested."""
        return {Verdict.SIGNIFICANT: True, Verdict.NOT_SIGNIFICANT: False}.get(self)


NOT_TESTED = "Significance not tested"
"""Sentence for both; the notes beside it give the reason."""


def answer_sentence(verdict: Verdict, matches: pd.DataFrame, fdr: float) -> str:
    """Write the verdict on a question in words.

    Parameters
    ----------
    verdict : Verdict
    matches : DataFrame
        Treatments that match: ``treatment`` (empty if the plate map does not name it) and ``n_wells``.
    fdr : float
        The accepted false-discovery rate.
    """
    if verdict is Verdict.NOT_TESTED:
        return NOT_TESTED
    if verdict is Verdict.NOT_SIGNIFICANT:
        return "No confident match"
    n_wells = int(matches["n_wells"].sum())
    named = matches["treatment"].astype(str)
    of = f" of {_count(named.nunique(), 'treatment')}" if (named != "").all() else ""
    return f"{_count(n_wells, 'well')}{of} match{'es' if n_wells == 1 else ''} ({at_fdr(fdr)})"


def description_sentence(verdict: Verdict, terms: list[str], fdr: float) -> str:
    """Write in words which terms fit a selection of wells, given those that are significant, best first."""
    if verdict is Verdict.NOT_TESTED:
        return NOT_TESTED
    if verdict is Verdict.NOT_SIGNIFICANT:
        return "Nothing stands out"
    more = "" if len(terms) == 1 else f" and {len(terms) - 1} more"
    return f"{terms[0]}{more} ({at_fdr(fdr)})"


def at_fdr(fdr: float) -> str:
    """Write a false-discovery rate: ``FDR ≤ 5 %``."""
    return f"FDR ≤ {100 * fdr:g} %"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")
