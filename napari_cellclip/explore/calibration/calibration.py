"""p-values of a question for each treatment and dose of a screen.

A treatment must pass two tests, and the larger p counts (an intersection-union test, Berger 1982).

* *It does something that control wells do not.* The mean of its wells' standard scores is compared with sets
  of as many control wells of the same plates
  (:class:`napari_cellclip.explore.calibration.nulls.control_null.ControlNull`); or, if it went towards what
  is asked, its difference in all directions with that of controls
  (:func:`napari_cellclip.explore.calibration.activity.activity`), the smaller p of the two being doubled.
* *This text fits it better than other texts would.* The cosine with the mean of its wells is compared
  with those of directions drawn from the spread of the background prompts
  (:class:`napari_cellclip.explore.calibration.nulls.random_directions.RandomDirections`); the wells stay as
  they are, so replicates, plates and positions are preserved. The wells of a dose are taken together with
  those of the higher doses of its treatment, which support it or speak against it (what fits at a low dose
  only is not what the compound does); and 95 % of the directions must fit the dose's own wells less well.

If the model card carries an empirical null, the second p is read off it:
:class:`napari_cellclip.explore.calibration.nulls.empirical_null.EmpiricalNull`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.activity import activity
from napari_cellclip.explore.calibration.measured import Measure, ToMeasure, measure
from napari_cellclip.explore.calibration.nulls.control_null import ControlNull, Pattern, upper_tail
from napari_cellclip.explore.calibration.nulls.empirical_null import EmpiricalNull
from napari_cellclip.explore.calibration.nulls.random_directions import DIRECTIONS, RandomDirections
from napari_cellclip.explore.calibration.q_values import FILTER_P, inactive_left_out, p_after_filter, q_values
from napari_cellclip.explore.calibration.query_scores import QueryPart, QueryScores
from napari_cellclip.explore.calibration.replicates import ReplicateGroups
from napari_cellclip.explore.compiled import in_threads
from napari_cellclip.explore.vectors.well_vectors import WellVectors
from napari_cellclip.model.unit_vectors import unit_rows

OWN_FIT = 0.05
"""Share of random directions up to which a dose, by itself, may lean on higher doses of its treatment."""


@dataclass(frozen=True)
class SelectionScores:
    """Scores and p-values of some wells, tested together, for several directions.

    Attributes
    ----------
    cosine, score, p : ndarray of float64 (V,)
        Of the mean of the wells, its mean standard score, and p; NaN where it cannot be told.
    smallest_p : float
        The smallest p that these wells could have got; NaN where they can have none.
    """

    cosine: NDArray[np.float64]
    score: NDArray[np.float64]
    p: NDArray[np.float64]
    smallest_p: float


@dataclass(frozen=True)
class _Fit:
    """Share of random directions that fit each treatment as well, its p, and the smallest that p can be."""

    share: NDArray[np.float64]
    p: NDArray[np.float64]
    smallest_p: float


class Calibration:
    """Everything that p-values of a screen's questions are computed from; depends on no question.

    Parameters
    ----------
    vectors : WellVectors
        Unit embeddings of the n wells.
    wells : DataFrame
        Their rows of the plate map; see
        :class:`napari_cellclip.explore.calibration.replicates.ReplicateGroups`.
    plates : ndarray of int (n,)
        Plate of each well.
    names : sequence of str
        Plates.
    controls : ndarray of bool (n,)
        Negative controls.
    bank : ndarray of float32 (B, E)
        Unit embeddings of the background prompts.
    empirical_null : EmpiricalNull, optional
        Of the model.
    seed : int
        Of random directions and control sets.
    by_example : bool
        Whether the bank are treatments of the screen itself, for questions by example.
    directions : RandomDirections, optional
        Of that bank and seed, if they are drawn already.
    measured_by : callable
        Measures the screen, or reads what was measured before.
    """

    def __init__(
        self,
        vectors: WellVectors,
        wells: pd.DataFrame,
        plates: NDArray[np.integer],
        names: Sequence[str],
        controls: NDArray[np.bool_],
        bank: NDArray[np.float32],
        *,
        empirical_null: EmpiricalNull | None = None,
        seed: int = 0,
        by_example: bool = False,
        directions: RandomDirections | None = None,
        measured_by: Measure = measure,
    ) -> None:
        self.vectors, self.bank, self.seed, self.empirical_null = vectors, bank, seed, empirical_null
        self.by_example = by_example
        self._controls, self.wells = controls, wells
        self.plates = np.asarray(plates, np.intp)
        self.replicates = ReplicateGroups.of(wells, self.plates)
        self._asked = ToMeasure(
            vectors, self.replicates, self.plates, names, controls, bank, seed, directions
        )
        self.measured = found = measured_by(self._asked)
        self.scale, self.activity, self.null_sizes = found.scale, found.activity, found.null_sizes
        self.n_controls = int((controls & np.isfinite(self.scale.base)[self.plates]).sum())
        self.left_out = inactive_left_out(self.activity, self.null_sizes > 0)

    @property
    def directions(self) -> RandomDirections:
        """Random directions; drawn when first asked for, as a question of one text needs none."""
        return self._asked.directions

    @cached_property
    def control_null(self) -> ControlNull:
        """Scores of sets of controls."""
        null = self._asked.control_null(self.scale)
        if self.measured.pooled:
            for pattern, scores in zip(self._asked.patterns(null), self.measured.pooled, strict=True):
                null.remember(pattern, scores)
        return null

    @cached_property
    def _patterns(self) -> dict[Pattern, NDArray[np.intp]]:
        """Which treatments share a null, where these are few."""
        found = self._asked.patterns(self.control_null)
        return {pattern: np.asarray(members, np.intp) for pattern, members in found.items()}

    def _pattern(self, rows: NDArray[np.intp]) -> Pattern | None:
        """Plate and number of wells on it; ``None`` if one of the plates has too few controls."""
        plates, counts = np.unique(self.plates[rows], return_counts=True)
        if not all(self.control_null.has_enough(int(plate)) for plate in plates):
            return None
        return tuple(zip(plates.tolist(), counts.tolist(), strict=True))

    @cached_property
    def treatment_ids(self) -> pd.Index:
        """Ids of the wells of each treatment and dose, joined by ``|``."""
        return self._joined(np.arange(len(self.replicates)))

    def ids_of(self, treatments: NDArray[np.intp]) -> pd.Index:
        """Ids of the wells of some treatments at a dose, joined by ``|``."""
        if len(treatments) == len(self.replicates):
            return self.treatment_ids[treatments]
        return self._joined(treatments)

    def _joined(self, treatments: NDArray[np.intp]) -> pd.Index:
        return pd.Index(self.replicates.joined_ids(self._ids, treatments), name="wells")

    @cached_property
    def _ids(self) -> NDArray[np.object_]:
        return self.wells.index.to_numpy(object)

    @cached_property
    def controls_in_few_columns(self) -> bool:
        """Whether controls fill at most two columns of plates that use many more."""
        if "Metadata_Column" not in self.wells or not self._controls.any():
            return False
        column = self.wells["Metadata_Column"]
        return bool(column[self._controls].nunique() <= 2 and column.nunique() > 6)

    @cached_property
    def n_tested(self) -> int:
        """Treatments that have a p and are not left out as inactive."""
        return int((~self.left_out & (self.null_sizes > 0)).sum())

    @cached_property
    def active(self) -> NDArray[np.bool_]:
        """Mask of treatments that differ from controls, bool (T,); all if controls are too few to tell."""
        return np.asarray(~(self.activity > FILTER_P), bool)

    def q_values(self, scores: QueryScores, tested: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Compute q of the treatments, over those that are tested and not left out as inactive; NaN else."""
        p = scores.p_after_filter
        return q_values(p if tested is None else np.where(tested, p, np.nan), self.left_out)

    def score_part(self, part: QueryPart) -> QueryScores:
        """Compute scores and p-values of one part of a question."""
        if len(part.vectors) > 1:
            return self.score_best(np.stack(part.vectors))
        return self.score(part.vectors[0], part.weights)

    def score(self, vector: NDArray[np.floating], weights: tuple[float, ...] = (1.0,)) -> QueryScores:
        """Compute scores and p-values of one direction for every well and treatment.

        Parameters
        ----------
        vector : ndarray (E,)
            Of length 1.
        weights : tuple of float
            Of the texts it is the sum of; random directions are summed alike.
        """
        vector = np.asarray(vector, np.float32)
        cosine = self.vectors.products(vector)
        mixed = None if weights == (1.0,) else self.directions.mixed(weights, self.seed)
        share = self._random_share(cosine, mixed)
        null = self.empirical_null if weights == (1.0,) else None
        fit = _Fit(share, share, self._smallest_share)
        if null is not None:
            fit = _Fit(share, null.p_values(share), null.smallest_p)
        return self._scores(cosine, fit)

    def score_best(self, vectors: NDArray[np.floating]) -> QueryScores:
        """Compute scores and p-values of the best of several directions (k, E) for every well."""
        cosines = np.stack([self.vectors.products(v) for v in np.asarray(vectors, np.float32)])
        share = _best_of(len(cosines), np.min([self._random_share(own) for own in cosines], axis=0))
        smallest = float(_best_of(len(cosines), np.array([self._smallest_share]))[0])
        return self._scores(cosines.max(axis=0), _Fit(share, share, smallest))

    def score_selection(self, rows: NDArray[np.intp], vectors: NDArray[np.floating]) -> SelectionScores:
        """Compute scores and p-values of some wells together, whatever their treatments.

        Parameters
        ----------
        rows : ndarray of int (m,)
            The wells.
        vectors : ndarray (V, E)
            Of length 1.
        """
        vectors = np.asarray(vectors, np.float32)
        point = unit_rows(self.vectors.rows(rows).mean(axis=0, dtype=np.float64)[None])
        cosine = (vectors @ point[0]).astype(np.float64)
        score = np.array([self.scale(self.vectors.products(v).astype(float))[rows].mean() for v in vectors])
        pattern = self._pattern(rows)
        if pattern is None:
            return SelectionScores(cosine, score, np.full(len(vectors), np.nan), float("nan"))
        null = self.control_null.of(pattern)
        starts = np.array([0, len(rows)], np.intp)
        active = activity(self.vectors, self.plates, self._controls, self.bank, rows, starts)
        inactivity = inactivity_p(upper_tail(null, score), np.broadcast_to(active, score.shape), score)
        fit = np.concatenate([self.directions.share_as_near(point, value[None]) for value in cosine])
        least = self._smallest_share
        if self.empirical_null is not None:
            fit, least = self.empirical_null.p_values(fit), self.empirical_null.smallest_p
        smallest = inactivity_p(np.array([1 / (1 + len(null))]), active, np.ones(1))
        return SelectionScores(cosine, score, np.maximum(inactivity, fit), max(float(smallest[0]), least))

    def z(self, score: NDArray[np.floating], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Tell how far scores stand out of those that background prompts give the same wells.

        Parameters
        ----------
        score : ndarray (m,)
            Of some wells.
        rows : ndarray of int (m,)
            Which ones.

        Returns
        -------
        ndarray of float64 (m,)
            NaN where the scores of background prompts do not differ.
        """
        spread = self.measured.well_spread[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, (score - self.measured.well_median[rows]) / spread, np.nan)

    @cached_property
    def _smallest_inactivity(self) -> NDArray[np.float64]:
        least = np.where(self.null_sizes > 0, 1 / (1.0 + self.null_sizes), np.nan)
        return inactivity_p(least, self.activity, np.ones(len(self.replicates)))

    @property
    def _smallest_share(self) -> float:
        return 1 / (self.n_directions + 1)

    @property
    def n_directions(self) -> int:
        """Random directions that treatments are compared with."""
        return DIRECTIONS if self._asked.drawn is None else len(self._asked.drawn.drawn)

    def near(self, cosine: NDArray[np.floating], *, upward: bool = False) -> NDArray[np.float64]:
        """Compute the cosine of each treatment's mean vector, given those of the wells."""
        # The mean cosine of wells is the cosine with their mean, but for its length: no second product.
        lengths = self.measured.upward_lengths if upward else self.measured.lengths
        return self.replicates.means(cosine, upward=upward) / lengths

    def _random_share(
        self, cosine: NDArray[np.float32], mixed: RandomDirections | None = None
    ) -> NDArray[np.float64]:
        """Share of random directions that fit each treatment, with its higher doses, at least as well."""
        groups = self.replicates
        if not len(groups):
            return np.zeros(0)
        share = self._share_as_near(self.near(cosine), mixed)
        if groups.higher.any():
            together = self._share_as_near(self.near(cosine, upward=True), mixed, upward=True)
            alone = share[groups.higher]
            share[groups.higher] = np.where(alone <= OWN_FIT, together, np.maximum(alone, together))
        return share

    def _share_as_near(
        self, near: NDArray[np.float64], mixed: RandomDirections | None, *, upward: bool = False
    ) -> NDArray[np.float64]:
        """Share of the kept directions, or of others, at least as near to each treatment as the question."""
        if mixed is None:
            return (self.measured.above if upward else self.measured.own).share_as_near(near)
        blocks = self._asked.directions_of(upward=upward)
        return np.concatenate([mixed.share_as_near(points, near[some]) for some, points, _ in blocks])

    def _along(self, treatment_score: NDArray[np.float64]) -> NDArray[np.float64]:
        """P of each treatment's score among sets of controls; NaN where there are too few."""
        along = np.full(len(treatment_score), np.nan)
        if tails := self.measured.tails:
            if len(tails) == 1 and len(tails[0][1]) == len(along):
                return tails[0][0].share_as_near(treatment_score, tails[0][2])
            for table, members, rows in tails:
                along[members] = table.share_as_near(treatment_score[members], rows)
            return along
        for pattern, alike in self._patterns.items():
            along[alike] = upper_tail(self.control_null.of(pattern), treatment_score[alike])
        return along

    def _scores(self, cosine: NDArray[np.float32], fit: _Fit) -> QueryScores:
        """Standard scores and the p of doing nothing, beside what was found of random directions."""
        score = self.scale(cosine)
        if not len(self.replicates):
            none = np.zeros(0)
            return QueryScores(cosine, score, none, none, none, none, none)
        treatment_score = self.replicates.means(score)
        along = self._along(treatment_score)
        filtered = bool(self.left_out.any())
        p = np.empty(len(along))
        p_filtered = np.empty(len(along)) if filtered else p

        def both(first: int, last: int) -> None:
            here = slice(first, last)
            inactivity = inactivity_p(along[here], self.activity[here], treatment_score[here])
            np.maximum(inactivity, fit.p[here], out=p[here])
            if filtered:
                p_filtered[here] = p_after_filter(inactivity, fit.p[here], filtered=True)

        in_threads(both, len(along))
        smallest = np.maximum(self._smallest_inactivity, fit.smallest_p)
        return QueryScores(cosine, score, treatment_score, p, p_filtered, smallest, fit.share)


def inactivity_p(
    along: NDArray[np.float64], activity: NDArray[np.float64], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Combine two p-values of doing nothing: the smaller one, doubled, if the score went up; else `along`."""
    smaller = np.minimum(along, activity)  # NaN where either is
    towards = (score > 0) & (smaller <= 1)
    return np.where(towards, np.minimum(2 * smaller, 1.0), along)


def _best_of(k: int, smallest: NDArray[np.float64]) -> NDArray[np.float64]:
    """P of the best of k independent tries: 1 - (1 - p)^k of the smallest p."""
    return np.asarray(-np.expm1(k * np.log1p(-np.minimum(smallest, 1 - 1e-12))), np.float64)
