"""Dialog that finds plates of the Cell Painting Gallery, opens them there, or fetches a part of one."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.requests import (
    CancelRequest,
    FetchPlateRequest,
    OpenRequest,
    SearchGalleryRequest,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.vocabulary import CellClipError, wells_in

FIELDS = {
    "project": (
        "Project",
        "cpg0016-jump",
        "Name of a project, * for any letters; empty lists the projects",
    ),
    "source": ("Source", "source_4", "Who made the data; empty for all"),
    "batch": ("Batch", "2021_06_07_Batch5", "Batch of plates; empty for all"),
    "plate": ("Plate", "BR00123947", "Name of a plate; empty for all"),
    "compound": (
        "Compound",
        "nocodazole",
        "Plates with this compound: name, identifier or SMILES",
    ),
    "gene": ("Gene", "RAB30", "Plates on which this gene was perturbed, or is a target of a compound"),
}
"""What can be asked for: label, example and tooltip of each field."""

COLUMNS = ("project", "source", "batch", "plate", "wells", "treatments")

SHOWN = 2000
"""Most plates in the table."""


class GalleryDialog(QDialog):
    """Find plates of the Cell Painting Gallery; open one, or fetch a part of it into a folder.

    Parameters
    ----------
    session : Session
        Read, and sent the requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle("Cell Painting Gallery")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fields: dict[str, QLineEdit] = {}
        form = QFormLayout()
        for key, (label, example, tooltip) in FIELDS.items():
            line = self.fields[key] = QLineEdit()
            line.setPlaceholderText(example)
            line.setToolTip(plain(tooltip))
            line.returnPressed.connect(self.search)
            form.addRow(plain(label), line)
        self.search_button = _button("Search", "List the plates that fit", self._search_or_cancel)
        self.status = PlainLabel("Public plates, CC0. Searching needs a network.")
        self.status.setWordWrap(True)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels([name.capitalize() for name in COLUMNS])
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setToolTip("Double-click a project to list its plates, a plate to open it")
        self.wells = QLineEdit()
        self.wells.setPlaceholderText("All wells")
        self.wells.setToolTip("Wells to fetch, such as A01, B03 or a block A01:B12; empty for all")
        self.sites = QLineEdit()
        self.sites.setPlaceholderText("All sites")
        self.sites.setToolTip("Sites to fetch by number, such as 1, 2; empty for all")
        self.open_button = _button(
            "Open", "Open the plate where it is; images are fetched when they are looked at", self.open
        )
        self.fetch_button = _button(
            "Fetch …", "Copy these wells and sites into a folder; goes on where it stopped", self.fetch
        )
        self._lay_out(form)
        self.table.itemSelectionChanged.connect(self._selected)
        self.table.itemDoubleClicked.connect(lambda _item: self._activated())
        listen(self, session.gallery.changed, self.refresh)
        listen(self, session.work_changed, self._work_changed)
        listen(self, session.message, self._told)
        self.refresh()

    def value(self) -> dict[str, str]:
        """Return what is asked for, by field; empty fields are left out."""
        return {key: text for key, line in self.fields.items() if (text := line.text().strip())}

    def setValue(self, wanted: dict[str, str]) -> None:
        """Fill the fields; those not named are emptied."""
        for key, line in self.fields.items():
            line.setText(wanted.get(key, ""))

    def search(self) -> None:
        """Send the search."""
        self.session.request(SearchGalleryRequest(tuple(self.value().items())))

    def open(self) -> None:
        """Open the chosen plate where it is."""
        if address := self._address():
            self.session.request(OpenRequest(Path(address)))
            self.accept()

    def fetch(self) -> None:
        """Ask for a folder and fetch the chosen wells and sites of the chosen plate."""
        address = self._address()
        try:
            wells = tuple(wells_in(self.wells.text()))
        except CellClipError as error:
            self.status.setText(str(error))
            return
        sites = tuple(text.strip() for text in self.sites.text().split(",") if text.strip())
        above = QFileDialog.getExistingDirectory(self, "Choose the folder to put the plate's folder in")
        if address and above:
            out = Path(above) / address.rpartition("/")[2]
            self.session.request(FetchPlateRequest(address, out, wells, sites))
            self.accept()

    def refresh(self) -> None:
        """Show what was found."""
        found = self.session.gallery.found
        self.table.setRowCount(0)
        for row, one in enumerate((found or ())[:SHOWN]):
            self.table.insertRow(row)
            for column, name in enumerate(COLUMNS):
                item = QTableWidgetItem(getattr(one, name))
                item.setData(Qt.ItemDataRole.UserRole, one.address)
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()
        self._selected()
        if found is not None:
            more = f"; the first {SHOWN} are shown" if len(found) > SHOWN else ""
            self.status.setText(f"{counted(len(found), 'row')} found{more}" if found else "Nothing fits.")

    def _lay_out(self, form: QFormLayout) -> None:
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        first, last = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.status, 1)
        first.addWidget(self.search_button)
        layout.addLayout(first)
        layout.addWidget(self.table, 1)
        for widget in (self.wells, self.sites):
            last.addWidget(widget, 1)
        last.addWidget(self.fetch_button)
        last.addWidget(self.open_button)
        layout.addLayout(last)
        self.resize(720, 560)

    def _row(self) -> int:
        rows = self.table.selectionModel().selectedRows()
        return rows[0].row() if rows else -1

    def _address(self) -> str:
        """Address of the chosen plate; empty where none, or a project, is chosen."""
        item = self.table.item(self._row(), 0) if self._row() >= 0 else None
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _selected(self) -> None:
        address = self._address()
        self.open_button.setEnabled(bool(address))
        self.fetch_button.setEnabled(bool(address))
        item = self.table.item(self._row(), COLUMNS.index("wells")) if address else None
        self.wells.setText(item.text() if item is not None else "")

    def _activated(self) -> None:
        if self._address():
            self.open()
        elif (item := self.table.item(self._row(), 0)) is not None:
            self.setValue({"project": item.text()})
            self.search()

    def _search_or_cancel(self) -> None:
        if self.session.work(Task.GALLERY) is None:
            self.search()
        else:
            self.session.request(CancelRequest(Task.GALLERY))

    def _work_changed(self, task: Task) -> None:
        if task != Task.GALLERY:
            return
        work = self.session.work(Task.GALLERY)
        self.search_button.setText("Search" if work is None else "Stop")
        self.search_button.setToolTip("List the plates that fit" if work is None else "Stop the search")
        if work is not None:
            self.status.setText(
                f"{work.message} ({work.done} of {work.total} batches)" if work.total else work.message
            )

    def _told(self, task: Task, message: str) -> None:
        if task == Task.GALLERY:
            self.status.setText(message)


def _button(text: str, tooltip: str, clicked: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain(tooltip))
    button.setAutoDefault(False)  # Enter in a field searches
    button.clicked.connect(clicked)
    return button
