"""Turn pixels of fields into features: scaling, crops, the channel encoder, and where and how it computes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_cellclip.model.card import ModelCard
from napari_cellclip.model.device import further_devices
from napari_cellclip.model.encoders.batch_size import useful_batch
from napari_cellclip.model.encoders.field_scaler import FieldScaler
from napari_cellclip.model.encoders.intensity import IntensityStats
from napari_cellclip.model.encoders.precision import (
    Precision,
    PrecisionProbe,
    probe_precision,
    reduced,
    timed,
    without_gain,
)
from napari_cellclip.vocabulary import STAINS

BATCH = 64
"""Single-stain crops encoded at once where nobody said and nothing was measured."""


class PixelEncoder:
    """The channel encoder of a model with what is done to pixels before it.

    Pixels stay integers until they are on the device (see `FieldScaler`).

    Parameters
    ----------
    card : ModelCard
        Says scaling, crops and stain order.
    encoder : nn.Module or callable
        The channel encoder, or what loads it when it is first needed.
    device : torch.device
        Where it computes.
    batch_size : int or None
        Single-stain crops encoded at once; ``None``: what `choose_batch` finds, before that `BATCH`.
    """

    def __init__(
        self,
        card: ModelCard,
        encoder: nn.Module | Callable[[], nn.Module],
        device: torch.device,
        batch_size: int | None = None,
    ) -> None:
        self.card, self.wanted_batch = card, batch_size
        self._encoder = encoder
        self._reduced: nn.Module | None = None
        self._lock = Lock()
        self.to(device)

    @property
    def network(self) -> nn.Module:
        """The channel encoder in float32, loaded on first use."""
        with self._lock:
            if not isinstance(self._encoder, nn.Module):
                self._encoder = self._encoder().eval().to(self.device)
            return self._encoder

    @property
    def batch_size(self) -> int:
        """Single-stain crops encoded at once."""
        return BATCH if self.wanted_batch is None else self.wanted_batch

    @batch_size.setter
    def batch_size(self, crops: int) -> None:
        self.wanted_batch = crops

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        self.device = device
        self._reduced = None
        if isinstance(self._encoder, nn.Module):
            self._encoder.eval().to(device)

    def features(
        self,
        fields: Sequence[NDArray[np.generic]],
        stats: IntensityStats | None = None,
        precision: Precision = "float32",
        between_batches: Callable[[], None] | None = None,
    ) -> NDArray[np.float32]:
        """Encode fields; parameters and errors as `Model.fields_features`.

        Parameters
        ----------
        between_batches : callable, optional
            Called before each batch; what it raises ends the work.
        """
        card = self.card
        scaler = self.scaler(stats)
        total = np.zeros((len(fields), len(card.stain_order), card.encoder.dim), np.float64)
        counts = np.zeros(len(fields), np.int64)
        owners: list[int] = []

        def crops() -> Iterator[NDArray[np.generic]]:
            for i, field in enumerate(fields):
                for crop in card.tiling.windows(scaler.on_host(np.asarray(field))):
                    counts[i] += 1
                    owners.append(i)
                    yield crop

        for features in self.iter_crops(crops(), scaler, precision, between_batches):
            np.add.at(total, owners[: len(features)], features)
            del owners[: len(features)]
        return (total / np.maximum(counts, 1)[:, None, None]).astype(np.float32)

    def scaler(self, stats: IntensityStats | None) -> FieldScaler:
        """Make what scales fields as the card asks.

        Parameters
        ----------
        stats : IntensityStats or None
            Ranges of the plate, needed where the card scales by the plate.
        """
        return FieldScaler(self.card.intensity, stats, STAINS, self.card.stain_order)

    def iter_crops(
        self,
        crops: Iterable[NDArray[np.generic]],
        scaler: FieldScaler,
        precision: Precision = "float32",
        between_batches: Callable[[], None] | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Encode crops, so many together that `batch_size` single-stain crops are on the device.

        Parameters
        ----------
        crops : iterable of array
            [C, s, s] each, of fields that went through ``scaler.on_host``; drawn a batch at a time.
        scaler : FieldScaler
            Of `scaler`.
        precision : {"float32", "bfloat16"}
            In which the channel encoder computes.
        between_batches : callable, optional
            Called before each batch; what it raises ends the work.

        Yields
        ------
        array
            float32 [n, C, D] of the next n crops.
        """
        network = self.network if precision == "float32" else self._reduced_network()
        waiting = iter(crops)
        while batch := list(islice(waiting, self._at_once())):
            if between_batches is not None:
                between_batches()
            yield self._encode(network, scaler.on_device(self._to_device(scaler.batch(batch))))

    def scaled_crops(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Encode crops [n, C, s, s] that are scaled to 0..1 already, in one pass, to [n, C, D]."""
        return self._encode(self.network, self._to_device(crops))

    def choose_precision(
        self, fields: Iterable[NDArray[np.generic]], stats: IntensityStats | None = None
    ) -> PrecisionProbe:
        """Measure on real fields whether this device gains by bfloat16 without changing features.

        Parameters
        ----------
        fields : iterable of array
            [5, Y, X] counts each; drawn until there are as many crops as are encoded at once.
        stats : IntensityStats, optional
            Ranges of the plate, needed where the card scales by the plate.
        """
        if (probe := without_gain(self.network, self.device)) is not None:
            return probe
        scaler = self.scaler(stats)
        drawn = (crop for field in fields for crop in self.card.tiling.windows(scaler.on_host(field)))
        crops = scaler.on_device(self._to_device(scaler.batch(list(islice(drawn, self._at_once())))))
        return probe_precision(self.network, self._reduced_network(), crops.flatten(0, 1)[:, None])

    def choose_batch(self, precision: Precision = "float32") -> None:
        """Find how many crops a GPU encodes at once most quickly, unless somebody decided it.

        On a processor the batch stays `BATCH`: larger ones gain nothing there, and rounding would depend on
        what else the machine does.
        """
        if self.wanted_batch is not None or self.device.type != "cuda":
            return
        network = self.network if precision == "float32" else self._reduced_network()
        size = self.card.tiling.size

        def seconds(crops: int) -> float | None:
            try:
                images = torch.rand(crops, 1, size, size, device=self.device)
                with torch.inference_mode():
                    network(images)  # the first call of a size also chooses kernels
                    return timed(network, images)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                return None

        self.wanted_batch = useful_batch(seconds, BATCH)

    def on_all_devices(self) -> list[PixelEncoder]:
        """List this encoder, and a copy for each further GPU if it is on ``cuda`` without a number."""
        copies = []
        for device in further_devices(self.device):
            copied = copy.deepcopy(self.network)
            copies.append(PixelEncoder(self.card, copied, device, self.wanted_batch))
        return [self, *copies]

    def _at_once(self) -> int:
        return max(1, self.batch_size // len(self.card.stain_order))

    def _reduced_network(self) -> nn.Module:
        network = self.network
        with self._lock:
            if self._reduced is None:
                self._reduced = reduced(network)
            return self._reduced

    def _to_device(self, crops: NDArray[np.generic]) -> torch.Tensor:
        images = torch.from_numpy(crops)
        if self.device.type == "cuda":
            # From page-locked memory the copy runs beside what the device computes.
            return images.pin_memory().to(self.device, non_blocking=True)
        return images.to(self.device)

    def _encode(self, network: nn.Module, crops: torch.Tensor) -> NDArray[np.float32]:
        n, stains = crops.shape[:2]
        with torch.inference_mode():
            features = network(crops.flatten(0, 1)[:, None]).float().cpu().numpy()
        return cast(NDArray[np.float32], features.reshape(n, stains, -1))
