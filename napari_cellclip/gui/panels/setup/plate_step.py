"""First step of the set-up: which plate, and how its files are read."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.menu_button import literal
from napari_cellclip.gui.panels.setup.forms import Foldable, PathField, plain_form, side_by_side
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.requests import OpenRequest, OpenSampleRequest, PlateOptions
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.vocabulary.user_folders import from_home

PATTERN_TIP = "How the image files are named, where that is not recognised: {well}_s{site}_{channel}.tif"
PROJECTIONS = {
    "Maximum projection": "max",
    "Mean projection": "mean",
    "Sharpest plane of each stain": "focus",
    "Plane where DNA is sharpest": "dna-focus",
}
MORE_TIP = "File names, image folder, one plate of several, time point, focal planes"
ROOT_TIP = "Folder that holds the images, where a load_data.csv speaks of paths on another computer"
NAME_TIP = "Name of the plate; where one table tells of several plates, which of them to open"


class PlateStep(QWidget):
    """Choose a plate; the value is the request that opens it.

    Parameters
    ----------
    session : Session
        Read, and sent requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.path = QLineEdit()
        self.path.setAccessibleName("Plate")
        self.path.setPlaceholderText("Folder, or address (s3://, cpg://)")
        self.path.setToolTip("Folder of a plate, its load_data.csv or its Index.xml; Enter opens it")
        self.browse = QPushButton("Browse …")
        self.browse.setToolTip("Choose a plate folder")
        self.open_button = QPushButton("Open plate")
        self.open_button.setToolTip("Open the plate with these options")
        self.sample = QPushButton("Open sample")
        self.sample.setToolTip("Open the simulated 96-well plate")
        self.summary = PlainLabel()
        self.summary.setWordWrap(True)
        self.found = QPushButton()
        self.found.setAccessibleName("Open the newest screen of this plate")
        self.found.setToolTip("Open the newest screen of this plate; the others are in the screen menu")
        self.pattern = QLineEdit()
        self.pattern.setPlaceholderText("Recognised")
        self.pattern.setToolTip(PATTERN_TIP)
        self.root = PathField("Choose the folder with the images", ROOT_TIP, empty="Where the table says")
        self.name = QLineEdit()
        self.name.setPlaceholderText("As in the files")
        self.name.setToolTip(NAME_TIP)
        self.time = QSpinBox()
        self.time.setRange(-1, 100_000)
        self.time.setSpecialValueText("First")
        self.time.setValue(-1)
        self.time.setToolTip("Time point to open where the files hold several, as they count them")
        self.projection = QComboBox()
        for title, key in PROJECTIONS.items():
            self.projection.addItem(title, key)
        self.projection.setToolTip("What becomes of several focal planes of a stain")
        options = QWidget()
        form = plain_form(options)
        form.addRow("File names", self.pattern)
        form.addRow("Images in", self.root)
        form.addRow("Plate name", self.name)
        form.addRow("Time point", self.time)
        form.addRow("Focal planes", self.projection)
        self.more = Foldable("Options for reading the files", MORE_TIP, options)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(side_by_side(self.path, self.browse, self.open_button, self.sample))
        layout.addWidget(self.summary)
        layout.addWidget(self.found)
        layout.addWidget(self.more)
        layout.addStretch(1)
        self.path.returnPressed.connect(self.open)
        self.open_button.clicked.connect(self.open)
        self.browse.clicked.connect(self._choose)
        self.sample.clicked.connect(self._open_sample)
        self.found.clicked.connect(self._open_found)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.setup.changed, self.refresh)
        self.refresh()

    def value(self) -> OpenRequest | None:
        """Return the request as typed, ``None`` without a path."""
        text = self.path.text().strip()
        if not text:
            return None
        time = self.time.value() if self.time.value() >= 0 else None
        name, pattern = self.name.text().strip() or None, self.pattern.text().strip() or None
        options = PlateOptions(pattern, self.root.value(), name, time, self.projection.currentData())
        return OpenRequest(from_home(text), options=options)

    def setValue(self, request: OpenRequest) -> None:
        """Type a request."""
        options = request.options
        self.path.setText(str(request.path))
        self.pattern.setText(options.pattern or "")
        self.root.setValue(options.image_root)
        self.name.setText(options.name or "")
        self.time.setValue(-1 if options.time is None else options.time)
        self.projection.setCurrentIndex(max(0, self.projection.findData(options.projection)))

    def open(self) -> None:
        """Open the plate."""
        if (request := self.value()) is not None:
            self.session.request(request)

    def done(self) -> str:
        """Say what this step has come to; empty while it is open."""
        plate = self.session.plate
        return plate.name if plate is not None else ""

    def refresh(self) -> None:
        """Describe the plate that is open."""
        plate, setup = self.session.plate, self.session.setup
        self.found.setVisible(bool(setup.screens) and self.session.screen is None)
        if setup.screens:
            newest = setup.screens[0]
            self.found.setText(literal(f"Open {newest.path.name}, encoded by {newest.model}"))
        if plate is None:
            self.summary.setText(
                "No plate is open yet: drop its folder here, browse for it, or open the sample."
            )
            return
        if setup.opened is not None:
            self.setValue(setup.opened)
        self.path.setText(plate.address)
        size = f" · {plate.pixel_size:.3g} µm/px" if plate.pixel_size else " · pixel size not known"
        wells, sites = counted(len(plate.wells), "well"), counted(len(plate.sites), "site")
        problems = f"\n{counted(len(plate.problems), 'problem')}: see QC" if plate.problems else ""
        self.summary.setText(f"{plate.name} · {plate.layout} · {wells} · {sites}{size}{problems}")
        self.summary.setToolTip(plain("\n".join(f"{p.subject}: {p.what}" for p in plate.problems[:12])))

    def _choose(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a plate folder"):
            self.path.setText(folder)
            self.open()

    def _open_sample(self) -> None:
        self.session.request(OpenSampleRequest())

    def _open_found(self) -> None:
        if self.session.setup.screens:
            self.session.request(OpenRequest(self.session.setup.screens[0].path))
