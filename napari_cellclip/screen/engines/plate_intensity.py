"""Measure the intensities of a plate, once, on a seeded part of its sites, before anything is encoded."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.screen.engines.contrast import Contrast, ContrastMeter, thinned
from napari_cellclip.screen.engines.read_ahead import read_ahead
from napari_cellclip.screen.progress import Progress
from napari_cellclip.vocabulary import STAINS, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import IntensityScaling, IntensityStats
    from napari_cellclip.plates import Plate

SITES = 48
"""Sites measured: enough that a handful of odd wells cannot move a median."""
SEED = 0
MAX_REASONS = 5
"""Kinds of reasons listed one by one when no site can be read."""

# What differs between two files that are damaged alike: paths, file names, numbers.
_PARTICULARS = re.compile(r"\S*[/\\]\S*|\S+\.\w+|\d+")


def measure_plate(
    plate: Plate, scaling: IntensityScaling, workers: int = 0
) -> Generator[Progress, None, tuple[IntensityStats | None, Contrast]]:
    """Measure display contrast and, where the model asks for it, its plate-wide intensity range.

    Sites that cannot be read are passed over; the next ones of the seeded order take their place.

    Parameters
    ----------
    plate : Plate
        A plate with all five stains.
    scaling : IntensityScaling
        The model card's.
    workers : int
        Threads that read ahead.

    Yields
    ------
    Progress
        After each site.

    Returns
    -------
    stats : IntensityStats or None
        ``None`` where the card scales each image by itself.
    contrast : dict of Stain to (low, high)
        Counts shown as black and as full colour.

    Raises
    ------
    ScreenError
        If no site can be read; says every kind of reason, how often, and where first.
    """
    from napari_cellclip.model import IntensityStats

    order = np.random.default_rng(SEED).permutation(len(plate.sites))
    total = min(SITES, len(order))
    kept: list[NDArray[np.generic]] = []
    meter, done = ContrastMeter(), 0
    reasons: dict[str, str] = {}
    with closing(read_ahead([plate.sites[i] for i in order], workers)) as ahead:
        for site, pixels in ahead:
            if isinstance(pixels, str):
                reasons[site] = pixels
                continue
            values = thinned(pixels)
            meter.add(STAINS, values)
            done += 1
            if scaling.kind == "plate":
                kept.append(values[:, None, :])
            well = site.rsplit("/", 1)[0]
            yield Progress(done, total, f"measuring intensities, {site}", well, stage="intensity")
            if done == total:
                break
    if not done:
        why = _reasons_by_kind(plate, reasons)
        raise ScreenError(f"nothing of plate {plate.name} can be encoded: no site can be read ({why})")
    stats = IntensityStats.measure(iter(kept), scaling) if kept else None
    return stats, meter.contrast()


def _reasons_by_kind(plate: Plate, reasons: Mapping[str, str]) -> str:
    """List reasons by kind, the kind that comes first on the plate first."""
    kinds: dict[str, list[str]] = {}
    for site in plate.sites:
        if site.id in reasons:
            reason = reasons[site.id].removeprefix(f"site {site.id}").lstrip(",: ")
            kinds.setdefault(_PARTICULARS.sub("#", reason), []).append(f"{site.id}: {reason}")
    if not kinds:
        return "it has no sites"
    parts = [f"{len(alike)} of {len(reasons)} like {alike[0]}" for alike in kinds.values()]
    if more := parts[MAX_REASONS:]:
        rest = sum(len(alike) for alike in list(kinds.values())[MAX_REASONS:])
        parts = [*parts[:MAX_REASONS], f"{rest} for {len(more)} other reasons"]
    return "; ".join(parts)
