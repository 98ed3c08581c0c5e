"""Turn pixels of fields into features: scaling, crops, the channel encoder, and where and how it computes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
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
from napari_cellclip.model.encoders.batches_ahead import alone, on_each_core, one_behind
from napari_cellclip.model.encoders.field_scaler import FieldScaler
from napari_cellclip.model.encoders.fused_convolutions import fused
from napari_cellclip.model.encoders.intensity import IntensityStats
from napari_cellclip.model.encoders.onednn_linear import faster_linear
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
"""Single-stain crops that a GPU encodes at once where nobody said and nothing was measured."""
CORE_BATCH = 20
"""Single-stain crops that each core of a processor encodes at once: what fits its caches."""
LARGE = 200_000_000
"""Weights of an encoder of which a core takes one crop of each stain: more might fill memory."""


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
        Single-stain crops encoded at once, on a processor by each core; ``None``: what `choose_batch` finds,
        before that `BATCH` or `CORE_BATCH`.
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
        self._computing: dict[Precision, nn.Module] = {}
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
        """Single-stain crops encoded at once, on a processor by each core."""
        if self.wanted_batch is not None:
            return self.wanted_batch
        return CORE_BATCH if self.device.type == "cpu" else BATCH

    @batch_size.setter
    def batch_size(self, crops: int) -> None:
        self.wanted_batch = crops

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        self.device = device
        self._computing = {}
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
        """Encode crops, so many together that `batch_size` single-stain crops are a batch.

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
        network = self._network_in(precision)
        batches = self._batches(crops, between_batches)

        def launch(batch: list[NDArray[np.generic]]) -> Callable[[], NDArray[np.float32]]:
            return self._launch(network, scaler.on_device(self._to_device(scaler.batch(batch))))

        if self.device.type == "cpu":
            yield from on_each_core(batches, lambda batch: launch(batch)())
        else:
            for fetch in one_behind(batches, launch):
                yield fetch()

    def scaled_crops(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Encode crops [n, C, s, s] that are scaled to 0..1 already, in one pass, to [n, C, D]."""
        return self._launch(self._network_in("float32"), self._to_device(crops))()

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
        both = (self._network_in("float32"), self._network_in("bfloat16"))
        measure = partial(probe_precision, *both, crops.flatten(0, 1)[:, None])
        return alone(measure) if self.device.type == "cpu" else measure()

    def choose_batch(self, precision: Precision = "float32") -> None:
        """Find how many crops a GPU encodes at once most quickly, unless somebody decided it.

        On a processor the batch stays `CORE_BATCH`: larger ones leave its caches, and rounding would depend
        on what else the machine does.
        """
        if self.wanted_batch is not None or self.device.type != "cuda":
            return
        network = self._network_in(precision)
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
        unasked = self.wanted_batch is None and self.device.type == "cpu"
        if unasked and sum(weight.numel() for weight in self.network.parameters()) > LARGE:
            return 1
        return max(1, self.batch_size // len(self.card.stain_order))

    def _batches(
        self, crops: Iterable[NDArray[np.generic]], between_batches: Callable[[], None] | None
    ) -> Iterator[list[NDArray[np.generic]]]:
        waiting, at_once = iter(crops), self._at_once()
        while batch := list(islice(waiting, at_once)):
            if between_batches is not None:
                between_batches()
            yield batch

    def _network_in(self, precision: Precision) -> nn.Module:
        """Make, once, what computes features in a number format on this device."""
        network = self.network
        with self._lock:
            if precision not in self._computing:
                if precision == "bfloat16":
                    made = reduced(network)
                else:
                    made = faster_linear(fused(network)) if self.device.type == "cpu" else network
                self._computing[precision] = made
            return self._computing[precision]

    def _to_device(self, crops: NDArray[np.generic]) -> torch.Tensor:
        images = torch.from_numpy(crops)
        if self.device.type == "cuda":
            # From page-locked memory the copy runs beside what the device computes.
            return images.pin_memory().to(self.device, non_blocking=True)
        return images.to(self.device)

    def _launch(self, network: nn.Module, crops: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
        """Start encoding scaled crops [n, C, s, s]; what is returned waits for the features [n, C, D]."""
        n, stains = crops.shape[:2]
        on_gpu = self.device.type == "cuda"
        with torch.inference_mode():
            features = network(crops.flatten(0, 1)[:, None]).float().to("cpu", non_blocking=on_gpu)
        done = torch.cuda.current_stream(self.device).record_event() if on_gpu else None

        def fetch() -> NDArray[np.float32]:
            if done is not None:
                done.synchronize()
            return cast(NDArray[np.float32], features.reshape(n, stains, -1).numpy())

        return fetch
