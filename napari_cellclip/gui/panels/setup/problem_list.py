"""What could not be read or encoded, each with its reason."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTreeWidget, QTreeWidgetItem, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.state.session import Session

LISTED = 200
NONE = "All images could be used."


class ProblemList(QTreeWidget):
    """Problems of the plate and failures of the screen.

    Parameters
    ----------
    session : Session
        Read only.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setHeaderLabels(["Image", "Problem"])
        self.setRootIsDecorated(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setColumnWidth(0, 9 * self.fontMetrics().averageCharWidth() + 12)
        self.setAccessibleName("Problems")
        self.setToolTip("What could not be read or encoded, and why")
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.screen_grew, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """List the problems of what is open now."""
        rows: list[tuple[str, str]] = []
        if self._session.plate is not None:
            rows += [(p.subject, p.what) for p in self._session.plate.problems]
        if self._session.screen is not None:
            from napari_cellclip.screen.storage.failures import reasons

            rows += reasons(self._session.screen.failures)
        self.clear()
        for image, problem in rows[:LISTED]:
            item = QTreeWidgetItem([image, problem])
            item.setToolTip(0, plain(image))
            item.setToolTip(1, plain(problem))
            self.addTopLevelItem(item)
        if len(rows) > LISTED:
            self.addTopLevelItem(QTreeWidgetItem(["…", f"and {len(rows) - LISTED} more"]))
        if not rows:
            self.addTopLevelItem(QTreeWidgetItem([NONE]))
            self.topLevelItem(0).setToolTip(0, plain(NONE))
        self.setFirstColumnSpanned(0, self.rootIndex(), not rows)
        self.setHeaderHidden(not rows)
