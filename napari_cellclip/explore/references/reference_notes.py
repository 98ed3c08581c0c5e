"""Sentences about what limits an answer by look-alikes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.explore.references.probability.recognisable import FEWEST, Recognisable
from napari_cellclip.explore.references.referenced_screen import ReferencedScreen

PAIR = 2
"""References that make one pair."""

ONLY_TWO = (
    "Only two reference compounds carry this: a single likeness does not tell whether it can be recognised,"
    " so wells are ranked and no match is called significant."
)

NOT_RECOGNISABLE = (
    "These references do not resemble each other on this assay; no confident match is possible."
)


def limits_of_references(beside: ReferencedScreen, gate: Recognisable, verdict: Verdict) -> list[str]:
    """Write what limits an answer: few references, closed gate, missing features, other cells, layout."""
    notes = list(beside.wells.notes)
    if gate.references == 1:
        notes.append(
            "Only one reference treatment carries this: wells can be ranked by likeness to it, but no match"
            " is called significant."
        )
    elif gate.references == PAIR:
        notes.append(ONLY_TWO)
    elif not gate.open:
        notes.append(
            f"{NOT_RECOGNISABLE} ({gate.references} references find each other with an average precision of"
            f" {gate.precision:.2f}, chance {gate.chance:.2f}, p = {gate.p:.2g})"
        )
    if verdict is Verdict.NOT_TESTED:
        notes.append(
            "Significance cannot be tested: too few other reference treatments are known to compare with."
        )
    if not beside.model.fitted:
        notes.append(
            "No probability is given: fewer than three references share a mechanism often enough to count how"
            " often look-alikes were right."
        )
    features = len(beside.look_alikes.features)
    if features < len(beside.wells.features):
        notes.append(
            f"{features} of {len(beside.wells.features)} features are shared with the references and used."
        )
    lines = {line for line in beside.set.treatments["cell_line"] if line}
    own = {str(line) for line in beside.wells.wells.get("Metadata_cell_line", []) if line}
    if own and lines - own:
        notes.append(
            f"References of other cells take part: {', '.join(sorted(lines - own))}; this screen is"
            f" {', '.join(sorted(own))}."
        )
    if _shared_layout(beside):
        notes.append(
            "Treatments lie at one position on all plates: what looks alike may share a place on the plate."
            " References at the very same position are left out."
        )
    return notes


def _shared_layout(beside: ReferencedScreen) -> bool:
    """Whether most treatments with replicates on several plates have one position on all of them."""
    table = beside.look_alikes.rows
    several = table[(table["plates"] > 1)]
    if len(several) < 5:
        return False
    return bool((~several["positions"].str.contains("|", regex=False)).mean() > 0.5)


def no_reference(beside: ReferencedScreen, texts: Sequence[str]) -> str:
    """Write that no reference carries what is asked, and for what there are some."""
    counted = {
        name: int(carried.sum())
        for name, carried in beside.look_alikes.mechanisms.items()
        if carried.sum() >= FEWEST
    }
    some = ", ".join(sorted(counted, key=lambda name: (-counted[name], name))[:5])
    wanted = ", ".join(repr(text) for text in texts)
    known = f"; references are known for {some} …" if some else ""
    return f"no reference treatment carries {wanted}{known}"
