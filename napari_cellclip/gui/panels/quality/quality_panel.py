"""The QC tab: what could not be used, sites that stand out in quality, and batch correction."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSplitter, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.quality.site_table import SiteTable
from napari_cellclip.gui.panels.setup.problem_list import ProblemList
from napari_cellclip.gui.plain_text import PlainLabel
from napari_cellclip.gui.state.requests import CorrectRequest, ExcludeRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.vocabulary import CellClipError

CORRECTIONS = {
    "none": "No correction",
    "center": "Plates standardised on controls",
    "sphering": "Sphering on controls",
    "tvn": "Typical variation (TVN)",
    "harmony": "Harmony",
}
TIP = (
    "Take batch effects out of the embeddings, on which map and 'like selection' rest; answers say so.\n"
    "Words can be asked without a correction, or after sphering, through which they go too.\n"
    "Nothing is written. Before and after with replicates: napari-cellclip correct SCREEN"
)
BY_HAND = "excluded in the window"


class QualityPanel(QWidget):
    """Problems, flagged sites with *Exclude* and *Take back*, and the correction of the open screen.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.problems = ProblemList(session)
        self.sites = SiteTable()
        self.state = PlainLabel()
        self.state.setWordWrap(True)
        self.exclude = QPushButton("Exclude sites")
        self.exclude.setToolTip(
            "Leave the selected sites out of their wells, which are embedded again from those left"
        )
        self.take_back = QPushButton("Take back")
        self.take_back.setToolTip("Let the selected sites take part in their wells again")
        self.correction = QComboBox()
        self.correction.setAccessibleName("Batch correction")
        self.correction.setToolTip(TIP)
        for key, title in CORRECTIONS.items():
            self.correction.addItem(title, key)
        label = PlainLabel("Batch correction")
        label.setBuddy(self.correction)
        row = QHBoxLayout()
        row.addWidget(self.exclude)
        row.addWidget(self.take_back)
        row.addStretch(1)
        row.addWidget(label)
        row.addWidget(self.correction)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.addWidget(self.sites)
        split.addWidget(self.problems)
        split.setSizes([720, 280])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.state)
        layout.addWidget(split, 1)
        self.exclude.clicked.connect(self._exclude)
        self.take_back.clicked.connect(self._take_back)
        self.correction.activated.connect(self._correct)
        self.sites.opened.connect(session.show)
        self.sites.valueChanged.connect(self._enable)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.work_changed, self._work_changed)
        listen(self, session.message, self._show_message)
        self.refresh()

    def value(self) -> tuple[str, ...]:
        """Ids of the sites selected."""
        return self.sites.value()

    def refresh(self) -> None:
        """List the sites of the open screen that stand out or are excluded."""
        screen = self.session.screen
        try:
            quality = screen.quality if screen is not None else None
            text = "Sites are measured while a plate is encoded (Set-up tab)."
        except CellClipError as error:
            quality, text = None, str(error)
        if quality is None:
            self.sites.fill([])
            self.state.setText(text)
        else:
            flags, reasons = quality["Quality_flags"], quality["Metadata_Excluded"]
            rows = quality.index[(flags != "") | (reasons != "")]
            self.sites.fill([(str(site), str(flags[site]), str(reasons[site])) for site in rows])
            measured = int(quality["Quality_cells"].notna().sum())
            self.state.setText(
                f"{measured} of {counted(len(quality), 'site')} measured,"
                f" {int((flags != '').sum())} stand out, {int((reasons != '').sum())} excluded."
            )
        method = screen.correction.method if screen is not None and screen.correction is not None else "none"
        self.correction.setCurrentIndex(max(0, self.correction.findData(method)))
        self._enable()

    def _enable(self, _sites: object = None) -> None:
        screen = self.session.screen
        idle = screen is not None and self.session.work(Task.QUALITY) is None
        known = screen.excluded if screen is not None else {}
        chosen = self.value()
        self.exclude.setEnabled(idle and any(site not in known for site in chosen))
        self.take_back.setEnabled(idle and any(site in known for site in chosen))
        self.correction.setEnabled(idle)

    def _exclude(self) -> None:
        screen = self.session.screen
        if screen is not None:
            flags = screen.quality["Quality_flags"]
            more = {site: str(flags[site]) or BY_HAND for site in self.value()}
            self.session.request(ExcludeRequest({**more, **screen.excluded}))

    def _take_back(self) -> None:
        screen, chosen = self.session.screen, set(self.value())
        if screen is not None:
            self.session.request(
                ExcludeRequest({s: r for s, r in screen.excluded.items() if s not in chosen})
            )

    def _correct(self, _index: int) -> None:
        self.session.request(CorrectRequest(self.correction.currentData()))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.QUALITY:
            if work is not None:
                self.state.setText(f"{work.message} …")
            self._enable()

    def _show_message(self, task: str, message: str) -> None:
        if task == Task.QUALITY:
            self.state.setText(message)
