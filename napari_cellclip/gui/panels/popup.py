"""A frame that opens over the window and moves nothing in it."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFrame, QVBoxLayout, QWidget


class Popup(QFrame):
    """Hold a widget that is shown below another one until Escape, or a click elsewhere.

    Parameters
    ----------
    content : QWidget
        What is shown.
    parent : QWidget
        Owner; the popup goes with it.
    """

    def __init__(self, content: QWidget, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(content)
        content.show()

    def open_below(self, anchor: QWidget, width: int) -> None:
        """Open below a widget, so wide, and within its screen."""
        available = anchor.screen().availableGeometry()
        width = min(width, available.width())
        self.setFixedWidth(width)
        layout = self.layout()
        assert layout is not None
        self.ensurePolished()
        frame = self.size() - self.contentsRect().size()
        inside = layout.heightForWidth(width - frame.width())
        height = inside + frame.height() if layout.hasHeightForWidth() else self.sizeHint().height()
        self.resize(width, min(height, available.height() // 2))
        corner = anchor.mapToGlobal(QPoint(0, anchor.height()))
        corner.setX(max(available.left(), min(corner.x(), available.right() - width)))
        corner.setY(max(available.top(), min(corner.y(), available.bottom() - self.height())))
        self.move(corner)
        self.show()
