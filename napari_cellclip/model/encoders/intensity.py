"""Scale the camera's counts to the 0..1 that a channel encoder sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_cellclip.vocabulary import STAINS, ModelError, Stain

PUBLISHED_FRACTION = 0.0028 / 100
SAMPLE = 1 << 16
"""Most pixels of a field and stain from which its percentiles are read."""


class IntensityScaling(BaseModel):
    """Scaling of pixels that a model needs; part of the model card.

    Attributes
    ----------
    kind : {"image", "plate"}
        ``"image"``: each image and stain to 8 bit by its own brightest pixels, the published recipe, which
        hides absolute brightness. ``"plate"``: each stain by the plate's own range, which keeps it.
    saturated : float
        Share of brightest pixels above the white point (kind ``"image"``).
    low, high : float
        Percentiles of a field that become 0 and 1 / `headroom` (kind ``"plate"``; medians over the plate's
        fields).
    headroom : float
        How many times brighter than the usual `high` a pixel may be before it is cut off (kind ``"plate"``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["image", "plate"] = "image"
    saturated: float = Field(default=PUBLISHED_FRACTION, gt=0, lt=1)
    low: float = Field(default=0.5, ge=0, le=100)
    high: float = Field(default=99.5, ge=0, le=100)
    headroom: float = Field(default=2.0, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> IntensityScaling:
        if self.low >= self.high:
            raise ValueError(f"the low percentile ({self.low}) must lie below the high one ({self.high})")
        return self


class IntensityStats(BaseModel):
    """The range of each stain over a plate, measured once and stored before anything is encoded.

    Attributes
    ----------
    low, high : dict of Stain to float
        Counts that the scaling maps to 0 and 1 / headroom.
    fields : int
        How many fields were measured.

    Examples
    --------
    >>> fields = np.arange(5 * 64).reshape(1, 5, 8, 8)
    >>> stats = IntensityStats.measure(fields, IntensityScaling(kind="plate", low=0, high=100))
    >>> stats.low[Stain.DNA], stats.high[Stain.ER]
    (0.0, 127.0)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    low: dict[Stain, float]
    high: dict[Stain, float]
    fields: int = Field(ge=1)

    @classmethod
    def measure(
        cls,
        fields: Iterable[NDArray[np.generic]],
        scaling: IntensityScaling | None = None,
    ) -> IntensityStats:
        """Take the median over fields of each field's percentiles: neither order nor a few bad fields matter.

        Parameters
        ----------
        fields : iterable of array
            [5, Y, X] counts each, stains in the order of `STAINS`.
        scaling : IntensityScaling, optional
            Which percentiles.

        Raises
        ------
        ModelError
            If there is no field.
        """
        scaling = scaling or IntensityScaling(kind="plate")
        ranges = []
        for pixels in fields:
            flat = np.asarray(pixels).reshape(len(STAINS), -1)
            flat = flat[:, :: max(1, flat.shape[1] // SAMPLE)]
            ranges.append(np.percentile(flat, [scaling.low, scaling.high], axis=1))
        if not ranges:
            raise ModelError("the plate's intensities cannot be measured: no field could be read")
        low, high = np.median(np.asarray(ranges, dtype=np.float64), axis=0)
        return cls(
            low=dict(zip(STAINS, low.tolist(), strict=True)),
            high=dict(zip(STAINS, high.tolist(), strict=True)),
            fields=len(ranges),
        )


def brightest_threshold(image: NDArray[np.generic], saturated: float = PUBLISHED_FRACTION) -> float:
    """Find the smallest of an image's brightest pixels, at least one, which becomes white.

    The published recipe takes ``round(pixels * saturated)`` of them and breaks where that is none, below
    about 17,900 pixels; then the brightest pixel alone is taken.
    """
    count = max(1, round(image.size * saturated))
    flat = image.reshape(-1)
    return float(np.partition(flat, flat.size - count)[flat.size - count])


def eight_bit(image: NDArray[np.generic], saturated: float = PUBLISHED_FRACTION) -> NDArray[np.uint8]:
    """Scale one image of one stain to 8 bit by its own brightest pixels, as CLOOME and CellCLIP do.

    Parameters
    ----------
    image : array
        [Y, X] counts, any numeric type.
    saturated : float
        Share of pixels at or above white.

    Returns
    -------
    array
        uint8 [Y, X]; all zero where no brightest pixel is above zero.
    """
    threshold = brightest_threshold(image, saturated)
    if not threshold > 0:
        return np.zeros(image.shape, np.uint8)
    if image.dtype in (np.uint8, np.uint16):  # the same in whole numbers: a third of the time
        levels = image.astype(np.uint32) * np.uint32(256) // np.uint32(threshold)
        return np.minimum(levels, np.uint32(255)).astype(np.uint8)
    # In this order: 256 / threshold rounded first moves what falls on a grey level to the one below.
    scaled = np.minimum(image.astype(np.float64) * 256 / threshold, 255)
    return np.maximum(scaled, 0).astype(np.uint8)


def scale_field(
    pixels: NDArray[np.generic],
    scaling: IntensityScaling,
    stats: IntensityStats | None = None,
) -> NDArray[np.float32]:
    """Scale a field to 0..1 as a model card asks; the input is left as it is.

    Parameters
    ----------
    pixels : array
        [5, Y, X] counts, stains in the order of `STAINS`.
    scaling : IntensityScaling
        The card's.
    stats : IntensityStats, optional
        The plate's ranges, for kind ``"plate"``.

    Returns
    -------
    array
        float32 [5, Y, X] in 0..1. A stain without any range is all zero.

    Raises
    ------
    ModelError
        If the ranges are needed and absent, or the array does not have one plane for each stain.
    """
    if pixels.ndim != 3 or len(pixels) != len(STAINS) or 0 in pixels.shape:
        raise ModelError(f"a field of shape ({len(STAINS)}, Y, X) is needed, got {tuple(pixels.shape)}")
    if scaling.kind == "image":
        levels = np.stack([eight_bit(image, scaling.saturated) for image in pixels])
        return np.divide(levels, 255, dtype=np.float32)
    low, span = stain_ranges(stats, scaling, STAINS)
    usable = span > 0
    scaled = (pixels.astype(np.float32) - low) / np.where(usable, span, 1)
    return np.where(usable, np.clip(scaled, 0, 1), 0).astype(np.float32)


def stain_ranges(
    stats: IntensityStats | None, scaling: IntensityScaling, stains: Sequence[Stain]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Look up what is subtracted from and what divides each stain's counts (kind ``"plate"``).

    Parameters
    ----------
    stats : IntensityStats or None
        The plate's.
    scaling : IntensityScaling
        The card's.
    stains : sequence of Stain
        Order of the result.

    Returns
    -------
    low, span : array
        float32 [C, 1, 1]. A span of zero or less: the stain has no range.

    Raises
    ------
    ModelError
        If the ranges are absent, or lack a stain.
    """
    if stats is None:
        raise ModelError(
            "this model scales intensities by the whole plate: measure IntensityStats over its fields first"
        )
    missing = [stain for stain in stains if stain not in stats.low]
    if missing:
        raise ModelError(f"the plate's intensities were not measured for {', '.join(missing)}")
    low = np.array([stats.low[s] for s in stains], np.float32)[:, None, None]
    span = np.array([stats.high[s] - stats.low[s] for s in stains], np.float32)[:, None, None]
    return low, span * np.float32(scaling.headroom)
