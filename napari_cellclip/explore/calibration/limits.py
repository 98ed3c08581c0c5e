"""What limits an answer, in sentences for the person who asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.wording.filters import Filters

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

FEW_CONTROLS = 8
"""Negative controls below which a null made of them is coarse."""

LONGEST_TEXT = 60
"""Characters of a text that are quoted in a note."""


def limits_of(
    screen: Screen,
    calibration: Calibration,
    *,
    filters: Filters | None,
    selected: NDArray[np.bool_],
    out_of_vocabulary: Sequence[str],
) -> list[str]:
    """Write sentences about what limits an answer.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    calibration : Calibration
        Of that screen.
    filters : Filters, optional
        Of the question.
    selected : ndarray of bool (n,)
        Embedded wells that the filters leave.
    out_of_vocabulary : sequence of str
        Texts of the question that are not in the model's vocabulary.
    """
    notes = list(calibration.scale.notes)
    if out_of_vocabulary:
        words = ", ".join(
            repr(text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "…")
            for text in out_of_vocabulary
        )
        notes.append(
            f"Not in the vocabulary of the model {screen.card.name!r}: {words}. It was not trained on these "
            "words and can only guess from their letters, so no score counts as a match."
        )
    if filters is not None and filters:
        of = "1 well" if selected.sum() == 1 else f"{int(selected.sum())} wells"
        notes.append(f"Only wells {filters} take part: {of}.")
    if missing := len(screen.wells) - len(selected):
        wells_have = "1 well has" if missing == 1 else f"{missing} wells have"
        notes.append(f"{wells_have} no embedding and cannot be scored (see the failed sites).")
    if 0 < calibration.n_controls < FEW_CONTROLS:
        notes.append(
            f"There are only {calibration.n_controls} negative controls in all, so p-values are coarse; "
            f"{FEW_CONTROLS} or more would be better."
        )
    groups = calibration.replicates
    if len(groups) and not groups.named:
        notes.append("The plate map names no treatments: each well is tested alone.")
    elif len(groups) and int(groups.table["n_wells"].max()) == 1:
        notes.append("No treatment has replicate wells: each well is tested alone.")
    if calibration.controls_in_few_columns:
        notes.append(
            "All negative controls lie in one or two columns, so effects of the position on the plate cannot "
            "be told from effects of a treatment."
        )
    if screen.card.simulated:
        notes.append(
            f"The model {screen.card.name!r} was trained on simulated cells only: on real images its answers "
            "mean nothing."
        )
    return notes


def why_not_tested(calibration: Calibration, tested: NDArray[np.bool_]) -> str:
    """Write why no treatment has a p-value."""
    if not len(calibration.replicates):
        return "Nothing could be tested: there are only control wells."
    if not tested.any():
        return "Nothing could be tested: no treatment is left to test."
    return (
        "Nothing could be tested: no plate with treatments has at least 4 negative controls to compare with; "
        "give a plate map that marks them."
    )
