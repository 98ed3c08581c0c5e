"""Which subpackage may import which, and what a plain import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SUBPACKAGES = ("plates", "model", "screen", "explore", "simulation", "training", "evaluation")
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


def test_subpackages_keep_to_their_imports(repository: Path) -> None:
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
    """Every lazy name of the package resolves, so that the table cannot go stale."""
    code = (
        "import napari_cellclip as n\n"
        "for name in n.__all__: assert getattr(n, name) is not None, name\n"
        "print(len(n.__all__))"
    )
    assert int(run(code)) >= 10


def test_subpackages_import_where_no_qt_is_installed() -> None:
    imports = "\n".join(f"import napari_cellclip.{name}" for name in SUBPACKAGES)
    assert run(f"{BLOCK_QT}{imports}\nprint('ok')") == "ok"


@pytest.mark.slow
def test_every_module_outside_the_window_imports_where_no_qt_is_installed() -> None:
    """Not the subpackages' faces alone: no module reaches for napari, magicgui, pyqtgraph, superqt or qtpy."""
    code = (
        BLOCK_QT
        + """
import importlib, pkgutil, napari_cellclip
names = [m.name for m in pkgutil.walk_packages(napari_cellclip.__path__, "napari_cellclip.", onerror=lambda _: None)]
names = [n for n in names if not n.startswith("napari_cellclip.gui") and not n.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names) > 100)
"""
    )
    assert run(code) == "True"


def test_demo_without_a_window_says_what_to_install(tmp_path: Path) -> None:
    code = (
        BLOCK_QT
        + """
from napari_cellclip.cli import app
try:
    app(["demo", "--screenshot", sys.argv[1]])
except SystemExit as end:
    print(end.code)
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "demo.png")], capture_output=True, text=True, check=False
    )
    assert "napari-cellclip[gui]" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert "simulat" not in done.stderr, "nothing was begun"


def test_the_block_would_be_noticed() -> None:
    """The interpreter used above really has no Qt: otherwise the test before this one proves nothing."""
    code = BLOCK_QT + "\ntry:\n    import qtpy\nexcept ModuleNotFoundError:\n    print('blocked')"
    assert run(code) == "blocked"
