"""Whether replicates of a treatment agree, against controls that the transform has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from tests.explore.references.made_wells import TWELVE, compounds, made_wells


@pytest.mark.parametrize("controls", [40, 120])
def test_treatments_that_do_nothing_seldom_pass(controls: int) -> None:
    """With fewer controls than features whitening fits the controls themselves; p must not show it."""
    idle = [{"name": f"idle {i}"} for i in range(150)]
    wells = made_wells([*idle, *compounds(*TWELVE[:1])], controls=controls, seed=controls)
    found = LookAlikes(wells, ReferenceSet.of_wells(wells, ReferenceSource("made")))
    _, p = found.agreement()
    names = found.replicates.table["treatment"].str.startswith("idle").to_numpy()
    assert np.mean(p[names] <= 0.05) < 0.2  # it was 1
    assert (p[~names] <= 0.05).all()
