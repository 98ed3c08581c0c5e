"""Which counts are drawn as black and as full colour: of a plate and source, or of one field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.screen.engines.contrast import Contrast, ContrastMeter, measure_contrast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Screen
    from napari_cellclip.vocabulary import Stain

HAZE = 0.03
"""Share of the range from black to full colour that is drawn as black: glass and medium shine a little."""

LEAST_RANGE = {"uint8": 16.0, "uint16": 256.0}
"""Smallest range drawn, by pixel type: a channel without a stain stays dark, noise and all."""


class DisplayContrast:
    """Contrast of plates as they were measured, each source of a pooled plate for itself."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Contrast] = {}

    def forget(self) -> None:
        """Measure anew, since another plate, mapping or screen is open."""
        self._known = {}

    def of(self, plate: Plate, source: str, screen: Screen | None) -> Contrast:
        """Return the contrast of the fields of a source; a few are read the first time, so not in the main
        thread.

        A screen holds the contrast of its plates, measured when they were encoded. It is one for the whole
        plate, so a plate that pools sources is measured here.
        """
        key = plate.name, source
        if key not in self._known:
            if screen is not None and plate.name in screen.plates and not source:
                self._known[key] = screen.contrast(plate.name)
            else:
                self._known[key] = measure_contrast(plate, source=source)
        return self._known[key]


def contrast_of_field(stains: Sequence[Stain], pixels: NDArray[Any]) -> Contrast:
    """Measure the contrast of one field alone: pixels (stains, Y, X)."""
    meter = ContrastMeter()
    meter.add(stains, pixels)
    return meter.contrast()


def drawn_limits(ends: tuple[float, float], dtype: np.dtype[Any]) -> tuple[float, float]:
    """Turn black and full colour of a stain into the limits of its layer."""
    low, high = ends
    high = max(high, low + LEAST_RANGE.get(dtype.name, 0.0))
    return low + HAZE * (high - low), high
