"""Plates and models in memory: pixels and features from formulas, every call counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.model import EncoderCard, FileCard, IntensityScaling, ModelCard, Tiling
from napari_cellclip.vocabulary import STAINS, ModelError, PlateError, StainError, parse_well

DIM, EMBED = 6, 4


@dataclass
class FakeStains:
    channels: dict = field(default_factory=lambda: {s: f"ch{i}" for i, s in enumerate(STAINS)})


@dataclass
class FakeSite:
    id: str
    well_id: str
    well: str
    number: int
    plate: FakePlate
    files: tuple = ()

    def file_state(self):
        return "".join(f"{file.name}|{file.stat().st_size}" for file in self.files)

    def read(self, stains=STAINS):
        self.plate.reads.append(self.id)
        if self.id in self.plate.broken:
            raise PlateError(f"site {self.id}: {self.well}.tiff is cut off after 12 bytes: copy it again")
        return self.plate.pixels(self.id)


@dataclass
class FakeWell:
    id: str
    name: str
    row: int
    column: int
    sites: tuple
    known: bool = True


class FakePlate:
    """`size` grey values per site drawn from the site's id; sites named in `broken` cannot be read."""

    def __init__(self, name="P1", wells=("A01", "A02", "B01"), sites=3, size=(20, 24), broken=(), gain=1.0):
        self.name, self.path, self.layout, self.shape, self.pixel_size = (
            name,
            Path("nowhere"),
            "fake",
            (8, 12),
            0.6,
        )
        self.stains, self.size, self.gain = FakeStains(), size, gain
        self.broken, self.reads, self.changed = set(broken), [], ""
        self.wells = tuple(
            FakeWell(
                f"{name}/{w}",
                w,
                *parse_well(w),
                tuple(FakeSite(f"{name}/{w}/{n}", f"{name}/{w}", w, n, self) for n in range(1, sites + 1)),
            )
            for w in wells
        )
        self.sites = tuple(s for w in self.wells for s in w.sites)

    def site(self, identifier):
        return next(site for site in self.sites if site.id == identifier)

    def pixels(self, site):
        rng = np.random.default_rng(list(site.encode()))
        level = rng.integers(500, 3000, 5)[:, None, None]
        return (self.gain * (level + rng.integers(0, 400, (5, *self.size)))).astype(np.uint16)

    def file_states(self):
        return {site.id: site.file_state() for site in self.sites}

    def fingerprint(self, states):
        return f"{self.name}|{self.changed}|{len(states)}|{sorted(self.broken)}"

    def require_stains(self, stains=STAINS):
        if missing := [s for s in stains if s not in self.stains.channels]:
            raise StainError(f"plate {self.name} lacks {', '.join(missing)}")


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

    def fields_features(self, fields: Sequence, stats=None):
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
    return FakePlate


@pytest.fixture
def make_model():
    def make(made: ModelCard | None = None, **changes: Mapping) -> FakeModel:
        return FakeModel(made or card(), **changes)

    return make
