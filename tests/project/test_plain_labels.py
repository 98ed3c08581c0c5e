"""Names out of files reach a Qt label or tooltip as text only, whatever markup they hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.project.source_tree import modules

REPOSITORY = Path(__file__).parents[2]
GUESSING = {"QLabel", "QElidingLabel", "QMessageBox", "QErrorMessage", "QTextBrowser", "QTextEdit"}
"""Classes that read text as markup where it looks like it: ``gui/plain_text.py`` has what to use instead."""
SHOWING = {"setToolTip", "setStatusTip", "setWhatsThis", "show_info", "show_warning", "show_error"}
ESCAPED = {  # modules that show markup of their own, made with html.escape
    "napari_cellclip.gui.panels.explain.contributions_panel",
    "napari_cellclip.gui.panels.explain.describe_panel",
    "napari_cellclip.gui.panels.explain.heat_map_panel",
    "napari_cellclip.gui.panels.setup.stain_table",
}
TOOLTIPS = {  # QToolTip.showText of Thumbnails.tooltip, which is made with html.escape
    "napari_cellclip.gui.panels.hits.chips",
    "napari_cellclip.gui.panels.explain.tile_strip",  # through plain()
    "napari_cellclip.gui.panels.wells.plate_view",
    "napari_cellclip.gui.panels.wells.map_view",
}


def is_safe(text: ast.expr) -> bool:
    """Whether an argument is a text of the program itself, or went through ``plain``."""
    match text:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name.isupper()
        case ast.BinOp(left=left, right=right):
            return is_safe(left) and is_safe(right)
        case ast.IfExp(body=left, orelse=right):
            return is_safe(left) and is_safe(right)
        case ast.Call(func=ast.Name(id=name)):
            return name == "plain"
    return False


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            yield function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""), node


def unsafe(tree: ast.AST, module: str) -> Iterator[str]:
    """Lines of a module of the window where text of files could be read as markup."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in sorted({alias.name for alias in node.names} & GUESSING):
                yield f"{module}:{node.lineno}: {name}: use PlainLabel or PlainElidingLabel"
            if {alias.name for alias in node.names} & {"RichLabel"} and module not in ESCAPED:
                yield f"{module}:{node.lineno}: RichLabel only where html.escape is used, and listed here"
    for name, call in calls(tree):
        texts = [*call.args, *(keyword.value for keyword in call.keywords)]
        if name in SHOWING and texts and not is_safe(texts[-1]):
            yield f"{module}:{call.lineno}: {name}(plain(…)) keeps Qt from guessing that it is markup"
        if name == "showText" and module not in TOOLTIPS:
            yield f"{module}:{call.lineno}: showText only of escaped markup, and listed here"
        if name == "addRow" and len(texts) == 2 and not is_safe(texts[0]):
            yield f"{module}:{call.lineno}: addRow makes a QLabel of its text: pass a PlainLabel"


def test_the_window_makes_labels_that_do_not_guess() -> None:
    found = []
    for name, module in modules(REPOSITORY).items():
        if module.subpackage == "gui" and name != "napari_cellclip.gui.plain_text":
            found += list(unsafe(module.tree, name))
    assert not found, "\n".join(found)


def test_what_guesses_is_found() -> None:
    bad = (
        "from qtpy.QtWidgets import QLabel\nwidget.setToolTip(name)\nitem.setToolTip(1, f'{name}')\n"
        "form.addRow(name, widget)\nshow_error(message)\nQToolTip.showText(place, text, self)\n"
    )
    good = "widget.setToolTip('Open' if a else TIP + 'x')\nitem.setToolTip(1, plain(name))\nform.addRow('Plate', w)"
    assert len(list(unsafe(ast.parse(bad), "gui.x"))) == 6
    assert not list(unsafe(ast.parse(good), "gui.x"))
