"""What is in the wheel and the sdist, and what napari says to the manifest."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from npe2 import PluginManifest
from packaging.version import Version


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
    for needed in (
        "napari.yaml",
        "py.typed",
        "vocabulary/mechanisms.json",
        "vocabulary/simulated_mechanisms.json",
        "model/demo/card.json",
    ):
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


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, no benchmarks, no notebooks: a second top folder would be a package of its own in everybody's environment."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"napari_cellclip"}


def test_version_comes_from_git_and_reaches_wheel_and_sdist(
    distributions: tuple[Path, Path], wheel: zipfile.ZipFile, sdist: tarfile.TarFile
) -> None:
    info = next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
    in_wheel = message_from_bytes(wheel.read(f"{info}/METADATA"))["Version"]
    top = sdist.getnames()[0].split("/")[0]
    record = sdist.extractfile(f"{top}/PKG-INFO")
    assert record is not None
    assert message_from_bytes(record.read())["Version"] == in_wheel
    assert Version(in_wheel) > Version("0.1.0.dev0"), "the fallback of an archive without history"


@pytest.mark.slow
def test_version_of_an_sdist_survives_without_git(
    distributions: tuple[Path, Path], tmp_path: Path, sdist: tarfile.TarFile
) -> None:
    sdist.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    assert version_of(folder) == distributions[1].name.removeprefix("napari_cellclip-").removesuffix(
        ".tar.gz"
    )


@pytest.mark.parametrize(("tag", "version"), [(None, "0.1.0.dev1"), ("v0.3.0", "0.3.0")])
def test_version_of_a_checkout(repository: Path, tmp_path: Path, tag: str | None, version: str) -> None:
    """A tag is the version; a checkout without tags counts its commits."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    commands = [["init", "-q"], ["add", "."], ["commit", "-qm", "first"]] + ([["tag", tag]] if tag else [])
    for words in commands:
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    assert version_of(tmp_path).split("+")[0] == version


def test_version_of_an_archive_without_history(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((repository / "pyproject.toml").read_bytes())
    assert version_of(tmp_path) == "0.1.0.dev0"


def version_of(folder: Path) -> str:
    """What hatch says the version of a source tree is."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "version"],
        cwd=folder,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_wheel_stays_small(distributions: tuple[Path, Path]) -> None:
    assert distributions[0].stat().st_size < 25e6, "20 MB of weights and little else"


def test_sdist_has_both_manifests(sdist: tarfile.TarFile) -> None:
    top = sdist.getnames()[0].split("/")[0]
    outside = sdist.extractfile(f"{top}/napari.yaml")
    inside = sdist.extractfile(f"{top}/napari_cellclip/napari.yaml")
    assert outside is not None
    assert inside is not None
    assert outside.read() == inside.read()


def test_manifest_is_valid(repository: Path) -> None:
    manifest = PluginManifest.from_file(repository / "napari_cellclip" / "napari.yaml")
    manifest.validate_imports()
    assert manifest.name == "napari-cellclip"
    assert {widget.display_name for widget in manifest.contributions.widgets or ()} >= {
        "Explorer",
        "Text query",
    }
    assert manifest.contributions.sample_data


def test_both_manifests_are_equal(repository: Path) -> None:
    """The one at the top is for people and a file of its own: links do not survive a checkout on Windows."""
    outside, inside = repository / "napari.yaml", repository / "napari_cellclip" / "napari.yaml"
    assert not outside.is_symlink()
    assert outside.read_bytes() == inside.read_bytes(), "cp napari_cellclip/napari.yaml napari.yaml"


def test_only_known_things_at_the_top(repository: Path) -> None:
    done = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=repository, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout: an sdist has no tree to list")
    shown = {name for name in done.stdout.split() if not name.startswith(".")}
    assert shown <= {
        "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks", "docs", "napari.yaml",
        "napari_cellclip", "notebooks", "pyproject.toml", "sample_data", "tests",
    }  # fmt: skip
