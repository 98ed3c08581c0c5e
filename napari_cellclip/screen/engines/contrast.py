"""Measure the display contrast of a plate: which counts are shown as black and as full colour, per stain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import CellClipError, Stain

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate

Contrast = dict[Stain, tuple[float, float]]

BLACK, WHITE = 1.0, 99.8
"""Percentiles of a field shown as black and as full colour."""
MOST, REACH = 99.0, 5.0
"""Full colour lies at most so many times as far above black as this percentile: debris does not set it."""
SAMPLED_PIXELS = 1 << 16
"""Most pixels of a field and stain that percentiles are read from."""
GLANCE_SITES = 8
"""Fields that tell enough before a plate is encoded."""


class ContrastMeter:
    """Collects fields of one plate; limits are robust to a few odd fields, so that wells can be compared."""

    def __init__(self) -> None:
        self._limits: dict[Stain, list[NDArray[np.float64]]] = {}

    def add(self, stains: Sequence[Stain], pixels: NDArray[Any]) -> None:
        """Add one field: pixels of shape (len(stains), …)."""
        black, most, white = np.percentile(thinned(pixels), [BLACK, MOST, WHITE], axis=1)
        bounded = np.where(most > black, np.minimum(white, black + REACH * (most - black)), white)
        limits = np.stack([black, bounded])
        for stain, ends in zip(stains, limits.T, strict=True):
            self._limits.setdefault(stain, []).append(ends)

    def contrast(self) -> Contrast:
        """Compute the median black and the upper quartile of white over the fields, for each stain.

        Both are values of one of the fields, so that of a few fields a blown one has no say.
        """
        found = {}
        for stain, limits in self._limits.items():
            blacks, whites = np.array(limits).T
            black, white = (
                float(np.percentile(ends, share, method="lower"))
                for ends, share in ((blacks, 50), (whites, 75))
            )
            found[stain] = (black, max(white, black + 1.0))  # an unstained channel has no range to show
        return found


def measure_contrast(plate: Plate, sites: int = GLANCE_SITES, source: str | None = None) -> Contrast:
    """Measure the contrast of a plate that is not encoded yet, from a few fields spread over it.

    Encoding measures it from more fields (see
    :func:`~napari_cellclip.screen.engines.plate_intensity.measure_plate`), and the screen stores that.

    Parameters
    ----------
    plate : Plate
        Any; stains that it lacks are left out.
    sites : int
        Most fields to read; those that cannot be read are passed over.
    source : str, optional
        Only fields of this source, where a plate pools several.
    """
    fields = [s for s in plate.sites if source is None or s.source == source]
    readable = [s for s in fields if s.problem is None] or fields
    meter = ContrastMeter()
    for i in np.unique(np.linspace(0, len(readable) - 1, sites).round().astype(int)) if readable else ():
        site = readable[i]
        try:
            meter.add(site.stains, site.read(site.stains))
        except CellClipError:  # a bad field must not keep the plate from being looked at
            continue
    return meter.contrast()


def thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Take evenly spaced pixels, shape (stains, n): enough for percentiles, where whole fields are large."""
    flat = pixels.reshape(len(pixels), -1)
    return np.ascontiguousarray(flat[:, :: max(1, flat.shape[1] // SAMPLED_PIXELS)])
