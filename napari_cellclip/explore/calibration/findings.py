"""Tables, verdict and notes of a question that is already put into directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.calibration.limits import limits_of, why_not_tested
from napari_cellclip.explore.calibration.q_values import QValues
from napari_cellclip.explore.calibration.query_scores import QueryPart, QueryScores, combine_parts, combine_z
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.explore.wording.filters import Filters

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

BLOCK = 1024
"""Wells of which the best is looked for first, where the best of many are asked for."""


@dataclass(frozen=True)
class Findings:
    """Results of the tests of a question; see :class:`napari_cellclip.explore.Answer` for each attribute."""

    verdict: Verdict
    scores: pd.DataFrame
    treatments_table: pd.DataFrame
    null: dict[str, Any]
    notes: tuple[str, ...]

    def as_ranking(self, why: str) -> Findings:
        """Withdraw all q-values and the verdict, and say why; scores and p stay."""
        return replace(
            self,
            verdict=Verdict.NOT_TESTED,
            scores=self.scores.assign(q=np.nan),
            treatments_table=self.treatments_table.assign(q=np.nan),
            notes=(why, *self.notes),
        )


def find(
    screen: Screen,
    calibration: Calibration,
    parts: Sequence[QueryPart],
    *,
    fdr: float,
    filters: Filters | None = None,
    examples: Sequence[str] = (),
    out_of_vocabulary: Sequence[str] = (),
    top: int | None = None,
) -> Findings:
    """Score wells, test treatments and decide on a verdict.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    calibration : Calibration
        Of that screen.
    parts : sequence of QueryPart
        At least one, the first being what is asked.
    fdr : float
        Accepted false-discovery rate.
    filters : Filters, optional
        Wells outside them are neither listed nor tested.
    examples : sequence of str
        Wells whose treatments are not tested.
    out_of_vocabulary : sequence of str
        Texts of the question that are not in the model's vocabulary; with any of them nothing is tested.
    top : int, optional
        List only so many wells, and so many treatments where fewer match.
    """
    wells = calibration.wells
    of_parts = [calibration.score_part(part) for part in parts]
    found = combine_parts(of_parts, parts)
    selected = filters.mask(wells) if filters is not None and filters else np.ones(len(wells), bool)
    groups = calibration.replicates
    tested = np.ones(len(groups), bool)
    if len(groups) and not selected.all():
        tested = np.logical_and.reduceat(selected[groups.rows], groups.starts[:-1])
    if len(groups) and examples:
        own = wells.index.isin(list(examples))
        tested &= ~np.logical_or.reduceat(own[groups.rows], groups.starts[:-1])
    has_p = np.zeros(len(groups), bool) if out_of_vocabulary else tested
    q = QValues.of(_counted(has_p, found.p_after_filter), calibration.left_out)
    verdict = Verdict.NOT_SIGNIFICANT if out_of_vocabulary else Verdict.of(np.array([q.smallest]), fdr)
    notes = limits_of(
        screen, calibration, filters=filters, selected=selected, out_of_vocabulary=out_of_vocabulary
    )
    if verdict is Verdict.NOT_TESTED:
        notes.append(why_not_tested(calibration, tested))
    return Findings(
        verdict,
        _wells_table(calibration, found, q, _best_wells(found, selected, top), of_parts, parts),
        _treatments_table(calibration, found, _counted(has_p, found.p), q, tested, fdr, top),
        describe_null(screen, calibration, found.smallest_p, all(part.is_single_text for part in parts)),
        tuple(notes),
    )


def _counted(there: NDArray[np.bool_], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p where it counts, and NaN elsewhere."""
    return p if there.all() else np.where(there, p, np.nan)


def best_first(
    z: NDArray[np.floating], cosine: NDArray[np.floating], top: int | None = None
) -> NDArray[np.intp]:
    """Order by score; wells without one come after those that have one, by cosine; ties as they stand.

    Parameters
    ----------
    z, cosine : ndarray (n,)
        Scores, and what decides without one.
    top : int, optional
        Return only so many; the others are not put into order.
    """
    if top is not None and 0 < top < len(z):
        near = _largest(z if not np.isnan(z.min()) else np.where(np.isnan(z), -np.inf, z), top)
        return np.asarray(near[best_first(z[near], cosine[near])][:top], np.intp)
    order = np.argsort(-z)  # several times faster than a stable sort, and sorts NaN last
    known = z[order]
    if len(known) and (np.isnan(known[-1]) or (known[1:] == known[:-1]).any()):
        order = np.lexsort((-cosine, -np.nan_to_num(z, nan=-np.inf)))
    return order[:top]


def _largest(values: NDArray[np.floating], top: int) -> NDArray[np.intp]:
    """Find the largest values, and all that tie with the last of them; none is NaN."""
    if (blocks := len(values) // BLOCK) > top:
        # So many blocks have a value at least this large that all others can be left out.
        largest = values[: blocks * BLOCK].reshape(blocks, BLOCK).max(axis=1)
        some = np.flatnonzero(values >= np.partition(largest, blocks - top)[blocks - top])
    else:
        some = np.arange(len(values))
    own = values[some]
    return np.asarray(some[own >= np.partition(own, len(own) - top)[len(own) - top]], np.intp)


def _best_wells(found: QueryScores, selected: NDArray[np.bool_], top: int | None) -> NDArray[np.intp]:
    if selected.all():
        return best_first(found.score, found.cosine, top)
    rows = np.flatnonzero(selected)
    return rows[best_first(found.score[selected], found.cosine[selected], top)]


def _wells_table(
    calibration: Calibration,
    found: QueryScores,
    q: QValues,
    order: NDArray[np.intp],
    of_parts: Sequence[QueryScores],
    parts: Sequence[QueryPart],
) -> pd.DataFrame:
    group = calibration.replicates.of_well[order]
    well_q = np.full(len(order), np.nan)
    well_q[group >= 0] = q.at(group[group >= 0])
    return pd.DataFrame(
        {
            "cosine": found.cosine[order].astype(np.float64),
            "score": found.score[order].astype(np.float64),
            "rank": np.arange(1, len(order) + 1),
            "z": combine_z([calibration.z(part.score[order], order) for part in of_parts], parts),
            "q": well_q,
        },
        index=calibration.wells.index[order],
    )


def _treatments_table(
    calibration: Calibration,
    found: QueryScores,
    p: NDArray[np.float64],
    q: QValues,
    tested: NDArray[np.bool_],
    fdr: float,
    top: int | None,
) -> pd.DataFrame:
    shown, significant = tested, q.significant(fdr)
    if top is not None and top < len(p):
        # No treatment with a larger p than the last of the best, or of those that match, is listed.
        own = p if tested.all() else p[tested]
        at = min(max(top, 1), len(own)) - 1
        least = np.partition(own, at)[at] if len(own) else np.nan  # NaN comes last
        if not np.isnan(least):
            shown = tested & ((p <= least) | significant)
    order = np.flatnonzero(shown)
    best = (-np.nan_to_num(found.treatment_score[order], nan=-np.inf), np.nan_to_num(p[order], nan=2.0))
    order = order[np.lexsort(best)]
    if top is not None:
        order = order[: max(top, int(significant[order].sum()))]
    table = calibration.replicates.table
    return pd.DataFrame(
        {
            **{name: table[name].to_numpy()[order] for name in ("treatment", "dose", "n_wells", "n_plates")},
            "score": found.treatment_score[order],
            "p": p[order],
            "q": q.at(order),
            "smallest_p": found.smallest_p[order],
            "active": calibration.active[order],
        },
        index=calibration.ids_of(order),
    )


def describe_null(
    screen: Screen, calibration: Calibration, smallest_p: NDArray[np.float64], single_text: bool
) -> dict[str, Any]:
    """List what p-values were computed from, so that every figure can be traced.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    calibration : Calibration
        Of that screen.
    smallest_p : ndarray (T,)
        Smallest p that could be reached; NaN where there can be none.
    single_text : bool
        Whether the model's empirical null was used: it speaks of single texts.
    """
    measured = calibration.empirical_null if single_text else None
    of = "the screen's treatments" if calibration.by_example else "background prompts"
    kind = f"sets of control wells, and directions drawn from the spread of {of}"
    return {
        "kind": kind + (", converted by the model's empirical null" if measured else ""),
        "n": calibration.n_directions,
        "control_wells": calibration.n_controls,
        "control_scores": int(calibration.null_sizes.max(initial=0)),
        "background": len(calibration.bank),
        "empirical_null": measured.data if measured else "",
        "empirical_null_pairs": measured.pairs if measured else 0,
        "tested": calibration.n_tested,
        "seed": calibration.seed,
        "smallest_p": float(np.fmin.reduce(smallest_p, initial=np.nan)),
        "model": screen.card.name,
        "model_card": screen.card.card_hash,
    }
