"""What each stain adds to the score of a well.

A well's value is its cosine with what was asked. A stain is taken away by putting the mean features of the
plate's negative controls in its place, in every field of the well; the exact Shapley values over all 32
subsets of the five stains then say what each stain adds (Shapley 1953; Lundberg and Lee 2017, arXiv
1705.07874). They add up to the well's cosine less that of a well in which every stain is the controls' mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_cellclip.explore.asked_screen import own_model, require_uncorrected
from napari_cellclip.explore.calibration.robust import RobustSpread
from napari_cellclip.explore.explanation.field_attention import encoded_sites
from napari_cellclip.explore.explanation.query_direction import Asked, unit_direction
from napari_cellclip.explore.explanation.shapley import shapley_values, subsets
from napari_cellclip.explore.wording.direction import cosines
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.screen.progress import Progress, finished
from napari_cellclip.vocabulary import STAINS, ScreenError, split_id

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

WELLS_REMEMBERED = 1024
"""Wells whose subset embeddings are remembered: 64 MB at an embedding of 512."""

STRAIGHT = 1e-3
"""How far, as a share of their range, scores may be off a straight line through rounding."""


SAME_COSINE = 1e-3
"""A well whose fields give another cosine than its stored embedding by more than this has changed since."""


@dataclass(frozen=True, eq=False)
class StainContributions:
    """Contributions of the stains to the scores of wells.

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
        """Convert to units of an answer's score: rows add up to a well's score less that of the baseline.

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


def iter_stain_contributions(
    screen: Screen,
    wells: Iterable[str],
    asked: Asked,
    model: Model | None = None,
) -> Generator[Progress, None, StainContributions]:
    """Compute what each of the five stains adds to the match of wells; may be closed after any well.

    Embeddings of a well's 32 subsets are remembered, so another question about the same wells is answered at
    once.

    Parameters
    ----------
    screen : Screen
        With the features of these wells' fields.
    wells : iterable of str
        Ids. Those without an encoded field are left out, and counted in the notes.
    asked : ndarray (E,), or sequence of str or Prompt
        The direction that was asked for, or prompts; those that are off are not used.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.

    Yields
    ------
    Progress
        After each well; the published head takes seconds for one on a processor.

    Returns
    -------
    StainContributions

    Raises
    ------
    ScreenError
        If the screen has no such well, none of the wells has an encoded field, or the model is not the
        screen's.
    """
    require_uncorrected(screen, "explanations")
    model = own_model(screen, model)
    unit = unit_direction(asked, model)
    chosen = list(dict.fromkeys(wells))
    sites = encoded_sites(screen, chosen)
    there = [well for well in chosen if well in sites]
    if not there:
        raise ScreenError(
            f"there is nothing to explain in screen {screen.name}: none of these wells has an encoded field"
        )
    notes: list[str] = []
    absent: dict[str, NDArray[np.float32]] = {}
    values = np.empty((len(there), 1 << len(STAINS)))
    for i, well in enumerate(there):
        plate = split_id(well)[0]
        if plate not in absent:
            absent[plate], note = control_features(screen, plate)
            notes += note
        embedded = _embed_subsets(model, screen.features(sites[well]), absent[plate])
        values[i] = embedded @ unit.astype(np.float64)
        yield Progress(i + 1, len(there), f"explaining {well}", well, stage="explanation")
    if left_out := len(chosen) - len(there):
        notes.append(f"{left_out} of {len(chosen)} wells have no encoded field and are left out.")
    stored = cosines(screen, unit)
    index = pd.Index(there, name="well_id")
    rows = screen.wells.index.get_indexer(index)
    if (changed := np.abs(stored[rows] - values[:, -1]) > SAME_COSINE).any():
        notes.append(
            f"{int(changed.sum())} wells have other fields now than when they were embedded "
            f"({there[int(changed.argmax())]} is the first): finish encoding the screen."
        )
    order = [model.card.stain_order.index(stain) for stain in STAINS]
    shares = shapley_values(values)[:, order]
    return StainContributions(
        cosine=pd.DataFrame(shares, index=index, columns=[str(stain) for stain in STAINS]),
        value=pd.Series(values[:, -1], index=index),
        baseline=pd.Series(values[:, 0], index=index),
        spread=pd.Series(_spreads(screen, stored)[rows], index=index),
        notes=tuple(dict.fromkeys(notes)),
    )


def stain_contributions(
    screen: Screen,
    wells: Iterable[str],
    asked: Asked,
    model: Model | None = None,
    *,
    standardised: bool = False,
) -> pd.DataFrame:
    """Compute what each stain adds to the cosine of wells.

    Other parameters and errors as :func:`iter_stain_contributions`.

    Parameters
    ----------
    standardised : bool
        In units of the score of the hit table instead of the cosine.

    Returns
    -------
    DataFrame
        One row per well, one column per stain.

    Examples
    --------
    >>> stain_contributions(screen, ["P1/B03"], answer.prompts)      # doctest: +SKIP
    """
    found = finished(iter_stain_contributions(screen, wells, asked, model))
    return found.score if standardised else found.cosine


def control_features(screen: Screen, plate: str) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Compute mean features of a plate's negative controls, float32 (5, D), and a note where it has none.

    Raises
    ------
    ScreenError
        If the plate has no encoded field.
    """
    fields = screen.fields
    here = fields["Metadata_Plate"] == plate
    sites = fields.index[here & fields["Metadata_Well_id"].isin(screen.control_ids)].tolist()
    notes: tuple[str, ...] = ()
    if not sites:
        sites = fields.index[here].tolist()
        notes = (
            f"Plate {plate} has no encoded negative control: an absent stain is the mean of all its wells.",
        )
    if not sites:
        raise ScreenError(f"plate {plate} of screen {screen.name} has no encoded field to compare with")
    return screen.features(sites).mean(axis=0, dtype=np.float64).astype(np.float32), notes


def _spreads(screen: Screen, cosine: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute by well the spread of the cosines of its plate's controls, of all its wells if too few."""
    codes, names = screen.plate_codes
    known = np.isfinite(cosine)
    of_controls, of_all = (
        RobustSpread.of(cosine[which], codes[which], len(names)).spread
        for which in (known & screen.negative_controls, known)
    )
    return np.where(np.isnan(of_controls), of_all, of_controls)[codes]


_subset_embeddings: LRUCache[tuple[str, bytes], NDArray[np.float32]] = LRUCache(WELLS_REMEMBERED)
_lock = Lock()


def _embed_subsets(
    model: Model, bag: NDArray[np.float32], absent: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Embed a well with every subset of its stains, unit length (32, E); remembered by content."""
    digest = hashlib.blake2b(np.ascontiguousarray(bag).data, digest_size=16)
    digest.update(np.ascontiguousarray(absent).data)
    key = (model.card.card_hash, digest.digest())
    with _lock:
        unit = _subset_embeddings.get(key)
    if unit is None:
        present = subsets(bag.shape[1])
        embeddings = model.embed_wells([np.where(row[None, :, None], bag, absent) for row in present])
        unit = unit_rows(embeddings)
        with _lock:
            _subset_embeddings[key] = unit
    return unit.astype(np.float64)


def _slope(line: pd.DataFrame) -> float:
    """Compute the score that a cosine of 1 is worth; NaN where scores are no straight line of the cosine."""
    x, y = line["cosine"].to_numpy(float), line["score"].to_numpy(float)
    low, high = int(x.argmin()), int(x.argmax())
    if not x[high] > x[low]:
        return float("nan")
    slope = (y[high] - y[low]) / (x[high] - x[low])
    off = np.abs(y - y[low] - slope * (x - x[low])).max()
    return float(slope) if off <= STRAIGHT * np.ptp(y) else float("nan")
