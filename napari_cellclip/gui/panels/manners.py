"""What every control has in common: the wheel changes nothing, Tab leaves tables, drops are the window's."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QWidget,
)


class WheelGuard(QObject):
    """Keeps the wheel from changing a value under the pointer; what lies around it scrolls instead."""

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True


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
