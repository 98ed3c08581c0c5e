"""Pictures of figures, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, told apart by colour-blind readers too."""


def new_figure(width: float = 7.0, height: float = 4.5) -> Figure:
    """Make an empty figure, sized in inches; it belongs to no window and no global state.

    Raises
    ------
    CellClipError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise CellClipError(
            'pictures of an evaluation need matplotlib: pip install "napari-cellclip[evaluate]"'
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def bars(
    axes: Axes,
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    intervals: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    baseline: Sequence[float] | float | None = None,
    baseline_name: str = "random",
) -> None:
    """Draw groups of bars, one colour a series, with intervals and a dashed baseline.

    Parameters
    ----------
    axes : Axes
        Where.
    groups : sequence of str
        Names along x.
    series : mapping of str to sequence of float
        Heights by series, one a group; NaN draws nothing.
    intervals : mapping of str to sequence of (low, high), optional
        By series.
    baseline : float or sequence of float, optional
        One for all groups or one for each.
    baseline_name : str
        For the legend.
    """
    place = np.arange(len(groups), dtype=float)
    width = 0.8 / max(len(series), 1)
    for i, (name, heights) in enumerate(series.items()):
        x = place + (i - (len(series) - 1) / 2) * width
        axes.bar(x, heights, width * 0.92, label=name, color=COLOURS[i % len(COLOURS)], zorder=2)
        if intervals is not None and name in intervals:
            low, high = np.asarray(intervals[name], dtype=float).T
            middle = np.asarray(heights, dtype=float)
            error = np.clip([middle - low, high - middle], 0, None)
            axes.errorbar(x, middle, error, fmt="none", ecolor="black", elinewidth=1, capsize=3, zorder=3)
    if baseline is not None:
        levels = np.broadcast_to(np.asarray(baseline, dtype=float), len(groups))
        axes.hlines(
            levels,
            place - 0.45,
            place + 0.45,
            colors="black",
            linestyles="dashed",
            label=baseline_name,
            zorder=4,
        )
    axes.set_xticks(place, groups)
    axes.grid(axis="y", color="#dddddd", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
