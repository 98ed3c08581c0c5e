"""The References tab: what the assay can recognise, the references of a question, and their sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.references.mechanism_table import MechanismTable
from napari_cellclip.gui.panels.references.public_sets_button import PublicSetsButton
from napari_cellclip.gui.panels.references.reference_table import ReferenceTable
from napari_cellclip.gui.panels.references.source_table import SourceTable
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.references import gate_sentence
from napari_cellclip.gui.state.requests import (
    AddReferencesRequest,
    CancelRequest,
    InstallReferencesRequest,
    MechanismsRequest,
    RemoveReferencesRequest,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted

NO_PAIRS = (
    "No mechanism has two reference treatments: add references under Sources, or a plate map that names more."
)
FILES = "Reference files (*.parquet);;All files (*)"


class ReferencesPanel(QWidget):
    """Three views of the reference treatments of a session.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._seen: tuple[str, pd.DataFrame] | None = None
        self.mechanisms, self.members, self.sources = MechanismTable(), ReferenceTable(), SourceTable()
        self.state, self.gate = PlainLabel(), PlainLabel()
        for line, place in (
            (self.state, Qt.AlignmentFlag.AlignVCenter),
            (self.gate, Qt.AlignmentFlag.AlignTop),
        ):
            line.setWordWrap(True)
            line.setAlignment(place)
            line.setFixedHeight(2 * self.fontMetrics().lineSpacing() + 10)
        self.test = QPushButton("Test mechanisms")
        self.test.setToolTip(
            "Leave out each reference in turn and see whether the others of its mechanism find it again:\n"
            "what this assay can see at all"
        )
        self.add_screen = QPushButton("Add reference screen …")
        self.add_screen.setToolTip(
            "A screen of the same encoder, or of CellProfiler profiles, whose plate map names mechanisms"
        )
        self.add_file = QPushButton("Add reference file …")
        self.add_file.setToolTip("A file written by: napari-cellclip references build SCREEN --out FILE")
        self.public = PublicSetsButton()
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the chosen source out again")
        self.views = QTabWidget()
        self.views.setDocumentMode(True)
        self.views.tabBar().setDrawBase(False)
        self._lay_out()
        self.test.clicked.connect(self._test)
        self.mechanisms.asked.connect(self._ask)
        self.members.valueChanged.connect(self._tick)
        self.add_screen.clicked.connect(self._choose_screen)
        self.add_file.clicked.connect(self._choose_file)
        self.public.chosen.connect(lambda name: session.request(InstallReferencesRequest(name)))
        self.public.cancelled.connect(lambda: session.request(CancelRequest(Task.INSTALL)))
        self.remove.clicked.connect(self._remove)
        self.sources.valueChanged.connect(self._show_sources_state)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.answer_changed, self._show_members)
        listen(self, session.references.changed, self.refresh)
        listen(self, session.references.mechanisms_changed, self._show_mechanisms)
        listen(self, session.work_changed, self._work_changed)
        self.refresh()

    def _lay_out(self) -> None:
        for title, line, table, buttons in (
            ("What can this assay see?", self.state, self.mechanisms, (self.test,)),
            ("This question", self.gate, self.members, ()),
            ("Sources", None, self.sources, (self.add_screen, self.add_file, self.public, self.remove)),
        ):
            view, row = QWidget(), QHBoxLayout()
            layout = QVBoxLayout(view)
            layout.setContentsMargins(0, 2, 0, 0)
            layout.setSpacing(2)
            if line is not None:
                row.addWidget(line, 1)
            for button in buttons:
                row.addWidget(button)
            if line is None:
                row.addStretch(1)
            layout.addLayout(row)
            layout.addWidget(table, 1)
            self.views.addTab(view, title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self.views)

    def value(self) -> tuple[str, ...]:
        """Names of the references that are ticked off."""
        return self.members.value()

    def refresh(self) -> None:
        """Show all three views anew."""
        self._show_mechanisms()
        self._show_members()
        screen = self.session.screen
        own = f"plate map of {screen.name}" if screen is not None and self.session.view.use_platemap else ""
        self.sources.fill(own, self.session.references.added)
        self._show_sources_state()

    def _show_mechanisms(self) -> None:
        found = self.session.references.mechanisms
        self.mechanisms.fill(found.table if found is not None else None)
        self._show_state()

    def _show_state(self) -> None:
        session, found = self.session, self.session.references.mechanisms
        working = session.work(Task.MECHANISMS)
        self.test.setText("Cancel" if working is not None else "Test mechanisms")
        self.test.setEnabled(session.screen is not None)
        if working is not None:
            count = f" {working.done} of {working.total}" if working.total else ""
            text = f"{working.message} …{count}"
        elif session.screen is None:
            text = "Open a screen first."
        elif found is None:
            text = "Press Test mechanisms: do the references of each mechanism find each other?"
        elif found.table is None:
            text = found.note
        elif not len(found.table):
            text = NO_PAIRS
        else:
            table = found.table
            text = (
                f"{int(table['recognisable'].sum())} of {counted(len(table), 'mechanism')} are recognisable"
                " by the references. Click one to ask for it."
            )
        self.state.setText(text)
        self.state.setToolTip(plain(text))

    def _show_members(self) -> None:
        session, answer = self.session, self.session.answer
        if answer is None or answer.references is None:
            self.members.fill(_no_members())
            text = "Answers by look-alikes list their references here."
            if answer is not None:
                text = f"This answer is by {answer.evidence}: no references were used."
            self.views.setTabText(1, "This question")
        else:
            members = answer.references.members
            off = session.asked.ticked_off if session.asked is not None else ()
            if self._seen is not None and self._seen[0] == answer.query:
                before = self._seen[1]
                members = _in_order_of(before, members, off)
            self._seen = answer.query, members
            self.members.fill(members, off)
            text = gate_sentence(answer.references.recognisable)
            names = self.members.names()
            self.views.setTabText(1, f"This question ({len(names) - len(self.members.value())})")
        self.gate.setText(text)
        self.gate.setToolTip(plain(text))

    def _show_sources_state(self, _path: object = None) -> None:
        self.remove.setEnabled(self.sources.value() is not None)
        idle = self.session.work(Task.REFERENCES) is None
        for button in (self.add_screen, self.add_file):
            button.setEnabled(idle)
        self.add_screen.setText("Add reference screen …" if idle else "Reading …")

    def _test(self) -> None:
        running = self.session.work(Task.MECHANISMS) is not None
        self.session.request(CancelRequest(Task.MECHANISMS) if running else MechanismsRequest())

    def _ask(self, mechanism: str) -> None:
        self.session.request(self.session.questions.of(mechanism))

    def _tick(self, ticked_off: tuple[str, ...]) -> None:
        session, answer = self.session, self.session.answer
        if answer is not None:
            session.request(replace(session.questions.of(answer.query), ticked_off=ticked_off))

    def _choose_screen(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Add reference screen"):
            self.session.request(AddReferencesRequest(Path(folder)))

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Add reference file", "", FILES)
        if name:
            self.session.request(AddReferencesRequest(Path(name)))

    def _remove(self) -> None:
        if (path := self.sources.value()) is not None:
            self.session.request(RemoveReferencesRequest(path))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.MECHANISMS:
            self._show_state()
        elif task == Task.REFERENCES:
            self._show_sources_state()
        elif task == Task.INSTALL:
            self.public.show_work(work)


def _no_members() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in ("name", "mechanism", "dose", "why", "source")})


def _in_order_of(before: pd.DataFrame, members: pd.DataFrame, ticked_off: tuple[str, ...]) -> pd.DataFrame:
    """Put back the rows of references that are ticked off, in the order shown before."""
    off = before[before["name"].isin(ticked_off) & ~before["name"].isin(members["name"])]
    both = pd.concat([members, off], ignore_index=True)
    place = {name: i for i, name in enumerate(dict.fromkeys(before["name"]))}
    order = both["name"].map(lambda name: place.get(name, len(place))).argsort(kind="stable")
    return both.iloc[order].reset_index(drop=True)
