"""Whether wells answer a question: p for each treatment and dose, q, and a verdict.

A treatment must pass two tests, and the larger p counts (an intersection-union test, Berger 1982).

* *It does something that control wells do not.* The mean of its wells' standard scores is compared with sets
  of as many control wells of the same plates
  (:class:`napari_cellclip.explore.calibration.null.ControlNull`); or, if it
  went towards what is asked, its difference in all directions with that of controls
  (:func:`napari_cellclip.explore.calibration.activity.activity`), the smaller p of the two being doubled.
* *This text fits it better than other texts would.* The cosine with the mean of its wells is compared
  with those of directions drawn from the spread of the background prompts
  (:class:`napari_cellclip.explore.calibration.null.Decoys`); the wells stay as they are, so replicates,
  plates and positions are kept. The wells of a dose are taken together with those of the higher doses of its
  treatment, which support it or speak against it (what fits at a low dose only is not what the compound
  does); and 95 % of the directions must fit the dose's own wells less well.

Where the model card carries a reference (how often known texts fit treatments they do not describe, on plates
with known answers that are nobody's own), the second p is read off it: see :class:`Reference`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.activity import activity
from napari_cellclip.explore.calibration.background import background_vectors
from napari_cellclip.explore.calibration.blocks import Blocks, block_means
from napari_cellclip.explore.calibration.null import (
    ControlNull,
    DecoyCosines,
    Decoys,
    benjamini_hochberg,
    upper_tail,
)
from napari_cellclip.explore.calibration.robust import MAD_TO_SD
from napari_cellclip.explore.calibration.scale import PlateScale
from napari_cellclip.explore.maps.neighbours import unit_rows

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

ACTIVE = 0.1
"""p of having no effect at all below which a treatment is worth asking about."""

REFERENCE = "query-null"
"""Key of a model card's scores under which its reference is kept."""

OWN_FIT = 0.05
"""Share of decoys up to which a dose, by itself, may lean on higher doses of its treatment."""

EXAMPLES = 200
"""Treated wells that stand for what else could look like an example."""


@dataclass(frozen=True)
class Reference:
    """How often texts that a model knows fit treatments which they do not describe, on labelled plates.

    A share of decoys is exact against texts that mean nothing. Texts that a model was trained on lie apart
    from each other, so for them it is too large; by how much can be measured where answers are known: a p is
    then the share of wrong pairs of text and treatment at least as small (a conformal p-value; Bates et al.
    2023, doi:10.1214/22-AOS2244). The plates it was measured on are never those that are asked.

    Attributes
    ----------
    decoy : ndarray of float64 (k,)
        Rising shares of decoys.
    share : ndarray of float64 (k,)
        Share of wrong pairs up to each of them.
    pairs : int
        Wrong pairs it was measured on.
    data : str
        On which plates.
    """

    decoy: NDArray[np.float64]
    share: NDArray[np.float64]
    pairs: int
    data: str

    @classmethod
    def of_card(cls, scores: dict[str, Any]) -> Reference | None:
        """Read off a model card's scores; ``None`` where it has none."""
        figures = (scores.get(REFERENCE) or {}).get("figures") or {}
        if not figures.get("decoy"):
            return None
        return cls(
            np.asarray(figures["decoy"], np.float64),
            np.asarray(figures["share"], np.float64),
            int(figures["pairs"]),
            str(scores[REFERENCE].get("data", "")),
        )

    @classmethod
    def measured(cls, p: NDArray[np.floating], data: str) -> Reference:
        """From the shares of decoys of wrong pairs."""
        grid = np.concatenate([np.geomspace(1e-4, 0.1, 61), np.linspace(0.12, 1, 23)])
        counts = np.searchsorted(np.sort(np.asarray(p, np.float64)), grid, side="right")
        return cls(grid, (1 + counts) / (1 + len(p)), len(p), data)

    @property
    def smallest(self) -> float:
        """The smallest p it can give."""
        return float(self.share[0])

    def __call__(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Read p off the reference, rounded up to its next step."""
        step = np.searchsorted(self.decoy, np.asarray(p) * (1 - 1e-9), side="left")
        return np.asarray(self.share[np.minimum(step, len(self.share) - 1)], np.float64)


@dataclass(frozen=True)
class Judgement:
    """What one direction is to the treatments of a screen.

    Attributes
    ----------
    cosine, score, z : ndarray of float64 (n,)
        Of each embedded well: cosine, standard score against its plate's controls, and how far that stands
        out of the scores that background prompts give this well.
    block_score, p : ndarray of float64 (T,)
        Mean score of each block, and its p; NaN where it cannot be told.
    decoys : ndarray of float64 (T,)
        Share of decoys that fit a block as well, before the model's reference.
    """

    cosine: NDArray[np.float64]
    score: NDArray[np.float64]
    z: NDArray[np.float64]
    block_score: NDArray[np.float64]
    p: NDArray[np.float64]
    decoys: NDArray[np.float64]


class Calibration:
    """All that a screen's answers are calibrated by; depends on no question.

    Parameters
    ----------
    unit : ndarray of float32 (n, E)
        Unit embeddings of the wells.
    wells : DataFrame
        Their rows of the plate map; see :class:`napari_cellclip.explore.calibration.blocks.Blocks`.
    plates : ndarray of int (n,)
        Plate of each well.
    names : sequence of str
        Plates.
    controls : ndarray of bool (n,)
        Negative controls.
    bank : ndarray of float32 (B, E)
        Unit embeddings of the background prompts.
    reference : Reference, optional
        Of the model.
    seed : int
        Of decoys and control sets.
    by_example : bool
        Whether the bank are treatments of the screen itself, for questions by example.
    decoys : Decoys, optional
        Of that bank and seed, where they are drawn already.
    """

    def __init__(
        self,
        unit: NDArray[np.float32],
        wells: pd.DataFrame,
        plates: NDArray[np.integer],
        names: Sequence[str],
        controls: NDArray[np.bool_],
        bank: NDArray[np.float32],
        *,
        reference: Reference | None = None,
        seed: int = 0,
        by_example: bool = False,
        decoys: Decoys | None = None,
    ) -> None:
        self.unit, self.bank, self.seed, self.reference = unit, bank, seed, reference
        self.by_example = by_example
        self._controls = controls
        self.plates = np.asarray(plates, np.intp)
        self.blocks = Blocks.of(wells, self.plates)
        cosines = unit @ bank.T
        self.scale = PlateScale.of(cosines, self.plates, names, controls)
        self.decoys = decoys or Decoys.of(bank, seed=seed)
        members = np.flatnonzero(controls & np.isfinite(self.scale.base)[self.plates])
        self.n_controls = len(members)
        self.control_null = ControlNull(cosines[members], self.plates[members], self.scale, seed=seed)
        scores = self.scale.of_many(cosines).astype(np.float32)
        self._well_median = np.median(scores, axis=1)
        self._well_spread = MAD_TO_SD * np.median(np.abs(scores - self._well_median[:, None]), axis=1)
        blocks = self.blocks
        points = block_means(unit, blocks.rows, blocks.starts) if len(blocks) else unit[:0]
        self.points = unit_rows(points)
        self.upward = unit_rows(
            block_means(unit, blocks.upward_rows, blocks.upward_starts) if len(blocks) else unit[:0]
        )
        self._gated = np.diff(blocks.upward_starts) > np.diff(blocks.starts)
        self._own = self.decoys.against(self.points)
        self._above = self.decoys.against(self.upward[self._gated])
        self._nulls, self.null_sizes = self._control_sets()
        self.activity = activity(unit, self.plates, controls, bank, blocks.rows, blocks.starts)

    def _control_sets(self) -> tuple[list[NDArray[np.float32] | None], NDArray[np.intp]]:
        """Null scores of each block (shared between blocks alike; ``None`` without), and how many."""
        blocks = self.blocks
        nulls: list[NDArray[np.float32] | None] = []
        sizes = np.zeros(len(blocks), np.intp)
        for i, (start, stop) in enumerate(zip(blocks.starts[:-1], blocks.starts[1:], strict=True)):
            plates, counts = np.unique(self.plates[blocks.rows[start:stop]], return_counts=True)
            if not all(self.control_null.can(int(plate)) for plate in plates):
                nulls.append(None)
                continue
            null = self.control_null.of(tuple(zip(plates.tolist(), counts.tolist(), strict=True)))
            nulls.append(null)
            sizes[i] = len(null)
        return nulls, sizes

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which blocks are worth asking about, bool (T,); all where controls are too few to tell."""
        return np.asarray(~(self.activity > ACTIVE), bool)

    @property
    def smallest_p(self) -> NDArray[np.float64]:
        """The smallest p each block can attain, (T,); NaN where it can have none."""
        least = 1 / (len(self.decoys.drawn) + 1)
        if self.reference is not None:
            least = self.reference.smallest
        with np.errstate(divide="ignore"):
            own = np.where(self.null_sizes > 0, 2 / (1 + self.null_sizes), np.nan)
        return np.asarray(np.maximum(own, least), np.float64)

    def judge(
        self,
        vector: NDArray[np.floating],
        weights: tuple[float, ...] = (1.0,),
        *,
        referable: bool = True,
    ) -> Judgement:
        """Compare one direction with every well and treatment.

        Parameters
        ----------
        vector : ndarray (E,)
            Of length 1.
        weights : tuple of float
            Of the texts it is the sum of; decoys are summed alike.
        referable : bool
            Whether the model's reference may be used: it speaks of single texts.
        """
        vector = np.asarray(vector, np.float32)
        cosine = (self.unit @ vector).astype(np.float64)
        decoys = self.decoys.mixed(weights, self.seed)
        fits = self._fit(decoys, vector)
        return self._judgement(cosine, fits, weights, referable)

    def judge_best(self, vectors: NDArray[np.floating]) -> Judgement:
        """Compare the best of several directions (k, E) with every well; decoys are the best of k too."""
        vectors = np.asarray(vectors, np.float32)
        each = [self._fit(self.decoys, vector) for vector in vectors]
        # The best of k independent tries: 1 - (1 - p)^k of the smallest p.
        least = np.min(each, axis=0)
        fits = -np.expm1(len(vectors) * np.log1p(-np.minimum(least, 1 - 1e-12)))
        cosine = (self.unit @ vectors.T).max(axis=1).astype(np.float64)
        return self._judgement(cosine, fits, (1.0,) * len(vectors), referable=False)

    def judge_together(
        self, rows: NDArray[np.intp], vectors: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Judge some wells together, whatever their treatments, by several directions.

        Parameters
        ----------
        rows : ndarray of int (m,)
            The wells.
        vectors : ndarray (V, E)
            Of length 1.

        Returns
        -------
        cosine, score, p : ndarray of float64 (V,)
            Of the mean of the wells, its mean standard score, and p; NaN where it cannot be told.
        """
        vectors = np.asarray(vectors, np.float32)
        starts = np.array([0, len(rows)], np.intp)
        point = unit_rows(self.unit[rows].mean(axis=0, dtype=np.float64)[None])
        cosine = (vectors @ point[0]).astype(np.float64)
        score = np.array([self.scale((self.unit @ v).astype(np.float64))[rows].mean() for v in vectors])
        plates, counts = np.unique(self.plates[rows], return_counts=True)
        if not all(self.control_null.can(int(plate)) for plate in plates):
            return cosine, score, np.full(len(vectors), np.nan)
        null = self.control_null.of(tuple(zip(plates.tolist(), counts.tolist(), strict=True)))
        active = activity(self.unit, self.plates, self._controls, self.bank, rows, starts)
        inactive = _either(upper_tail(null, score), np.broadcast_to(active, score.shape), score)
        fits = np.concatenate([self.decoys.tail(point, value[None]) for value in cosine])
        if self.reference is not None:
            fits = self.reference(fits)
        return cosine, score, np.maximum(inactive, fits)

    def _fit(self, decoys: Decoys, vector: NDArray[np.float32]) -> NDArray[np.float64]:
        """Share of decoys that fit each block, with its higher doses, at least as well."""
        if not len(self.blocks):
            return np.zeros(0)
        fits = _tail(decoys, self.points, vector, self._own if decoys is self.decoys else None)
        gated = self._gated
        if gated.any():
            kept = self._above if decoys is self.decoys else None
            above = _tail(decoys, self.upward[gated], vector, kept)
            alone = fits[gated]
            fits[gated] = np.where(alone <= OWN_FIT, above, np.maximum(alone, above))
        return fits

    def _judgement(
        self,
        cosine: NDArray[np.float64],
        fits: NDArray[np.float64],
        weights: tuple[float, ...],
        referable: bool,
    ) -> Judgement:
        blocks = self.blocks
        score = self.scale(cosine)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(self._well_spread > 0, (score - self._well_median) / self._well_spread, np.nan)
        if not len(blocks):
            return Judgement(cosine, score, z, np.zeros(0), np.zeros(0), np.zeros(0))
        block_score = block_means(score, blocks.rows, blocks.starts)
        shares = fits
        if self.reference is not None and referable and weights == (1.0,):
            fits = self.reference(fits)
        inactive = np.full(len(blocks), np.nan)
        groups: dict[int, list[int]] = {}
        for i, null in enumerate(self._nulls):
            if null is not None:
                groups.setdefault(id(null), []).append(i)
        for members in groups.values():
            null = cast(NDArray[np.float32], self._nulls[members[0]])
            inactive[members] = upper_tail(null, block_score[members])
        inactive = _either(inactive, self.activity, block_score)
        return Judgement(cosine, score, z, block_score, np.maximum(inactive, fits), shares)

    def q_values(self, p: NDArray[np.float64], kept: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Benjamini-Hochberg over the active blocks (of those kept); 1 for inactive ones, NaN without a p.

        Whether a block is active is seen without the question, and given the wells the second test is exact,
        so leaving inactive blocks out does not bias it (independent filtering; Bourgon et al. 2010).
        """
        asked = np.isfinite(p) & (np.ones(len(p), bool) if kept is None else kept)
        q = benjamini_hochberg(np.where(asked & self.active, p, np.nan))
        q[asked & ~self.active] = 1.0
        return q


def _either(
    along: NDArray[np.float64], activity: NDArray[np.float64], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Smaller p of two tests of inactivity, doubled, for blocks that went towards what is asked."""
    towards = (score > 0) & np.isfinite(along) & np.isfinite(activity)
    return np.where(towards, np.minimum(2 * np.fmin(along, activity), 1.0), along)


def _tail(
    decoys: Decoys,
    points: NDArray[np.float32],
    vector: NDArray[np.float32],
    kept: DecoyCosines | None,
) -> NDArray[np.float64]:
    cosine = points @ vector
    return decoys.tail(points, cosine) if kept is None else kept.tail(cosine)


_KEPT: weakref.WeakKeyDictionary[Any, dict[Any, tuple[Any, Calibration]]] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def calibration_of(screen: Screen, model: Model | None, *, cell_line: str = "", seed: int = 0) -> Calibration:
    """The calibration of a screen, made when first asked for and then kept with the screen.

    Parameters
    ----------
    screen : Screen
        Encoded plates; only wells with an embedding take part.
    model : Model or None
        Embeds the background prompts; ``None`` for questions by example, whose background are the screen's
        own treatments.
    cell_line : str
        Of the background prompts.
    seed : int
        Of decoys and control sets.
    """
    labels = screen.wells
    card = getattr(model, "card", screen.card)
    key = (None if model is None else getattr(card, "card_hash", id(model)), cell_line, seed)
    with _LOCK:
        kept = _KEPT.setdefault(screen, {}).get(key)
        if kept is not None and kept[0] is labels:
            return kept[1]
        there = embedded(screen)
        codes, names = screen.plate_codes
        unit = unit_rows(screen.embeddings[there])
        controls = screen.negative_controls[there]
        if model is None:
            bank = _treatments(unit[~controls] if (~controls).any() else unit, seed)
        else:
            bank = background_vectors(model, screen.card.prompts, cell_line)
        calibration = Calibration(
            unit,
            labels[there],
            codes[there],
            names,
            controls,
            bank,
            reference=None if model is None else Reference.of_card(getattr(card, "scores", None) or {}),
            seed=seed,
            by_example=model is None,
        )
        _KEPT[screen][key] = (labels, calibration)
        return calibration


def _treatments(unit: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """At most `EXAMPLES` of these wells, drawn at random."""
    if len(unit) <= EXAMPLES:
        return unit
    return unit[np.sort(np.random.default_rng([seed, 4]).choice(len(unit), EXAMPLES, replace=False))]


def embedded(screen: Screen) -> NDArray[np.bool_]:
    """Which wells have an embedding, bool (n_wells,)."""
    return np.asarray(np.isfinite(screen.norms) & (screen.norms > 0), bool)
