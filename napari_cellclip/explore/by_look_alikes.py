"""Answer a question by look-alikes of the reference treatments that it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.answer import Answer, answer_of
from napari_cellclip.explore.references.evidence import ReferenceEvidence, find_look_alikes
from napari_cellclip.explore.references.referenced_screen import ReferencedScreen
from napari_cellclip.explore.wording.direction import summed
from napari_cellclip.explore.wording.query_grammar import parse

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen


def answer_by_look_alikes(
    screen: Screen,
    text: str,
    beside: ReferencedScreen,
    *,
    fdr: float,
    ticked_off: Sequence[str],
    reason: str,
    seed: int,
) -> Answer:
    """Answer a text by likeness to references, as :func:`napari_cellclip.explore.query.ask` says."""
    terms, filters = parse(text)
    findings, found = find_look_alikes(
        screen, beside, terms, fdr=fdr, filters=filters, ticked_off=ticked_off, seed=seed
    )
    return answer_of(
        screen,
        findings,
        query=text,
        source="reference treatments",
        direction=_direction_of(screen, found),
        fdr=fdr,
        evidence="look-alikes",
        evidence_reason=reason,
        references=found,
    )


def _direction_of(screen: Screen, found: ReferenceEvidence) -> NDArray[np.float32] | None:
    """Mean embedding of the reference treatments that are wells of this screen, for explanations."""
    if not screen.has_head:
        return None
    there = np.isfinite(screen.norms) & (screen.norms > 0)
    wells = screen.wells["Metadata_treatment"].isin(set(found.members["name"])).to_numpy(bool) & there
    return summed(screen.embeddings[wells]) if wells.any() else None
