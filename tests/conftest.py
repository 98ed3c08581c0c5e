"""What all tests share: where real data lies, and a cache folder of their own."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from napari_cellclip.model.triton_mesa import isolate_triton_from_mesa

# A busy machine is no failure: Hypothesis sets every example 200 ms by the clock, and a second to what draws ten.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

# No test reaches for weights on the network; must be set before transformers is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests come in any order: each draws the numbers that it would draw alone.

    And once one has drawn a canvas, torch may no longer load Triton unprepared.
    """
    isolate_triton_from_mesa()
    random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


REPOSITORY = Path(__file__).resolve().parents[1]


def _shared() -> Path | None:
    """Folder with real data and golden numbers: beside the checkout, or where the variable says."""
    if named := os.environ.get("NAPARI_CELLCLIP_SHARED"):
        return Path(named)
    candidates = (parent / "shared" for parent in REPOSITORY.parents)
    return next((found for found in candidates if (found / "data").is_dir()), None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Top of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real Cell Painting fields; the test is skipped where it is absent."""
    shared = _shared()
    if shared is None or not (shared / "data").is_dir():
        pytest.skip("no real data here: set NAPARI_CELLCLIP_SHARED to the folder that holds data/")
    return shared / "data"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of golden numbers; the test is skipped where it is absent."""
    shared = _shared()
    if shared is None or not (shared / "reference" / "golden").is_dir():
        pytest.skip("no golden numbers here: set NAPARI_CELLCLIP_SHARED to the folder that holds reference/")
    return shared / "reference" / "golden"


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests out of the user's cache; subprocesses inherit it."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("NAPARI_CELLCLIP_CACHE")
    os.environ["NAPARI_CELLCLIP_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["NAPARI_CELLCLIP_CACHE"]
    else:
        os.environ["NAPARI_CELLCLIP_CACHE"] = before
