"""Wells of treatments made from formulas: each mechanism moves its own features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_cellclip.explore.references.profiles import CELLPROFILER, WellProfiles

FEATURES = 60


def made_wells(
    treatments: Sequence[dict[str, object]],
    *,
    replicates: int = 3,
    controls: int = 40,
    plates: int = 2,
    effect: float = 3.0,
    seed: int = 0,
    prefix: str = "P",
) -> WellProfiles:
    """Make standardised profiles.

    Parameters
    ----------
    treatments : sequence of dict
        ``name``, ``effect_of`` (which mechanism's features move; none: nothing does) and the plate map's
        ``mechanism``, ``smiles``, ``InChIKey``, ``genes``, ``kind``, ``dose``; ``strength`` scales the effect.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    values: list[np.ndarray] = []
    for i in range(controls):
        rows.append({"control_type": "negcon", "treatment": "DMSO", "plate": i % plates})
        values.append(rng.normal(size=FEATURES))
    for treatment in treatments:
        shift = np.zeros(FEATURES)
        if (what := treatment.get("effect_of")) is not None:
            direction = np.random.default_rng([7, *str(what).encode()]).normal(size=FEATURES)
            shift = effect * float(str(treatment.get("strength", 1.0))) * direction
        for r in range(replicates):
            rows.append(
                {"treatment": treatment["name"], "plate": r % plates}
                | {
                    k: v
                    for k, v in treatment.items()
                    if k in ("mechanism", "smiles", "InChIKey", "genes", "kind", "dose", "cell_line")
                }
            )
            values.append(shift + rng.normal(size=FEATURES))
    places = rng.permutation(len(rows))  # no treatment has one position on all plates
    frame = pd.DataFrame(rows, dtype=object)
    plate = frame.pop("plate").astype(int).to_numpy()
    names = [
        f"{prefix}{p}/{'ABCDEFGHIJKLMNOP'[k // 24 % 16]}{k % 24 + 1:02d}"
        for p, k in zip(plate, places, strict=True)
    ]
    frame.index = pd.Index(names)
    frame.columns = pd.Index([f"Metadata_{name}" for name in frame.columns])
    for name in (
        "treatment",
        "kind",
        "control_type",
        "smiles",
        "genes",
        "mechanism",
        "cell_line",
        "InChIKey",
    ):
        column = f"Metadata_{name}"
        frame[column] = frame[column].fillna("") if column in frame else ""
    if "Metadata_dose" not in frame:
        frame["Metadata_dose"] = np.nan
    frame["Metadata_dose"] = frame["Metadata_dose"].astype(float)
    return WellProfiles(
        np.stack(values).astype(np.float32),
        tuple(f"Cells_Texture_{i}_DNA" for i in range(FEATURES)),
        CELLPROFILER,
        frame,
        plate.astype(np.intp),
        (frame["Metadata_control_type"] == "negcon").to_numpy(bool),
    )


def compounds(*groups: tuple[str, int], labelled: bool = True, prefix: str = "") -> list[dict[str, object]]:
    """``("tubulin", 4)``: four compounds with that effect, and with that mechanism where labelled."""
    return [
        {
            "name": f"{prefix}{mechanism}-{i}",
            "effect_of": mechanism,
            "mechanism": mechanism if labelled else "",
        }
        for mechanism, n in groups
        for i in range(n)
    ]


TWELVE = tuple((f"mechanism {letter}", 4) for letter in "ABCDEFGHIJKL")
