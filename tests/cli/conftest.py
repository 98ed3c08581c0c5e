"""A small simulated plate and its screen, both made by the program itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.cli_terminal import succeed


@pytest.fixture(scope="session")
def plate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 simulated wells of one small site each."""
    out = tmp_path_factory.mktemp("cli") / "tiny"
    succeed("simulate", out, "--wells", "24", "--sites", "1", "--seed", "3", "--size", "96")
    return out


@pytest.fixture(scope="session")
def screen_folder(plate_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The screen of that plate by the bundled model."""
    out = tmp_path_factory.mktemp("cli") / "screen"
    words = (
        "encode",
        plate_folder,
        "--platemap",
        plate_folder / "platemap.csv",
        "--device",
        "cpu",
        "--out",
        out,
    )
    assert succeed(*words).stdout.split() == [str(out)]
    return out
