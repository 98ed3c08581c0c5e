"""What each stain adds to the score of wells: the figures, and the units they can be read in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_cellclip.vocabulary import split_id

STRAIGHT = 1e-3
"""How far, as a share of their range, scores may be off a straight line through rounding."""


@dataclass(frozen=True, eq=False)
class StainContributions:
    """What each stain adds to the score of wells.

    Attributes
    ----------
    cosine : DataFrame
        One row per well (index: well id), one column per stain in the order of ``STAINS``: parts of the
        cosine. Each row adds up to ``value - baseline``.
    value : Series
        Cosine of each well with what was asked.
    baseline : Series
        The same where every stain is the controls' mean.
    spread : Series
        Robust standard deviation (1.4826 MAD) of the cosines of the plate's negative controls, of all its
        wells where it has too few; NaN where neither tells.
    notes : tuple of str
        What limits the figures, in sentences.
    """

    cosine: pd.DataFrame
    value: pd.Series[float]
    baseline: pd.Series[float]
    spread: pd.Series[float]
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> pd.DataFrame:
        """The same in standard deviations of the plate's controls."""
        return self.cosine.div(self.spread, axis=0)

    def in_units_of(self, scores: pd.DataFrame) -> pd.DataFrame:
        """The same in units of an answer's score: rows add up to a well's score less that of the baseline.

        Parameters
        ----------
        scores : DataFrame
            :attr:`Answer.scores <napari_cellclip.explore.Answer>` of the same question: ``cosine`` and
            ``score`` by well id. On one plate the score is a straight line of the cosine, whose slope is
            what a cosine is worth there.

        Returns
        -------
        DataFrame
            As :attr:`cosine`; NaN for plates without scores, and where they are no straight line because
            the question had several parts.
        """
        known = scores[["cosine", "score"]].dropna()
        slope = known.groupby([split_id(well)[0] for well in known.index]).apply(_slope)
        plates = [split_id(well)[0] for well in self.cosine.index]
        return self.cosine.mul(slope.reindex(plates).to_numpy(float), axis=0)

    @property
    def leading(self) -> pd.Series[str]:
        """The stain that adds most, by well."""
        return self.cosine.idxmax(axis=1).astype(str)


def _slope(line: pd.DataFrame) -> float:
    """Score that a cosine of 1 is worth; NaN where scores are no straight line of the cosine."""
    x, y = line["cosine"].to_numpy(float), line["score"].to_numpy(float)
    low, high = int(x.argmin()), int(x.argmax())
    if not x[high] > x[low]:
        return float("nan")
    slope = (y[high] - y[low]) / (x[high] - x[low])
    off = np.abs(y - y[low] - slope * (x - x[low])).max()
    return float(slope) if off <= STRAIGHT * np.ptp(y) else float("nan")
