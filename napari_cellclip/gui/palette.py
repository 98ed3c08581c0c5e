"""Colours of wells: a ramp of numbers or a set of categories, in greys where wells are not highlighted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_cellclip.gui.state.colouring import WellValues, chosen_colouring, well_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_cellclip.gui.state.session import Session

RGB = tuple[int, int, int]

RAMP = "viridis"
"""Colour map of numbers: perceptually even, and its order is kept for colour-blind eyes."""

CATEGORIES: tuple[RGB, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Colours that colour-blind eyes tell apart (Okabe and Ito 2008), for the most frequent categories."""

OTHER = "other"
"""What the categories beyond those of :data:`CATEGORIES` are called."""

UNKNOWN: RGB = (128, 128, 128)
"""A well without a value, or of another category."""

NAMES_READ = 1000
"""Categories at most whose names are compared with the query, which takes 50 microseconds each."""

BLACK: RGB = (0, 0, 0)
MARK_CONTRAST = 3.0
"""Least contrast of a mark with what is behind it (WCAG 2.2, 1.4.11); below it, wells get an outline."""


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


def luminance(rgb: ArrayLike) -> NDArray[np.float64]:
    """Compute the relative luminance of sRGB colours (WCAG 2.2), 0 to 1: shape ``[…, 3]`` to ``[…]``."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ (0.2126, 0.7152, 0.0722))


def contrast(rgb: ArrayLike, background: ArrayLike) -> NDArray[np.float64]:
    """Compute the contrast ratio of colours with a background (WCAG 2.2), 1 to 21."""
    one, other = luminance(rgb) + 0.05, luminance(background) + 0.05
    return np.asarray(np.maximum(one, other) / np.minimum(one, other))


@dataclass(frozen=True)
class ColourScale:
    """Scale from numbers to colours.

    Attributes
    ----------
    low, high : float
        Values at the two ends of the ramp; beyond them the end colour is used.
    threshold : float or None
        Values below are drawn in grey; ``None`` draws all in colour.
    dark : bool
        Whether the background is dark.
    falling : bool
        Whether the bright end is at `low`.
    """

    low: float
    high: float
    threshold: float | None = None
    dark: bool = True
    falling: bool = False

    @classmethod
    def spanning(
        cls,
        values: np.ndarray,
        threshold: float | None = None,
        dark: bool = True,
        *,
        clip: bool = True,
        falling: bool = False,
    ) -> ColourScale:
        """Span the finite values, and at least the threshold: the middle 98 %, or all where `clip` is off."""
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            return cls(0.0, 1.0, threshold, dark, falling)
        low, high = np.percentile(finite, (1, 99) if clip else (0, 100))
        if threshold is not None:
            high = max(high, threshold)
        if high <= low:
            high = low + 1.0
        return cls(float(low), float(high), threshold, dark, falling)

    def place(self, values: np.ndarray) -> np.ndarray:
        """Position of values on the ramp, 0..255 as intp; NaN becomes that of `low`."""
        scaled = np.clip((np.nan_to_num(values, nan=self.low) - self.low) / (self.high - self.low), 0, 1)
        return ((1 - scaled if self.falling else scaled) * 255).round().astype(np.intp)

    def in_colour(self, values: np.ndarray) -> np.ndarray:
        """Colour of each value whatever the threshold, uint8 ``[n, 3]``."""
        return np.asarray(ramp()[self.place(np.asarray(values, dtype=float))])

    def colours(self, values: np.ndarray, bright: np.ndarray | None = None) -> np.ndarray:
        """Colour of each value, uint8 ``[n, 3]``; NaN is :data:`UNKNOWN`.

        Those that are not `bright` are grey; if that is not given, those below the threshold.
        """
        values = np.asarray(values, dtype=float)
        rgb, place = self.in_colour(values), self.place(values)
        if bright is None and self.threshold is not None:
            bright = values >= self.threshold
        if bright is not None:
            rgb[~bright] = grey_ramp(self.dark)[place[~bright]]
        rgb[~np.isfinite(values)] = UNKNOWN
        return rgb


@dataclass(frozen=True)
class Category:
    """One entry of a legend: a name, its colour, and how many wells have it."""

    name: str
    rgb: RGB
    count: int


@dataclass(frozen=True)
class WellColours:
    """Colours of wells, the same in every view.

    Attributes
    ----------
    rgb : ndarray of uint8 (n, 3)
        Colour of each well; :data:`UNKNOWN` where it has no value.
    known : ndarray of bool (n,)
        Which wells have a value.
    bright : ndarray of bool (n,)
        Which of them are in colour, not in grey.
    outlined : ndarray of bool (n,)
        Which of these have a fill that is too near to the background to be seen, and need an outline.
    scale : ColourScale or None
        Spans the wells of all plates, so that plates can be compared; ``None`` for categories.
    categories : tuple of Category
        The legend of categories, most frequent first; empty for numbers.
    title : str
        What is shown.
    numbers : ndarray of float (n,) or None
        The values, where they are numbers.
    faded : ndarray of bool (n,)
        Which wells do not meet the filter.
    """

    rgb: np.ndarray
    known: np.ndarray
    bright: np.ndarray
    outlined: np.ndarray
    scale: ColourScale | None
    categories: tuple[Category, ...]
    title: str
    numbers: np.ndarray | None
    faded: np.ndarray

    def taken(self, rows: NDArray[np.intp]) -> WellColours:
        """Return the colours of these wells, by place; -1 is a well of which nothing is known."""

        def of(values: np.ndarray, missing: object) -> np.ndarray:
            there = rows >= 0
            out = np.full((len(rows), *values.shape[1:]), missing, values.dtype)
            out[there] = values[rows[there]]
            return out

        return replace(
            self,
            rgb=of(self.rgb, UNKNOWN),
            known=of(self.known, False),
            bright=of(self.bright, False),
            outlined=of(self.outlined, False),
            numbers=None if self.numbers is None else of(self.numbers, np.nan),
            faded=of(self.faded, False),
        )


def well_colours(session: Session, wells: pd.Index, background: RGB) -> WellColours:
    """Colour wells by score, or by whatever the user chose.

    Parameters
    ----------
    session : Session
        Says what colours wells, and which wells are highlighted.
    wells : Index
        Ids of wells, in any order; of an id that the session does not know nothing is known.
    background : tuple of int
        Red, green and blue of what wells are drawn on.
    """
    table = session.wells
    rests_on = (table, session.plate, session.screen, session.clusters, session.view, session.answer)
    name = f"colours on {background}"
    everywhere = session.memo.of(name, rests_on, lambda: _all_coloured(session, background))
    if wells is table.index:
        return everywhere
    return everywhere.taken(table.index.get_indexer(wells))


def _all_coloured(session: Session, background: RGB) -> WellColours:
    """Colour all wells of a session, in the order of its table."""
    values, table = well_values(session), session.wells
    known, dark = values.known, bool(luminance(background) < 0.18)
    passing = session.filter.passing(session.view.filter, table)
    faded = np.zeros(len(table), bool) if passing is None else ~passing
    categories: tuple[Category, ...] = ()
    scale = None
    if values.numbers is None:
        query = session.answer.query if session.answer is not None else ""
        rgb, categories = _categorised(values, _asked_for(session), query)
        bright = known & ~faded
        rgb[faded] = grey_ramp(dark)[0]
    else:
        by_score = chosen_colouring(session).key == "score" and len(table) > 0
        scale = ColourScale.spanning(
            _spanned(session, values.numbers),
            session.threshold_in_force if by_score else None,
            dark,
            clip=session.view.clip,
            falling=values.falling,
        )
        bright = (session.highlighted(table) & known if by_score else known) & ~faded
        rgb = scale.colours(values.numbers, bright if by_score or faded.any() else None)
    outlined = bright & (contrast(rgb, background) < MARK_CONTRAST)
    return WellColours(rgb, known, bright, outlined, scale, categories, values.title, values.numbers, faded)


def _spanned(session: Session, numbers: np.ndarray) -> np.ndarray:
    """Numbers that the scale spans: of all plates, or of the one looked at where nothing is clipped."""
    plates = session.wells["plate"].to_numpy(object) if len(session.wells) else np.zeros(0, object)
    here = plates == session.view.plate
    return numbers if session.view.clip or not here.any() else numbers[here]


def _asked_for(session: Session) -> NDArray[np.bool_]:
    """Tell which wells the answer highlights: none where there is no answer, or all stand out."""
    if session.answer is None or session.highlight == "all":
        return np.zeros(len(session.wells), bool)
    return session.highlighted(session.wells)


def _categorised(
    values: WellValues, asked_for: NDArray[np.bool_], query: str
) -> tuple[NDArray[np.uint8], tuple[Category, ...]]:
    """Give a colour each to categories that the query names, those of its hits, then the most frequent ones.

    Equally frequent ones go by name.
    """
    names = pd.Series(values.names, dtype=object)
    counts = names[values.known].value_counts()
    hits = names[values.known & asked_for].value_counts()
    named = _named_in(query, [str(name) for name in counts.index])
    order = sorted(
        counts.index,
        key=lambda name: (str(name) not in named, -int(hits.get(name, 0)), -int(counts[name]), str(name)),
    )
    shown = dict(zip(order, CATEGORIES, strict=False))
    legend = [Category(str(name), rgb, int(counts[name])) for name, rgb in shown.items()]
    if others := order[len(CATEGORIES) :]:
        legend.append(Category(f"{OTHER} ({len(others)})", UNKNOWN, int(counts[others].sum())))
    rgb = np.array([shown.get(name, UNKNOWN) for name in names], np.uint8).reshape(-1, 3)
    return rgb, tuple(legend)


def _named_in(query: str, names: list[str]) -> set[str]:
    """Tell which names a query asks for, in whatever words; of a long list none, which takes too long."""
    from napari_cellclip.explore.wording.phrases import read_phrase, words_of

    if not query or len(names) > NAMES_READ:
        return set()
    asked, spaced = read_phrase(query), f" {' '.join(words_of(query))} "
    return {
        name
        for name in names
        if any(
            read_phrase(part) == asked or f" {' '.join(words_of(part))} " in spaced
            for part in name.split("|")
            if part.strip()
        )
    }
