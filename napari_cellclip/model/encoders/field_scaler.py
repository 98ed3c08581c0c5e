"""Scale fields to 0..1 in two steps, so that pixels stay integers until they are on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellclip.model.encoders.intensity import IntensityScaling, IntensityStats, eight_bit, stain_ranges
from napari_cellclip.vocabulary import ModelError, Stain


class FieldScaler:
    """Intensity scaling of a field (`scale_field`) in steps, cut where the whole is no longer needed.

    `on_host` looks at a whole field and gives one or two bytes a pixel; `on_device` is arithmetic of each
    pixel by itself and makes the four bytes that a network reads, where it reads them. Crops are cut in
    between, so that a field is never held as float32, and a quarter or half of that crosses to a GPU.

    Parameters
    ----------
    scaling : IntensityScaling
        The card's.
    stats : IntensityStats or None
        The plate's ranges, for kind ``"plate"``.
    stains : sequence of Stain
        Order of the first axis of fields.
    order : sequence of Stain
        The card's order, in which crops are given to the network.

    Raises
    ------
    ModelError
        If ranges are needed and absent.
    """

    def __init__(
        self,
        scaling: IntensityScaling,
        stats: IntensityStats | None,
        stains: Sequence[Stain],
        order: Sequence[Stain],
    ) -> None:
        self._scaling, self._count = scaling, len(stains)
        slots = [list(stains).index(stain) for stain in order]
        self._slots = None if slots == list(range(len(stains))) else slots
        self._ranges: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._blank: list[int] = []
        if scaling.kind == "plate":
            low, span = stain_ranges(stats, scaling, order)
            self._blank = np.flatnonzero(span <= 0).tolist()
            ranges = (torch.from_numpy(low), torch.from_numpy(np.where(span > 0, span, 1)))
            self._ranges[torch.device("cpu")] = ranges

    def on_host(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Check a field [C, Y, X] and reduce it to 8 bit where the card scales each image by itself.

        Raises
        ------
        ModelError
            If it does not have one plane for each stain, or holds numbers that are not finite.
        """
        if pixels.ndim != 3 or len(pixels) != self._count or 0 in pixels.shape:
            raise ModelError(f"a field of shape ({self._count}, Y, X) is needed, got {tuple(pixels.shape)}")
        if np.issubdtype(pixels.dtype, np.inexact) and not np.isfinite(pixels).all():
            raise ModelError("a field holds numbers that are not finite (NaN or infinity)")
        if self._scaling.kind == "image":
            return np.stack([eight_bit(image, self._scaling.saturated) for image in pixels])
        # Torch has no arithmetic for the other types, and float32 is exact for counts up to 24 bits.
        return pixels if pixels.dtype in (np.uint8, np.uint16) else pixels.astype(np.float32)

    def batch(self, crops: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Join crops [C, s, s] into an array [n, C, s, s], stains in the card's order."""
        joined = np.stack(crops)
        joined = joined if self._slots is None else joined[:, self._slots]
        return np.ascontiguousarray(joined, dtype=joined.dtype.newbyteorder("="))

    def on_device(self, crops: Tensor) -> Tensor:
        """Scale crops [n, C, s, s] of integers, on whichever device they are, to float32 in 0..1."""
        values = crops.to(torch.float32, copy=True)  # changed in place: these are the largest arrays of a run
        if not self._ranges:
            return values.div_(255)
        low, span = self._ranges_on(values.device)
        values.sub_(low).div_(span).clamp_(0, 1)
        if self._blank:
            values[:, self._blank] = 0
        return values

    def _ranges_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Copy the ranges to a device, once: a GPU would wait for each copy."""
        if device not in self._ranges:
            low, span = self._ranges[torch.device("cpu")]
            self._ranges[device] = (low.to(device), span.to(device))
        return self._ranges[device]
