"""The intensities of a plate, measured once on a seeded part of its sites before anything is encoded."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.read_ahead import read_ahead
from napari_cellclip.vocabulary import STAINS, ScreenError, Stain

if TYPE_CHECKING:
    from napari_cellclip.model import IntensityScaling, IntensityStats
    from napari_cellclip.plates import Plate

SITES = 48
"""Sites measured: enough that a handful of odd wells cannot move a median."""
SEED = 0
BLACK, WHITE = 1.0, 99.8
"""Percentiles of a field shown as black and as full colour."""
SAMPLED_PIXELS = 1 << 16


def measure_plate(
    plate: Plate, scaling: IntensityScaling, workers: int = 0
) -> Generator[Progress, None, tuple[IntensityStats | None, dict[Stain, tuple[float, float]]]]:
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
        If no site can be read.
    """
    from napari_cellclip.model import IntensityStats

    order = np.random.default_rng(SEED).permutation(len(plate.sites))
    total = min(SITES, len(order))
    kept: list[NDArray[np.generic]] = []
    blacks: list[NDArray[np.float64]] = []
    whites: list[NDArray[np.float64]] = []
    first_reason = "it has no sites"
    with closing(read_ahead([plate.sites[i] for i in order], workers, window=2)) as ahead:
        for site, pixels in ahead:
            if isinstance(pixels, str):
                first_reason = pixels if not blacks else first_reason
                continue
            values = _thinned(pixels)
            black, white = np.percentile(values, [BLACK, WHITE], axis=1)
            blacks.append(black)
            whites.append(white)
            if scaling.kind == "plate":
                kept.append(values[:, None, :])
            well = site.rsplit("/", 1)[0]
            yield Progress(len(blacks), total, f"measuring intensities, {site}", well, stage="intensity")
            if len(blacks) == total:
                break
    if not blacks:
        raise ScreenError(
            f"nothing of plate {plate.name} can be encoded: no site can be read ({first_reason})"
        )
    stats = IntensityStats.measure(iter(kept), scaling) if kept else None
    return stats, dict(_limits(np.median(blacks, axis=0), np.percentile(whites, 75, axis=0)))


def _thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Evenly spaced pixels, shape (5, n): enough for percentiles, where 48 whole fields fill the memory."""
    flat = pixels.reshape(len(pixels), -1)
    return np.ascontiguousarray(flat[:, :: max(1, flat.shape[1] // SAMPLED_PIXELS)])


def _limits(
    low: NDArray[np.float64], high: NDArray[np.float64]
) -> Iterator[tuple[Stain, tuple[float, float]]]:
    for stain, black, white in zip(STAINS, low.tolist(), high.tolist(), strict=True):
        yield stain, (black, max(white, black + 1.0))  # an unstained channel would have no range to show
