"""Colours of wells: one ramp for those that are highlighted, one grey ramp for the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.gui.state.session import Session

RAMP = "viridis"
"""Colour map of highlighted wells: perceptually even, and its order is kept for colour-blind eyes."""

UNKNOWN = (128, 128, 128)
"""A well without a value."""


@cache
def ramp() -> np.ndarray:
    """Look-up table of :data:`RAMP`, uint8 ``[256, 3]``."""
    import qtpy.QtCore  # noqa: F401  pyqtgraph takes the binding that is loaded already
    from pyqtgraph import colormap

    table = colormap.get(RAMP).getLookupTable(nPts=256, alpha=False)
    return np.asarray(table, dtype=np.uint8)


def grey_ramp(dark: bool) -> np.ndarray:
    """Look-up table for wells that are not highlighted, quiet on a dark or on a light background."""
    low, high = (62, 138) if dark else (208, 140)
    level = np.linspace(low, high, 256).round().astype(np.uint8)
    return np.stack([level, level, level], axis=1)


@dataclass(frozen=True)
class ColourScale:
    """How a value becomes a colour.

    Attributes
    ----------
    low, high : float
        Values at the two ends of the ramp; beyond them the end colour is used.
    threshold : float or None
        Values below are drawn in grey; ``None`` draws all in colour.
    dark : bool
        Whether the background is dark.
    """

    low: float
    high: float
    threshold: float | None = None
    dark: bool = True

    @classmethod
    def spanning(cls, values: np.ndarray, threshold: float | None = None, dark: bool = True) -> ColourScale:
        """Span the middle 98 % of the finite values, and at least the threshold."""
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            return cls(0.0, 1.0, threshold, dark)
        low, high = np.percentile(finite, (1, 99))
        if threshold is not None:
            high = max(high, threshold)
        if high <= low:
            high = low + 1.0
        return cls(float(low), float(high), threshold, dark)

    def place(self, values: np.ndarray) -> np.ndarray:
        """Position of values on the ramp, 0..255 as intp; NaN becomes 0."""
        scaled = (np.nan_to_num(values, nan=self.low) - self.low) / (self.high - self.low)
        return (np.clip(scaled, 0, 1) * 255).round().astype(np.intp)

    def colours(self, values: np.ndarray, bright: np.ndarray | None = None) -> np.ndarray:
        """Colour of each value, uint8 ``[n, 3]``; NaN is :data:`UNKNOWN`.

        Those that are not `bright` are grey; if that is not given, those below the threshold.
        """
        values = np.asarray(values, dtype=float)
        place = self.place(values)
        rgb = ramp()[place].copy()
        if bright is None and self.threshold is not None:
            bright = values >= self.threshold
        if bright is not None:
            rgb[~bright] = grey_ramp(self.dark)[place[~bright]]
        rgb[~np.isfinite(values)] = UNKNOWN
        return rgb


@dataclass(frozen=True)
class WellColours:
    """How wells are coloured, in every view.

    Attributes
    ----------
    rgb : ndarray of uint8 (n, 3)
        Colour of each well; :data:`UNKNOWN` where it has no value.
    known : ndarray of bool (n,)
        Which wells have a value.
    bright : ndarray of bool (n,)
        Which of them are in colour, not in grey.
    scale : ColourScale
        Spans the wells of all plates, so that plates can be compared.
    """

    rgb: np.ndarray
    known: np.ndarray
    bright: np.ndarray
    scale: ColourScale


def well_colours(session: Session, table: pd.DataFrame, dark: bool) -> WellColours:
    """Colour wells by score, or by the column that the user chose.

    Parameters
    ----------
    session : Session
        Says which column colours wells and which wells are highlighted.
    table : DataFrame
        Rows of ``session.wells``, in any order.
    dark : bool
        Whether the background is dark.
    """
    column = session.colour_column
    values = table[column].to_numpy(float) if len(table) else np.zeros(0)
    everything = session.wells[column].to_numpy(float) if len(session.wells) else values
    by_score = column == "score" and len(table) > 0
    highlighted = session.highlighted(table) if by_score else None
    scale = ColourScale.spanning(everything, session.threshold_in_force if by_score else None, dark)
    known = np.isfinite(values)
    bright = known if highlighted is None else highlighted & known
    return WellColours(scale.colours(values, highlighted), known, bright, scale)
