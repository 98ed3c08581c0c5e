"""How the steps of the set-up lay out their fields."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.plain_text import plain
from napari_cellclip.vocabulary.user_folders import from_home

TABLES = "Tables (*.csv *.tsv *.txt *.xlsx *.xlsm *.gz)"


def side_by_side(first: QWidget, *others: QWidget) -> QHBoxLayout:
    """Lay out widgets in a row, the first one as wide as possible."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)  # that of a combo box is none on some styles
    layout.addWidget(first, 1)
    for widget in others:
        layout.addWidget(widget)
    return layout


def plain_form(parent: QWidget | None = None) -> QFormLayout:
    """Make a form whose fields take the width there is."""
    form = QFormLayout() if parent is None else QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setVerticalSpacing(3)
    return form


class Foldable(QWidget):
    """A button that shows and hides what lies below it; hidden at first.

    Parameters
    ----------
    title, tip : str
        Of the button.
    content : QWidget
        What is hidden.
    """

    def __init__(self, title: str, tip: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setToolTip(plain(tip))
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.content = content
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self._show)
        self._show(False)

    def _show(self, shown: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.content.setVisible(shown)


class PathField(QWidget):
    """A path that is typed or browsed for. The value is the path, ``None`` where it is empty.

    Parameters
    ----------
    what : str
        What is chosen, a title for the dialog.
    tip : str
        For the tooltip.
    folder : bool
        Whether it is a folder; else a table.
    empty : str
        Shown while it is empty.
    """

    valueChanged = Signal(object)

    def __init__(
        self, what: str, tip: str, folder: bool = True, empty: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._what, self._folder = what, folder
        self.line = QLineEdit()
        self.line.setAccessibleName(what)
        self.line.setPlaceholderText(empty)
        self.browse = QPushButton("Browse …")
        self.browse.setToolTip(plain(what))
        self.setToolTip(plain(tip))
        self.line.setToolTip(plain(tip))
        self.setLayout(side_by_side(self.line, self.browse))
        self.line.textChanged.connect(self._edited)
        self.browse.clicked.connect(self._choose)

    def value(self) -> Path | None:
        """Return the path, ``None`` for an empty line."""
        text = self.line.text().strip()
        return from_home(text) if text else None

    def setValue(self, path: Path | None) -> None:
        """Show a path."""
        self.line.setText("" if path is None else str(path))

    def _edited(self) -> None:
        self.valueChanged.emit(self.value())

    def _choose(self) -> None:
        if self._folder:
            name = QFileDialog.getExistingDirectory(self, self._what)
        else:
            name, _ = QFileDialog.getOpenFileName(self, self._what, "", TABLES)
        if name:
            self.line.setText(name)
