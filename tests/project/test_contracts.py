"""Which room may import which, and what a plain import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = ("plates", "model", "screen", "explore", "simulation", "training", "evaluation")
HEAVY = ("torch", "transformers", "timm", "napari", "qtpy", "PyQt6", "PySide6", "pyqtgraph", "magicgui")

BLOCK_QT = """
import sys
class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "napari", "superqt", "pyqtgraph",
                                  "magicgui"}:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, NoQt())
"""


def run(code: str, *arguments: str) -> str:
    """Run code in an interpreter of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_rooms_keep_to_their_imports(repository: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_vocabulary_needs_only_numpy_pandas_and_platformdirs(repository: Path) -> None:
    # RDKit is an extra: canonical structures are made with it where it is there.
    allowed = sys.stdlib_module_names | {"numpy", "pandas", "platformdirs", "rdkit"}
    for file in sorted((repository / "napari_cellclip" / "vocabulary").glob("**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                inside = name.startswith("napari_cellclip.vocabulary")
                assert inside or name.split(".")[0] in allowed, f"{file.name} imports {name}"


@pytest.mark.parametrize("module", ["napari_cellclip", "napari_cellclip.plates", "napari_cellclip.cli"])
def test_import_loads_neither_torch_nor_qt_nor_napari(module: str) -> None:
    code = f"import sys, {module}; print(*[n for n in {HEAVY!r} if n in sys.modules])"
    assert run(code) == ""


def test_public_names_are_all_there() -> None:
    """Every lazy name of the package resolves, so that the table of rooms cannot go stale."""
    code = (
        "import napari_cellclip as n\n"
        "for name in n.__all__: assert getattr(n, name) is not None, name\n"
        "print(len(n.__all__))"
    )
    assert int(run(code)) >= 10


def test_rooms_import_where_no_qt_is_installed() -> None:
    imports = "\n".join(f"import napari_cellclip.{room}" for room in ROOMS)
    assert run(f"{BLOCK_QT}{imports}\nprint('ok')") == "ok"


def test_the_block_would_be_noticed() -> None:
    """The interpreter used above really has no Qt: otherwise the test before this one proves nothing."""
    code = BLOCK_QT + "\ntry:\n    import qtpy\nexcept ModuleNotFoundError:\n    print('blocked')"
    assert run(code) == "blocked"


@pytest.mark.slow
def test_whole_path_works_where_no_qt_is_installed(tmp_path: Path) -> None:
    """Simulate, open, encode, map and ask in an interpreter without Qt."""
    code = (
        BLOCK_QT
        + """
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
"""
    )
    assert run(code, str(tmp_path)) == "6 6 6"
