"""Encode the pixels of some sites: whose fault it is where that fails, and what is done when memory ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.screen.storage.failures import SiteResult
from napari_cellclip.screen.storage.screen_json import PlateRecord
from napari_cellclip.vocabulary import STAINS, CellClipError, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model.pixel_encoder import PixelEncoder


@dataclass
class SiteEncoder:
    """Encodes sites of one plate as its record says.

    Attributes
    ----------
    record : PlateRecord
        Intensities and number format.
    between_batches : callable
        Called before each batch of crops; what it raises ends the work.
    remarks : list of str
        What people should know; whoever tells them empties it.
    """

    record: PlateRecord
    between_batches: Callable[[], None]
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stats = self.record.intensity_stats()

    def encode(self, encoder: PixelEncoder, read: Mapping[str, NDArray[Any] | str]) -> list[SiteResult]:
        """Encode sites together; where the encoder refuses them, one by one, to find the one to blame.

        Parameters
        ----------
        encoder : PixelEncoder
            On its device.
        read : mapping of str to (array or str)
            Pixels (5, Y, X) of each site, or the reason why there are none.

        Raises
        ------
        ScreenError
            If memory does not suffice for the smallest batch: no site is to blame.
        """
        good = {site: pixels for site, pixels in read.items() if not isinstance(pixels, str)}
        failed = [SiteResult(site, failure=why) for site, why in read.items() if isinstance(why, str)]
        try:
            features = self._features(encoder, list(good.values()))
        except ScreenError:
            raise
        except CellClipError:
            return failed + [self._alone(encoder, site, pixels) for site, pixels in good.items()]
        return failed + [SiteResult(site, f) for site, f in zip(good, features, strict=True)]

    def _alone(self, encoder: PixelEncoder, site: str, pixels: NDArray[Any]) -> SiteResult:
        try:
            return SiteResult(site, self._features(encoder, [pixels])[0])
        except ScreenError:
            raise
        except CellClipError as error:
            return SiteResult(site, failure=f"site {site}: {error}")

    def _features(
        self, encoder: PixelEncoder, fields: Sequence[NDArray[Any]]
    ) -> Sequence[NDArray[np.float32]]:
        """Features of fields; the encoder's batch is halved for good when the device runs out of memory."""
        while fields:
            try:
                return list(
                    encoder.features(fields, self._stats, self.record.precision, self.between_batches)
                )
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                smaller = encoder.batch_size // 2
                if smaller < len(STAINS):
                    raise ScreenError(
                        f"the memory of {encoder.device} does not suffice for a single crop: close other "
                        "programs that use it, or encode with device='cpu'"
                    ) from error
            # Outside the except clause: the error holds the tensors that filled the memory.
            encoder.batch_size = smaller
            self.remarks.append(
                f"the memory of {encoder.device} ran out: going on with {smaller} crops at once"
            )
        return []


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether torch ran out of device memory; recognised by name, so that nothing here imports torch."""
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower()
