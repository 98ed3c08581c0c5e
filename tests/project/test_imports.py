"""No circles inside a subpackage, nothing that hides one, and folders and files that can be read in a sitting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.project.source_tree import Module, cycles, imports, modules

MODULES_IN_A_FOLDER = 16
LINES_OF_A_FILE = 400

# Files that napari or the terminal program start at, with the reason why they import their own subpackage late.
STARTS = {
    "napari_cellclip.gui.readers": "napari imports it for every path that is opened, a plate or not",
    "napari_cellclip.gui.sample": "napari imports it when it lists samples",
    "napari_cellclip.gui.forms": "a form that is only shown needs no torch behind the controller",
    "napari_cellclip.gui.demo": "imported before the viewer is there, whose settings decide the Qt binding",
}
# Folders that are one flat list by nature, with the reason.
LONG_FOLDERS = {"cli": "one verb a file"}
LONG_FILES: dict[str, str] = {}
# Parts of a subpackage that need each other, with the reason.
KNIT = {
    "model": "a card describes its encoder, whose settings it checks, and weights are read by both",
    "gui": "the controller draws on the canvas, which starts jobs of its own to read images",
}


@pytest.fixture(scope="module")
def package(repository: Path) -> dict[str, Module]:
    return modules(repository)


def is_package(name: str, package: dict[str, Module]) -> bool:
    return package[name].file.name == "__init__.py"


def test_no_circle_inside_a_subpackage(package: dict[str, Module]) -> None:
    """Imports for type checkers only count too: who cannot be read without the other is one module."""
    edges: dict[str, set[str]] = {name: set() for name in package}
    for name, module in package.items():
        for found in imports(module, package):
            inside = found.module in package and package[found.module].subpackage == module.subpackage
            # A package imports its modules to show their names; what they import of it is checked below.
            if inside and module.subpackage and not is_package(name, package):
                edges[name].add(found.module)
    assert cycles(edges) == []


def test_no_circle_between_the_parts_of_a_folder(package: dict[str, Module]) -> None:
    """A sub-folder counts as one part: what it needs of its neighbours, these do not need of it."""
    edges: dict[str, set[str]] = {}
    for name, module in package.items():
        for found in imports(module, package):
            inside = found.module in package and package[found.module].subpackage == module.subpackage
            if inside and module.subpackage not in {"", *KNIT} and not is_package(name, package):
                one, other = name.split("."), found.module.split(".")
                depth = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
                if depth is not None:
                    edges.setdefault(".".join(one[: depth + 1]), set()).add(".".join(other[: depth + 1]))
    assert cycles(edges) == []


def test_no_module_imports_the_package_it_lies_in(package: dict[str, Module]) -> None:
    """``from napari_cellclip.model import ModelCard`` inside ``model`` runs in a circle through ``__init__``."""
    for name, module in package.items():
        for found in imports(module, package):
            above = found.module != "napari_cellclip" and name.startswith(f"{found.module}.")
            assert not (above and is_package(found.module, package)), f"{name}:{found.line} {found.module}"


def test_no_import_in_a_function_hides_one(package: dict[str, Module]) -> None:
    """Imports in functions are for what is heavy: other libraries, other subpackages.

    Those that stay count as any other where circles are looked for, so that none of them hides one.
    """
    hidden = set()
    for name, module in package.items():
        for found in imports(module, package):
            inside = found.module in package and package[found.module].subpackage == module.subpackage
            if found.in_function and inside and module.subpackage and name not in STARTS:
                hidden.add((name, found.module))
    assert sorted(hidden) == []


def test_folders_hold_about_a_dozen_modules(package: dict[str, Module], repository: Path) -> None:
    counts = Counter(
        module.file.parent.relative_to(repository / "napari_cellclip").as_posix()
        for module in package.values()
        if module.file.name != "__init__.py"
    )
    long = {folder for folder, number in counts.items() if number > MODULES_IN_A_FOLDER}
    assert sorted(long - set(LONG_FOLDERS)) == []


def test_files_are_read_in_one_sitting(package: dict[str, Module]) -> None:
    long = {name: module.lines for name, module in package.items() if module.lines > LINES_OF_A_FILE}
    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}


def test_circles_are_found() -> None:
    """Otherwise an empty list proves nothing."""
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f"}, "f": {"a"}}
    assert cycles(edges) == [["b", "c"]]


def test_imports_are_read_as_python_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "napari_cellclip" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "napari_cellclip" / "__init__.py").write_text("")
    (folder / "__init__.py").write_text("from .first import A\n")
    (folder / "first.py").write_text("class A: ...\ndef f():\n    from . import second\n")
    (folder / "second.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .first import A\n"
    )
    found = modules(tmp_path)
    of = {name.removeprefix("napari_cellclip"): list(imports(m, found)) for name, m in found.items()}
    assert [(i.module, i.in_function) for i in of[".one.first"]] == [("napari_cellclip.one.second", True)]
    assert [i.module for i in of[".one"]] == ["napari_cellclip.one.first"]
    assert [(i.module, i.typing_only) for i in of[".one.second"]] == [
        ("typing", False),
        ("napari_cellclip.one.first", True),
    ]
