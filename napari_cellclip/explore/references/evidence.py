"""Answer a question by look-alikes: which treatments resemble the reference treatments that it names?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.findings import Findings, best_first
from napari_cellclip.explore.calibration.match_probability import Precision, SetScores
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.recognisable import Recognisable, recognisable
from napari_cellclip.explore.references.reference_notes import limits_of_references, no_reference
from napari_cellclip.explore.references.reference_set import ACTIVE, ReferenceSource
from napari_cellclip.explore.references.referenced_screen import ReferencedScreen
from napari_cellclip.explore.references.selection import Selection, select
from napari_cellclip.explore.wording.filters import Filters
from napari_cellclip.explore.wording.query_grammar import Term
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

VETO = 0.5
"""Probability of sharing what must not be shared from which a treatment cannot match."""

NEAREST = 3
"""Reference treatments and rival mechanisms that are listed for a treatment."""


@dataclass(frozen=True, eq=False)
class ReferenceEvidence:
    """What an answer by look-alikes rests on.

    Attributes
    ----------
    members : DataFrame
        The references in use: ``name``, ``source``, ``mechanism``, ``genes``, ``dose`` (those used), and
        ``why`` it is among them.
    recognisable : Recognisable
        Whether they find each other on this assay.
    sources : tuple of ReferenceSource
        With licence and attribution.
    references : int
        All reference treatments they were compared among.
    features, all_features : int
        Features used, of those that the screen has.
    structures : bool
        Whether likeness of structures is part of the score.
    """

    members: pd.DataFrame
    recognisable: Recognisable
    sources: tuple[ReferenceSource, ...]
    references: int
    features: int
    all_features: int
    structures: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; numbers that are not finite become ``None``."""
        gate = self.recognisable
        return {
            "members": [
                {str(k): (None if v != v else v) for k, v in row.items()}
                for row in self.members.to_dict("records")
            ],
            "recognisable": {
                "references": gate.references,
                "precision": None if gate.precision != gate.precision else gate.precision,
                "chance": None if gate.chance != gate.chance else gate.chance,
                "p": gate.p,
                "open": gate.open,
            },
            "sources": [vars(source) for source in self.sources],
            "references": self.references,
            "features": self.features,
            "all_features": self.all_features,
            "structures": self.structures,
        }


def find_look_alikes(
    screen: Screen,
    beside: ReferencedScreen,
    terms: Sequence[Term],
    *,
    fdr: float,
    filters: Filters | None = None,
    ticked_off: Sequence[str] = (),
    top: int | None = None,
    seed: int = 0,
) -> tuple[Findings, ReferenceEvidence]:
    """Score wells and treatments by their likeness to the references of a question's terms.

    Parameters
    ----------
    screen : Screen
    beside : ReferencedScreen
        Of that screen.
    terms : sequence of Term
        References of all terms that are summed are one set; those of ``AND`` must be resembled too, those of
        ``NOT`` must not.
    fdr : float
        Accepted false-discovery rate.
    filters : Filters, optional
        Wells outside them are neither listed nor tested.
    ticked_off : sequence of str
        Names of references that are left out.
    top : int, optional
        List only so many wells.
    seed : int
        Of the permutations that test whether the references resemble each other.

    Raises
    ------
    CellClipError
        If no reference carries what is asked.
    """
    found = beside.look_alikes
    chosen = [(term, select(found, term.text).without(ticked_off, found)) for term in terms]
    summed = [s for term, s in chosen if term.role == "sum" and term.weight > 0]
    against = [s for term, s in chosen if term.role == "not" or term.weight < 0]
    also = [s for term, s in chosen if term.role == "and" and term.weight > 0]
    if not summed:
        summed, also = also[:1], also[1:]
    members = np.any([s.members for s in summed], axis=0) if summed else np.zeros(len(found), bool)
    missing = [s.text for s in (*summed, *also) if not s.members.any()]
    if not members.any() or missing:
        raise CellClipError(no_reference(beside, missing or [term.text for term in terms]))
    gate = recognisable(found, members, seed=seed)
    scores = beside.model.scores(members, beside.agreement)
    p, probability = beside.model.p_values(scores), beside.model.probability(scores)
    score = scores.score
    for other in also:
        more = beside.model.scores(other.members, beside.agreement)
        score = np.minimum(score, more.score)
        p = np.maximum(p, beside.model.p_values(more))
        probability = np.minimum(probability, beside.model.probability(more))
        second = recognisable(found, other.members, seed=seed)
        gate = second if second.p > gate.p else gate
    for other in against:
        if other.members.any():
            more = beside.model.scores(other.members, beside.agreement)
            vetoed = (beside.model.probability(more) >= VETO) | (beside.model.p_values(more) <= fdr)
            p, probability = np.where(vetoed, 1.0, p), np.where(vetoed, 0.0, probability)
            score = np.where(vetoed, np.minimum(score, 0.0), score)
    wells = beside.wells
    selected = (
        filters.mask(wells.wells) if filters is not None and filters else np.ones(len(wells.wells), bool)
    )
    groups = found.replicates
    tested = np.ones(len(groups), bool)
    if len(groups):
        tested = np.logical_and.reduceat(selected[groups.rows], groups.starts[:-1])
    p = np.where(tested, p, np.nan)
    q = benjamini_hochberg(p)
    verdict = Verdict.of(q, fdr)
    if not gate.open and verdict is not Verdict.NOT_TESTED:
        verdict = Verdict.NOT_SIGNIFICANT
    notes = [note for _, selection in chosen for note in selection.notes]
    notes += limits_of_references(beside, gate, verdict)
    table = _treatments(beside, scores, score, p, q, probability, members, tested)
    findings = Findings(
        verdict,
        _wells(beside, members, q, selected).iloc[:top],
        table,
        {
            "kind": "active reference treatments that do not carry what is asked, each scored without itself",
            "n": 0 if not beside.model.smallest_p > 0 else round(1 / beside.model.smallest_p) - 1,
            "references": len(found),
            "seed": seed,
            "smallest_p": beside.model.smallest_p,
            "tested": int(np.isfinite(p).sum()),
            "model": screen.card.name,
            "model_card": screen.card.card_hash,
        },
        tuple(notes),
    )
    return findings, _evidence(beside, chosen, members, gate)


def _treatments(
    beside: ReferencedScreen,
    scores: SetScores,
    score: NDArray[np.float64],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    probability: NDArray[np.float64],
    members: NDArray[np.bool_],
    tested: NDArray[np.bool_],
) -> pd.DataFrame:
    found, groups = beside.look_alikes, beside.look_alikes.replicates
    nearest, rivals = _nearest(found, members)
    precisions = [beside.model.precision(value) for value in probability]
    table = groups.table[["treatment", "dose", "n_wells", "n_plates"]].assign(
        score=score,
        p=p,
        q=q,
        smallest_p=np.where(np.isfinite(p), beside.model.smallest_p, np.nan),
        active=~(beside.agreement_p > ACTIVE),
        looks_like=scores.looks_z,
        built_like=scores.built_z,
        probability=probability,
        precision=[_part(found, "share") for found in precisions],
        precision_low=[_part(found, "low") for found in precisions],
        precision_high=[_part(found, "high") for found in precisions],
        precision_n=[0 if found is None else found.n for found in precisions],
        agreement=beside.agreement,
        nearest=nearest,
        rivals=rivals,
    )
    table.index = pd.Index(groups.joined_ids(beside.wells.wells.index.to_numpy(object)), name="wells")
    order = np.lexsort((-np.nan_to_num(score, nan=-np.inf), np.nan_to_num(p, nan=2.0)))
    return table.iloc[order[tested[order]]]


def _part(precision: Precision | None, name: str) -> float:
    return float("nan") if precision is None else float(getattr(precision, name))


def _nearest(found: LookAlikes, members: NDArray[np.bool_]) -> tuple[list[str], list[str]]:
    """Nearest references that carry what is asked, and mechanisms of the nearest ones that do not."""
    likeness = np.where(found.queries.allowed, found.queries.likeness, -np.inf)
    names = np.array(found.names, object)
    nearest, rivals = [], []
    for row in likeness:
        own = [i for i in np.argsort(-row) if members[i] and np.isfinite(row[i])][:NEAREST]
        nearest.append("; ".join(f"{names[i]} ({row[i]:.2f})" for i in own))
        closest = max((row[i] for i in own), default=0.0)
        other: dict[str, float] = {}
        for i in np.argsort(-row):
            if len(other) >= NEAREST or not row[i] > max(0.0, closest - 0.2):
                break
            if not members[i]:
                mechanisms = "/".join(sorted(found.annotated_mechanisms[i])[:2]) or "unannotated"
                other.setdefault(f"{mechanisms}: {names[i]} ({row[i]:.2f})", row[i])
        rivals.append("; ".join(other))
    return nearest, rivals


def _wells(
    beside: ReferencedScreen,
    members: NDArray[np.bool_],
    q: NDArray[np.float64],
    selected: NDArray[np.bool_],
) -> pd.DataFrame:
    """Wells, best first: each scored alone by profiles, in units of the spread of control wells."""
    found = beside.look_alikes
    votes = found.well_scores(members)
    controls = votes[beside.wells.controls]
    spread = max(float(controls.std()), 1e-9)
    score = (votes - float(controls.mean())) / spread
    well_q = np.full(len(votes), np.nan)
    if len(found.replicates):
        well_q[found.replicates.rows] = q[found.replicates.of_row]
    order = np.flatnonzero(selected)
    order = order[best_first(score[selected], votes[selected])]
    return pd.DataFrame(
        {
            "cosine": found.nearest_likeness(members)[order],
            "score": score[order],
            "rank": np.arange(1, len(order) + 1),
            "z": score[order],
            "q": well_q[order],
        },
        index=beside.wells.wells.index[order],
    )


def _evidence(
    beside: ReferencedScreen,
    chosen: Sequence[tuple[Term, Selection]],
    members: NDArray[np.bool_],
    gate: Recognisable,
) -> ReferenceEvidence:
    found = beside.look_alikes
    why = {name: reason for _, selection in chosen for name, reason in selection.reasons.items()}
    rows = found.rows[members[found.rows["group"].to_numpy(np.intp)]]
    table = rows[["name", "source", "mechanism", "genes", "dose"]].assign(
        why=[
            why.get(name, why.get(found.names[group], ""))
            for name, group in zip(rows["name"], rows["group"], strict=True)
        ]
    )
    return ReferenceEvidence(
        table.reset_index(drop=True),
        gate,
        beside.set.sources,
        len(found),
        len(found.features),
        len(beside.wells.features),
        beside.model.structures,
    )
