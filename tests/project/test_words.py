"""Plain words of the field: what this project once called things in a language of its own stays out."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.source_tree import modules

# Word -> what to write. In names and in prose.
INSTEAD = {
    "wish": "request",
    "wishes": "requests",
    "wished": "requested",
    "lit": "highlighted",
    "judged": "tested, scored",
    "rooms": "subpackages",
    "house": "project",
    "taught": "trained on, in the model's vocabulary",
    "familiar": "in the model's vocabulary",
    "familiarity": "vocabulary check",
}
# In names only: good English in a sentence, no name for a thing.
NAMES = INSTEAD | {
    "said": "message",
    "where": "heat_map, place, rows",
    "judge": "test, score",
    "room": "subpackage, space",
}

# A first word that names an answer or a thing, where the docstring of a function names its task.
NO_TASK = {"What", "Whether", "Where", "Which", "How", "Who", "Why", "The", "A", "An"}
# The same for classes, whose docstring names a thing.
NO_THING = NO_TASK - {"The", "A", "An"}
# Decorators that make an attribute of a method: its docstring may name the thing.
ATTRIBUTES = {"property", "cached_property", "read_once", "setter"}


def parts(name: str) -> list[str]:
    """The words of a name: ``ask_wished`` and ``AskWished`` give the same."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names_given(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that code defines: classes, functions, arguments, variables and attributes that are set."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def prose(text: str, words: dict[str, str]) -> list[str]:
    """Words of a text that stay out; what stands in backticks is a name of code or a stored key."""
    return [word for word in re.findall(r"[a-z]+", re.sub(r"`[^`]*`", "", text).lower()) if word in words]


def docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Last names of the decorators: ``cached_property`` of ``functools.cached_property``."""
    calls = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return {ast.unparse(call).rsplit(".", 1)[-1] for call in calls}


def public_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods without an underscore, no properties; what a function defines inside is its own."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from public_functions(node)
        elif not node.name.startswith("_") and not decorators(node) & ATTRIBUTES:
            yield node


def without_task(tree: ast.AST) -> list[tuple[str, int, str]]:
    """Name, line and first words of every public function whose docstring does not begin with its task."""
    found = []
    for function in public_functions(tree):
        words = (ast.get_docstring(function) or "").split()
        if words and words[0].rstrip(",.:;") in NO_TASK:
            found.append((function.name, function.lineno, " ".join(words[:4])))
    return found


def without_thing(tree: ast.AST) -> list[tuple[str, int, str]]:
    """The same of public classes whose docstring does not begin with the thing that they are."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            words = (ast.get_docstring(node) or "").split()
            if words and words[0].rstrip(",.:;") in NO_THING:
                found.append((node.name, node.lineno, " ".join(words[:4])))
    return found


def window_texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Constants with a space in them: what the window may show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.value, node.lineno


def pages(repository: Path) -> list[Path]:
    return [*sorted(repository.glob("*.md")), *sorted((repository / "docs").glob("*.md"))]


def of_package(repository: Path) -> list[str]:
    """Every finding in the code, as ``file:line word``."""
    found = []
    for module in modules(repository).values():
        file = module.file.relative_to(repository).as_posix()
        for name, line in names_given(module.tree):
            for word in parts(name):
                if word in NAMES:
                    found.append(f"{file}:{line} the name {name!r}: {NAMES[word]}")
        for text in docstrings(module.tree):
            found += [f"{file} a docstring says {word!r}: {INSTEAD[word]}" for word in prose(text, INSTEAD)]
        if module.subpackage in ("gui", "cli", "explore"):
            for text, line in window_texts(module.tree):
                found += [f"{file}:{line} a text says {w!r}: {INSTEAD[w]}" for w in prose(text, INSTEAD)]
    return sorted(set(found))


def test_code_uses_plain_words(repository: Path) -> None:
    assert of_package(repository) == []


def test_docstrings_name_the_task_or_the_thing(repository: Path) -> None:
    found = [
        f"{module.file.relative_to(repository).as_posix()}:{line} {name}: {words!r}"
        for module in modules(repository).values()
        for name, line, words in (*without_task(module.tree), *without_thing(module.tree))
    ]
    assert found == []  # "Compute …", "Find …", "Tell whether …"; "Contributions of the stains …"


def test_classes_without_a_thing_are_found() -> None:
    code = "class A:\n    'What is left.'\n\nclass B:\n    'A rest.'\n\nclass _C:\n    'How it is.'"
    assert [name for name, _, _ in without_thing(ast.parse(code))] == ["A"]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def f():\n    'What is left.'", ["f"]),
        ('async def f():\n    """Whether it is.\n\n    More.\n    """', ["f"]),
        ("class A:\n    'A thing.'\n    @staticmethod\n    def f():\n        'The thing.'", ["f"]),
        ("if True:\n    def f():\n        'A: b.'", ["f"]),
        ("class A:\n    @property\n    def f(self):\n        'The thing.'", []),
        ("class A:\n    @functools.cached_property\n    def f(self):\n        'The thing.'", []),
        ("def _f():\n    'What is left.'", []),
        ("def f():\n    'Tell whether it is.'\n    def g():\n        'The thing.'", []),
        ("def f():\n    'Theory first.'", []),
        ("def f():\n    ''", []),
    ],
)
def test_functions_without_a_task_are_found(code: str, names: list[str]) -> None:
    assert [name for name, _, _ in without_task(ast.parse(code))] == names


def test_pages_use_plain_words(repository: Path) -> None:
    found = []
    for page in pages(repository):
        name = page.relative_to(repository).as_posix()
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{name}:{number} {word!r}: {INSTEAD[word]}" for word in prose(line, INSTEAD)]
    assert found == []


def test_notebooks_use_plain_words(repository: Path) -> None:
    found = []
    for notebook in sorted((repository / "notebooks").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            found += [
                f"notebooks/{notebook.name} {word!r}" for word in prose("".join(cell["source"]), INSTEAD)
            ]
    assert found == []


@pytest.mark.parametrize("name", ["ask_wished", "AskWished", "_ROOM_OF", "lit", "isFamiliar", "where_found"])
def test_names_are_taken_apart(name: str) -> None:
    assert set(parts(name)) & set(NAMES)


@pytest.mark.parametrize("name", ["split", "literature", "warehouse", "mushroom", "somewhere"])
def test_parts_of_other_words_are_left_alone(name: str) -> None:
    assert not set(parts(name)) & set(NAMES)
