"""Write the tables of an answer by look-alikes: treatments with their evidence, and wells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.findings import best_first
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.match_probability import Precision
from napari_cellclip.explore.references.probability.set_scores import SetScores
from napari_cellclip.explore.references.reference_set import ACTIVE
from napari_cellclip.explore.references.referenced_screen import ReferencedScreen

NEAREST = 3
"""Reference treatments and rival mechanisms that are listed for a treatment."""


def treatments_table(
    beside: ReferencedScreen,
    scores: SetScores,
    score: NDArray[np.float64],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    probability: NDArray[np.float64],
    members: NDArray[np.bool_],
    tested: NDArray[np.bool_],
) -> pd.DataFrame:
    """Make the table of treatments, those that could be tested first, best first."""
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
    ids = beside.wells.wells.index.to_numpy(object)
    table.index = pd.Index(groups.joined_ids(ids, np.arange(len(groups))), name="wells")
    order = np.lexsort((-np.nan_to_num(score, nan=-np.inf), np.nan_to_num(p, nan=2.0)))
    return table.iloc[order[tested[order]]]


def _part(precision: Precision | None, name: str) -> float:
    return float("nan") if precision is None else float(getattr(precision, name))


def _nearest(found: LookAlikes, members: NDArray[np.bool_]) -> tuple[list[str], list[str]]:
    """Nearest references that carry what is asked, and mechanisms of the nearest ones that do not."""
    likeness = np.where(found.queries.allowed, found.queries.likeness, -np.inf)
    names = np.array(found.names, object)
    nearest, rivals = [], []
    inside = np.flatnonzero(members)
    for row in likeness:
        ranked = inside[np.argsort(-row[inside], kind="stable")][:NEAREST]
        own = [i for i in ranked if np.isfinite(row[i])]
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


def wells_table(
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
