"""Plates and models in memory: pixels and features from formulas, every call counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.model import EncoderCard, FileCard, IntensityScaling, ModelCard, Tiling
from napari_cellclip.model.encoders.precision import PrecisionProbe
from napari_cellclip.plates import Plate
from napari_cellclip.plates.acquisition import Acquisition, Channel, Field
from napari_cellclip.plates.images.plane import file_state
from napari_cellclip.vocabulary import STAINS, ModelError, PlateError, parse_well, site_id

DIM, EMBED = 6, 4


CHANNELS = {stain: f"ch{i}" for i, stain in enumerate(STAINS)}


@dataclass(frozen=True)
class MemoryPlane:
    """One channel of a site of a `MemoryPlate`, as a layout reader would return it."""

    plate: MemoryPlate
    site: str
    number: int

    @property
    def file(self) -> Path:
        return self.plate.files.get(self.site, self.plate.path / f"{self.site.split('/')[1]}.tiff")

    def state(self):
        return file_state(self.file)

    def header(self):
        return self.plate.size, np.dtype(np.uint16)

    def read(self):
        if self.number == 0:
            self.plate.reads.append(self.site)
        if self.site in self.plate.broken:
            raise PlateError(f"{self.file.name} is cut off after 12 bytes: copy it again")
        return self.plate.pixels(self.site)[self.number % 5]


class MemoryPlate(Plate):
    """A plate of grey values drawn from the ids of its sites; sites named in `broken` cannot be read.

    `reads` lists the sites that were read; `files` gives sites a file whose state is watched; `channels` maps
    stains to ``ch0`` to ``ch5``.
    """

    def __init__(
        self,
        name="P1",
        wells=("A01", "A02", "B01"),
        sites=3,
        size=(20, 24),
        broken=(),
        gain=1.0,
        channels=CHANNELS,
    ):
        self.size, self.gain, self.broken = size, gain, set(broken)
        self.reads, self.files = [], {}
        fields = [
            Field(
                *parse_well(well),
                well,
                number,
                {f"ch{i}": (MemoryPlane(self, site_id(name, well, number), i),) for i in range(6)},
            )
            for well in wells
            for number in range(1, sites + 1)
        ]
        found = [Channel(f"ch{i}", "memory") for i in range(6)]
        super().__init__(
            Acquisition(name, Path("nowhere"), "memory", (8, 12), tuple(found), tuple(fields), 0.6), channels
        )

    def pixels(self, site):
        rng = np.random.default_rng(list(site.encode()))
        level = rng.integers(500, 3000, 5)[:, None, None]
        return (self.gain * (level + rng.integers(0, 400, (5, *self.size)))).astype(np.uint16)


class FakeModel:
    """Features are a fixed linear map of each stain's mean and spread; wells and texts are linear too."""

    def __init__(self, card, memory=10**9, refuses=()):
        self.card, self.batch_size, self.device, self.origin = card, 64, "fake", card.name
        self.memory, self.refuses = memory, set(refuses)
        self.encoded: list[float] = []
        self.batches: list[int] = []
        self.embedded = 0
        rng = np.random.default_rng(7)
        self.a, self.b = rng.normal(size=(2, DIM)), rng.normal(size=(5 * DIM, EMBED))

    def to(self, device):
        self.device = device
        return self

    def require_encoder(self):
        """There is nothing to load."""

    @property
    def pixels(self):
        """Pixels are encoded by the same object."""
        return self

    def on_all_devices(self):
        """There is one."""
        return [self]

    def choose_batch(self, precision):
        """It stays as it is."""

    def choose_precision(self, fields, stats):
        """Nothing here gains by another number format."""
        return PrecisionProbe("float32", 1, 1, "a linear map")

    def features(self, fields: Sequence, stats=None, precision="float32", between_batches=None):
        if self.card.intensity.kind == "plate":
            assert stats is not None
        if self.batch_size > self.memory:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        if any(round(float(f.mean()), 6) in self.refuses for f in fields):
            raise ModelError("a field is too odd")
        self.batches.append(len(fields))
        self.encoded += [round(float(f.mean()), 6) for f in fields]
        scale = np.ones(5) if stats is None else np.array([stats.high[s] - stats.low[s] for s in STAINS])
        values = np.stack([np.stack([f.mean((1, 2)), f.std((1, 2))], 1) / scale[:, None] for f in fields])
        return (values / 1000 @ self.a).astype(np.float32)

    def embed_wells(self, bags):
        self.embedded += len(bags)
        return np.stack([bag.mean(0).reshape(-1) @ self.b for bag in bags]).astype(np.float32)

    def embed_texts(self, texts):
        return np.stack([np.random.default_rng(list(t.encode())).normal(size=EMBED) for t in texts]).astype(
            np.float32
        )


def card(name="fake", **changes) -> ModelCard:
    base = {
        "encoder": EncoderCard(kind="small", name="fake", dim=DIM, weights=FileCard(sha256="a" * 64)),
        "weights": FileCard(sha256="b" * 64),
        "intensity": IntensityScaling(kind="plate"),
        "tiling": Tiling(mode="center", size=16),
        "embed_dim": EMBED,
    }
    return ModelCard(name=name, **(base | changes))


@pytest.fixture
def make_card():
    return card


@pytest.fixture
def make_plate():
    return MemoryPlate


@pytest.fixture
def make_model():
    def make(made: ModelCard | None = None, **changes: Mapping) -> FakeModel:
        return FakeModel(made or card(), **changes)

    return make
