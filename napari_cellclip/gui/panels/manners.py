"""What every control has in common: the wheel changes nothing, Tab goes downwards and leaves tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QWidget,
)

if TYPE_CHECKING:
    from napari_cellclip.gui.state.edits import Edits


class WheelGuard(QObject):
    """Keeps the wheel from changing a value under the pointer; what lies around it scrolls instead."""

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True


def offer_undo(window: QWidget, edits: Edits) -> None:
    """Let the keys of undo and redo work wherever the focus is in a widget; text fields keep their own."""
    for keys, action in (
        (QKeySequence.StandardKey.Undo, edits.undo),
        (QKeySequence.StandardKey.Redo, edits.redo),
    ):
        shortcut = QShortcut(QKeySequence(keys), window)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(action)


def mind_manners(window: QWidget) -> None:
    """Give all controls in a widget the same manners; called once they are all made."""
    guard = WheelGuard(window)
    for kind in (QComboBox, QAbstractSpinBox):
        for widget in window.findChildren(kind):
            widget.installEventFilter(guard)
            if widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    # A line would take the path of a dropped plate as text, and a graphics view takes all for its scene.
    for widget in (*window.findChildren(QLineEdit), *window.findChildren(QAbstractScrollArea)):
        widget.setAcceptDrops(False)
    for area in window.findChildren(QAbstractScrollArea):
        if (viewport := area.viewport()) is not None:
            viewport.setAcceptDrops(False)
    for view in window.findChildren(QAbstractItemView):
        if not isinstance(view.parent(), QComboBox):
            view.setTabKeyNavigation(False)


def tab_through(panel: QWidget, parts: Sequence[QWidget]) -> None:
    """Let Tab go through parts of a panel in this order, and through each in the order that it has.

    A control that lies in several of them belongs to the last one.
    """
    # The controls of a panel follow it. On PySide a walk through those of napari keeps its window for ever.
    stops: list[list[QWidget]] = [[] for _ in parts]
    widget = panel.nextInFocusChain()
    while widget is not panel and panel.isAncestorOf(widget):
        within = [place for place, part in enumerate(parts) if part.isAncestorOf(widget)]
        if within and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            stops[within[-1]].append(widget)
        widget = widget.nextInFocusChain()
    for one, following in pairwise(widget for part in stops for widget in part):
        QWidget.setTabOrder(one, following)
