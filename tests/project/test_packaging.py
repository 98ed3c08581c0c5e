"""What is in the wheel and the sdist, and what napari says to the manifest."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from npe2 import PluginManifest


@pytest.fixture(scope="module")
def distributions(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist of the checkout, built without network."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--sdist", "--no-isolation", "--outdir", out, repository],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.fixture
def wheel(distributions: tuple[Path, Path]) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(distributions[0]) as archive:
        yield archive


@pytest.fixture
def sdist(distributions: tuple[Path, Path]) -> Iterator[tarfile.TarFile]:
    with tarfile.open(distributions[1]) as archive:
        yield archive


def test_wheel_holds_all_the_package_needs(wheel: zipfile.ZipFile, repository: Path) -> None:
    names = set(wheel.namelist())
    for needed in ("napari.yaml", "py.typed", "vocabulary/mechanisms.json", "model/demo/card.json"):
        assert f"napari_cellclip/{needed}" in names
    assert any(
        name.startswith("napari_cellclip/model/demo/") and name.endswith(".safetensors") for name in names
    )
    tracked = subprocess.run(
        ["git", "ls-files", "napari_cellclip"], cwd=repository, capture_output=True, text=True, check=False
    ).stdout.split()
    assert set(tracked) <= names, "a file of the package did not get into the wheel"


def test_wheel_names_entry_points_and_licence(wheel: zipfile.ZipFile) -> None:
    info = next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "[napari.manifest]\nnapari-cellclip = napari_cellclip:napari.yaml" in entry_points
    assert "napari-cellclip = napari_cellclip.cli:app" in entry_points
    metadata = message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert "Framework :: napari" in metadata.get_all("Classifier", [])
    assert "BSD 3-Clause License" in wheel.read(f"{info}/licenses/LICENSE").decode()


def test_base_dependencies_bring_no_qt_binding(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    base = " ".join(project["dependencies"]).lower()
    assert "pyqt6" not in base
    assert "pyside" not in base
    assert "napari[" not in base
    assert any(line.startswith("PyQt6") for line in project["optional-dependencies"]["qt"])


def test_wheel_stays_small(distributions: tuple[Path, Path]) -> None:
    assert distributions[0].stat().st_size < 25e6, "20 MB of weights and little else"


def test_sdist_has_the_manifest_where_its_link_points(sdist: tarfile.TarFile) -> None:
    top = sdist.getnames()[0].split("/")[0]
    linked = sdist.extractfile(f"{top}/napari.yaml")
    inside = sdist.extractfile(f"{top}/napari_cellclip/napari.yaml")
    assert linked is not None
    assert inside is not None
    assert linked.read() == inside.read()


def test_manifest_is_valid(repository: Path) -> None:
    manifest = PluginManifest.from_file(repository / "napari_cellclip" / "napari.yaml")
    manifest.validate_imports()
    assert manifest.name == "napari-cellclip"
    assert {widget.display_name for widget in manifest.contributions.widgets or ()} >= {
        "Explorer",
        "Text query",
    }
    assert manifest.contributions.sample_data


def test_top_level_manifest_is_a_link(repository: Path) -> None:
    link = repository / "napari.yaml"
    assert link.is_symlink()
    assert os.readlink(link) == "napari_cellclip/napari.yaml"


def test_only_known_things_at_the_top(repository: Path) -> None:
    done = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=repository, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout: an sdist has no tree to list")
    shown = {name for name in done.stdout.split() if not name.startswith(".")}
    assert shown <= {
        "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks", "docs", "napari.yaml",
        "napari_cellclip", "notebooks", "pyproject.toml", "sample_data", "tests",
    }  # fmt: skip
