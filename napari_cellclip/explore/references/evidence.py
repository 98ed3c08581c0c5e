"""Answer a question by look-alikes: which treatments resemble the reference treatments that it names?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.findings import Findings
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.explore.references.look_alike_tables import treatments_table, wells_table
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.match_probability import q_values
from napari_cellclip.explore.references.probability.recognisable import Recognisable, recognisable
from napari_cellclip.explore.references.reference_notes import limits_of_references, no_reference
from napari_cellclip.explore.references.reference_set import ReferenceSource
from napari_cellclip.explore.references.referenced_screen import ReferencedScreen
from napari_cellclip.explore.references.selection import NamedReferences
from napari_cellclip.explore.wording.filters import Filters
from napari_cellclip.explore.wording.query_grammar import Term
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

NOT_FROM = 0.5
"""Probability of sharing what must not be shared from which a treatment cannot match."""


@dataclass(frozen=True, eq=False)
class ReferenceEvidence:
    """Evidence of an answer by look-alikes.

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
    seed : int
        Of the permutations that test whether the references resemble each other.

    Raises
    ------
    CellClipError
        If no reference carries what is asked.
    """
    found = beside.look_alikes
    chosen = [(term, beside.select(term.text).without(ticked_off, found)) for term in terms]
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
            shared, shared_p = beside.model.probability(more), beside.model.p_values(more)
            vetoed = (shared >= NOT_FROM) | (shared_p <= fdr)
            untold = np.isnan(shared) & np.isnan(shared_p)
            score = np.where(untold, np.fmin(score, -more.score), score)
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
    untested = ~_recognised_without(found, members, seed) if gate.open else np.zeros(len(p), bool)
    q = q_values(np.where(untested, np.nan, p), probability)
    verdict = Verdict.of(q, fdr)
    if not gate.open and verdict is not Verdict.NOT_TESTED:
        verdict = Verdict.NOT_SIGNIFICANT
    notes = [note for _, selection in chosen for note in selection.notes]
    notes += limits_of_references(beside, gate, verdict)
    if n := int((untested & tested).sum()):
        notes.append(
            f"{n} treatments are references themselves and are ranked but not tested: without them the other"
            " references are too few, or do not resemble each other."
        )
    table = treatments_table(beside, scores, score, p, q, probability, members, tested)
    findings = Findings(
        verdict,
        wells_table(beside, members, q, selected),
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


def _recognised_without(found: LookAlikes, members: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Tell whether the references resemble each other without a treatment that is one of them, bool (T,)."""
    own = found.same_treatment & members
    out = np.ones(len(own), bool)
    for pattern in np.unique(own[own.any(axis=1)], axis=0):
        out[(own == pattern).all(axis=1)] = recognisable(found, members & ~pattern, seed=seed).open
    return out


def _evidence(
    beside: ReferencedScreen,
    chosen: Sequence[tuple[Term, NamedReferences]],
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
