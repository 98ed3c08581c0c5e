"""The sample plate: made once, kept, and shipped small in the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.simulation import (
    Design,
    Simulated,
    default_design,
    iter_simulate,
    sample,
    sample_plate,
    simulate_plate,
)
from napari_cellclip.vocabulary import STAINS


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Let the sample be of 6 small wells; the asked-for settings are recorded."""
    asked: list[dict] = []

    def fewer(out: Path, **settings) -> Iterator[Simulated]:
        asked.append(settings)
        return iter_simulate(
            out, **{**settings, "wells": 6, "sites": 1, "size": (32, 32), "workers": 1, "design": None}
        )

    monkeypatch.setattr(sample, "iter_simulate", fewer)
    return asked


def test_sample_is_made_once(small: list[dict], tmp_path: Path) -> None:
    seen: list[Simulated] = []
    first = sample_plate(tmp_path, seen.append)
    assert [step.done for step in seen] == [1, 2, 3, 4, 5, 6]
    design = small[0]["design"]
    assert len(design.wells) == 96
    assert {t.mechanism for t in design.wells.values() if t.mechanism} == set(sample.MECHANISMS_SHOWN)
    assert sample_plate(tmp_path, seen.append) == first
    assert len(small) == 1
    assert len(seen) == 6
    assert open_plate(first).stains.complete
    # Nothing half made is left beside it.
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_failing_simulation_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(out: Path, **settings) -> Iterator[Simulated]:
        out.mkdir()
        yield Simulated(1, 2)
        raise OSError("disk full")

    monkeypatch.setattr(sample, "iter_simulate", broken)
    with pytest.raises(OSError, match="disk full"):
        sample_plate(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_plate_in_the_repository_opens(repository: Path) -> None:
    folder = repository / "sample_data" / "simulated-24"
    plate = open_plate(folder)
    assert plate.stains.complete
    assert plate.problems == ()
    assert len(plate.wells) == 24
    for site in plate.sites[:2]:
        assert site.read(STAINS).max() > 500
    platemap = PlateMap.read(folder / "platemap.csv")
    assert platemap.check(plate) == []
    assert sum(p.is_negative_control for p in platemap.wells.values()) >= 2


def test_the_repository_s_plate_is_small(repository: Path) -> None:
    files = [path for path in (repository / "sample_data").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) <= 10_000_000


def test_the_repository_s_plate_is_what_the_simulator_draws_now(repository: Path, tmp_path: Path) -> None:
    """Whoever changes the rendering makes the shipped plate (and the bundled model) again."""
    folder = repository / "sample_data" / "simulated-24"
    whole = default_design(24, 2026)
    one = Design({"B03": whole.wells["B03"]}, whole.shape)
    again = simulate_plate(tmp_path / "p", sites=1, seed=2026, size=(224, 224), design=one, workers=1)
    drawn = open_plate(again).sites[0].read(STAINS).astype(float)
    kept = next(s for s in open_plate(folder).sites if s.well == "B03").read(STAINS).astype(float)
    # Up to rounding: transcendental functions differ in their last bit between machines.
    assert np.abs(drawn - kept).mean() < 0.5
