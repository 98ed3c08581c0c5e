"""What is declared is what is imported, and a plain install is enough for whom it is meant."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest

from tests.project.source_tree import imports, modules
from tests.project.test_contracts import BLOCK_QT

# Base dependencies that the way from a plate to an answer of the bundled model does not import, with the reason
# why they are no extra.
OFF_THE_PATH = {
    "imagecodecs": "plates of PNG, JPEG and JPEG 2000 files; tifffile decodes LZW and deflate with it",
    "huggingface-hub": "the published weights are fetched from the window, too",
    "numba": "compiles the loops of questions to many wells, and keeps what umap-learn compiles, which brings it",
    "openpyxl": "plate maps come as Excel, dropped on a window",
    "pyqtgraph": "the window's map; 2 MB of pure Python that napari does not bring",
    "pyyaml": "training settings; huggingface-hub brings it in any case",
    "scikit-learn": "clusters of the map and corrections; umap-learn brings it in any case",
    "timm": "channel encoders by name",
    "tqdm": "progress in terminal and notebook",
    "transformers": "DINOv2, the channel encoder of the published weights",
    "typer": "the terminal program",
    "umap-learn": "the map, drawn after the first answer",
    "zarr": "OME-Zarr plates",
}

WHOLE_PATH = """
from pathlib import Path
import napari_cellclip as n
from napari_cellclip.explore import pca_map
from napari_cellclip.plates import find_platemap
from napari_cellclip.simulation import simulate_plate

if __name__ == "__main__":
    out = Path(sys.argv[1])
    folder = simulate_plate(out / "plate", wells=6, sites=1, seed=5, size=(96, 96), workers=1)
    plate = n.open_plate(folder)
    platemap = n.PlateMap.read(find_platemap(folder))
    screen = n.encode(plate, platemap, n.load_model("demo", device="cpu"), out / "screen", workers=0)
    answer = n.ask(screen, "tubulin inhibitor")
    print(len(plate.wells), len(answer.scores), len(pca_map(screen).ids))
    print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def names_of(requirements: Iterable[str]) -> set[str]:
    """Distributions of requirement lines."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {name[0].lower().replace("_", "-") for name in found if name}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def base(project: dict[str, Any]) -> set[str]:
    return names_of(project["dependencies"])


@pytest.fixture(scope="module")
def imported(repository: Path) -> list[tuple[str, str, bool]]:
    """Subpackage, distribution, and whether the import stands in a function, for every import from outside."""
    known, owners = modules(repository), packages_distributions()
    found = []
    for module in known.values():
        for one in imports(module, known):
            top = one.module.split(".")[0]
            if top in sys.stdlib_module_names or top == "napari_cellclip" or one.typing_only:
                continue
            for owner in owners.get(top, [top]):
                found.append((module.subpackage, owner.lower().replace("_", "-"), one.in_function))
    return found


def test_every_import_is_declared(project: dict[str, Any], imported: list[tuple[str, str, bool]]) -> None:
    lines = [line for extra in project["optional-dependencies"].values() for line in extra]
    declared = names_of(project["dependencies"]) | names_of(lines)
    assert {owner for _, owner, _ in imported} <= declared


def test_core_loads_with_base_dependencies_alone(
    base: set[str], imported: list[tuple[str, str, bool]]
) -> None:
    """What extras bring is imported in functions, where a missing one can be named in a sentence."""
    at_top = {owner for subpackage, owner, in_function in imported if subpackage != "gui" and not in_function}
    assert at_top <= base


def test_window_needs_nothing_that_neither_napari_nor_the_base_brings(
    base: set[str], imported: list[tuple[str, str, bool]]
) -> None:
    """`pip install napari-cellclip` in an environment that has napari gives a working plugin."""
    with_napari = {"napari", *names_of(line for line in requires("napari") or () if "extra ==" not in line)}
    needed = {owner for subpackage, owner, _ in imported if subpackage == "gui"}
    assert needed <= base | with_napari


def test_every_base_dependency_is_imported(base: set[str], imported: list[tuple[str, str, bool]]) -> None:
    assert base <= {owner for _, owner, _ in imported}


def test_base_brings_no_window(base: set[str]) -> None:
    assert not base & {"napari", "magicgui", "qtpy", "superqt", "psygnal", "pyqt6", "pyside6", "scikit-image"}


def test_all_brings_a_window(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    (all_of,) = extras["all"]
    assert {"gui", "qt"} <= set(all_of.split("[")[1].rstrip("]").split(","))
    assert "napari" in names_of(extras["gui"])


@pytest.mark.slow
def test_whole_path_works_without_the_window(tmp_path: Path, base: set[str]) -> None:
    """Simulate, open, encode, map and ask in an interpreter without Qt and napari; what that imports is the base."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCK_QT + WHOLE_PATH, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    counts, loaded = done.stdout.strip().splitlines()[-2:]
    assert counts == "6 6 6"
    owners = packages_distributions()
    on_the_path = {
        owner.lower().replace("_", "-") for top in loaded.split() for owner in owners.get(top, [top])
    }
    # Others may import one of them for reasons of their own: the list names what need not be there.
    assert base - on_the_path <= set(OFF_THE_PATH)
    assert set(OFF_THE_PATH) <= base
