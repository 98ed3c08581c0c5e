"""The package as its source says it is: modules, what each imports and where, read without importing any."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "napari_cellclip"


@dataclass(frozen=True)
class Imported:
    """One import statement, resolved."""

    module: str  # of this package, or a name from outside
    in_function: bool
    typing_only: bool
    line: int


@dataclass(frozen=True)
class Module:
    name: str
    file: Path
    tree: ast.Module

    @property
    def subpackage(self) -> str:
        """``plates`` of ``napari_cellclip.plates.images.npz``; empty for the package itself."""
        return [*self.name.split("."), ""][1]

    @property
    def lines(self) -> int:
        return len(self.file.read_text(encoding="utf-8").splitlines())


def modules(repository: Path) -> dict[str, Module]:
    """All modules of the package, by name."""
    found = {}
    for file in sorted((repository / PACKAGE).rglob("*.py")):
        parts = file.relative_to(repository).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, file, ast.parse(file.read_text(encoding="utf-8")))
    return found


def imports(module: Module, known: dict[str, Module]) -> Iterator[Imported]:
    """What a module imports, ``from package import module`` resolved to the module."""
    yield from _walk(module.tree, module, known, in_function=False, typing_only=False)


def _walk(
    node: ast.AST, module: Module, known: dict[str, Module], *, in_function: bool, typing_only: bool
) -> Iterator[Imported]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for name in _names(child, module, known):
                yield Imported(name, in_function, typing_only, child.lineno)
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing = typing_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test))
        yield from _walk(child, module, known, in_function=inside, typing_only=typing)


def _names(node: ast.Import | ast.ImportFrom, module: Module, known: dict[str, Module]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        above = module.name.split(".")
        up = node.level - (module.file.name == "__init__.py")
        above = above[: len(above) - up]
        base = ".".join([*above, node.module] if node.module else above)
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Circles of a directed graph: its strongly connected components of more than one node (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            circle = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return found
