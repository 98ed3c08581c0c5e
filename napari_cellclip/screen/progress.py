"""What a run tells while it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a run.

    Attributes
    ----------
    done, total : int
        Units finished and units in all; sites in the stages ``"intensity"`` and ``"fields"``, wells in
        ``"wells"``, steps in ``"encoder"``, epochs in ``"training"``, wells or tiles in ``"explanation"``.
    message : str
        A few words for people.
    well : str or None
        Id of the last well worked on.
    failures : int
        Sites that could not be used so far.
    stage : {"intensity", "fields", "wells", "encoder", "training", "explanation"}
        Measuring the plate's intensities, encoding sites, embedding wells; teaching a channel encoder,
        training a head; saying why wells match.
    """

    done: int
    total: int
    message: str
    well: str | None = None
    failures: int = 0
    stage: Literal["intensity", "fields", "wells", "encoder", "training", "explanation"] = "fields"
