"""Asking by look-alikes: wells against reference treatments, beside the plain product of their profiles.

Wells and references are made from formulas, with mechanisms of seven references and no structures. The first
question of a screen also compares all references with each other and calibrates probabilities on them; that
is kept for the next ones.
``python -m benchmarks.speed.look_alikes [--quick]``
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.speed.figures import Figure, compare, script
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.match_probability import MatchProbability, q_values
from napari_cellclip.explore.references.probability.recognisable import recognisable
from napari_cellclip.explore.references.profiles import CELLPROFILER, WellProfiles
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource

OF_ONE_MECHANISM = 7


def made_wells(treatments: int, controls: int, features: int, prefix: str) -> WellProfiles:
    """One plate's controls and treatments of one well each, every mechanism with a shift of its own."""
    rng = np.random.default_rng([treatments, controls])
    mechanism = np.arange(treatments) // OF_ONE_MECHANISM
    shifts = np.random.default_rng(7).normal(size=(mechanism.max() + 1, features))
    values = np.concatenate(
        [rng.normal(size=(controls, features)), shifts[mechanism] + rng.normal(size=(treatments, features))]
    )
    n = len(values)
    control = np.arange(n) < controls
    of = np.concatenate([np.zeros(controls, int), mechanism])
    frame = pd.DataFrame(
        {
            "Metadata_treatment": np.where(control, "DMSO", [f"{prefix}{i}" for i in range(n)]),
            "Metadata_control_type": np.where(control, "negcon", ""),
            "Metadata_mechanism": np.where(control, "", [f"mechanism {m}" for m in of]),
            "Metadata_kind": np.where(control, "control", "compound"),
            "Metadata_dose": np.nan,
        },
        index=pd.Index([f"{prefix}/A{i + 1:02d}" for i in range(n)]),
    )
    for name in ("smiles", "genes", "cell_line", "InChIKey"):
        frame[f"Metadata_{name}"] = ""
    names = tuple(f"Cells_Texture_{i}_DNA" for i in range(features))
    return WellProfiles(
        values.astype(np.float32), names, CELLPROFILER, frame, np.zeros(n, np.intp), np.asarray(control)
    )


def asking(wells: int, references: int, features: int, rounds: int) -> list[Figure]:
    """First question and the next one."""
    screen = made_wells(wells, 64, features, "W")
    known = ReferenceSet.of_wells(made_wells(references, 64, features, "R"), ReferenceSource("made"))
    left = screen.values.astype(np.float64)
    right = known.profiles.astype(np.float64).T

    def product() -> np.ndarray:
        return left @ right

    def made() -> tuple[LookAlikes, MatchProbability, np.ndarray]:
        found = LookAlikes(screen, known)
        return found, MatchProbability(found, structures=False), found.agreement()[0]

    def asked(found: LookAlikes, model: MatchProbability, agreement: np.ndarray) -> np.ndarray:
        members = found.mechanisms["mechanism 3"]
        recognisable(found, members)
        scores = model.scores(members, agreement)
        found.well_scores(members)
        return q_values(model.p_values(scores), model.probability(scores))

    ready = made()
    size = f"{wells:,} wells x {references:,} references x {features} features"
    return [
        compare(
            f"first question by look-alikes, {size}",
            lambda: asked(*made()),
            product,
            against="product of profiles",
            rounds=rounds,
            wanted="< 10 s",
            limit="references compared with each other, and each left out once",
            warm_up=False,
        ),
        compare(
            f"the next question by look-alikes, {size}",
            lambda: asked(*ready),
            product,
            against="product of profiles",
            rounds=rounds,
            limit="likeness of each well, which no question shares",
        ),
    ]


def measure(quick: bool) -> list[Figure]:
    """Ask a screen of some plates beside a large reference set."""
    return asking(60, 70, 60, 1) if quick else asking(1_500, 2_000, 600, 3)


if __name__ == "__main__":
    script(measure, __doc__)
