"""The choice of what colours wells, in every view at once, with its legend."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.wells.legend import Legend
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.colouring import chosen_colouring, colourings
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.site_values import STATISTICS


class ColourBox(QWidget):
    """*Colour by*, the statistic over sites, and whether outliers are clipped; they hold for every view.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.by = QComboBox()
        self.by.setAccessibleName("Colour by")
        self.by.setToolTip("What the colour of a well shows: on plate, map and canvas, and among hits")
        self.by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.by.setMinimumContentsLength(12)
        self.statistic = QComboBox()
        self.statistic.setAccessibleName("Statistic over sites")
        for key, title in STATISTICS.items():
            self.statistic.addItem(title, key)
        self.statistic.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.statistic.setMinimumContentsLength(5)
        self.clip = QCheckBox("Clip")
        self.clip.setToolTip(
            "On: colours span the middle 98 % of the wells of all plates, so that plates can be compared.\n"
            "Off: they span every well of this plate, outliers included."
        )
        self.legend = Legend()
        label = PlainLabel("Colour by")
        label.setBuddy(self.by)
        self.choices = QHBoxLayout()
        self.choices.setContentsMargins(0, 0, 0, 0)
        self.choices.addWidget(label)
        self.choices.addWidget(self.by, 5)
        self.choices.addWidget(self.statistic, 2)
        self.choices.addWidget(self.clip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(2)
        layout.addLayout(self.choices)
        layout.addWidget(self.legend)
        self.by.activated.connect(self._by_chosen)
        self.statistic.activated.connect(self._statistic_chosen)
        self.clip.toggled.connect(self._clip_toggled)
        listen(self, session.wells_changed, self.refresh)
        listen(self, session.clusters_changed, self.refresh)
        listen(self, session.view_changed, self._show)
        self.refresh()

    def value(self) -> str:
        """Key of what colours the wells."""
        return chosen_colouring(self.session).key

    def refresh(self) -> None:
        """Offer what the wells have values of now."""
        offered, group = [], ""
        for one in colourings(self.session):
            if group and one.group != group:
                offered.append(("", ""))
            offered.append((one.title, one.key))
            group = one.group
        if offered != [(self.by.itemText(i), self.by.itemData(i) or "") for i in range(self.by.count())]:
            self.by.blockSignals(True)
            self.by.clear()
            for title, key in offered:
                if key:
                    self.by.addItem(title, key)
                    self.by.setItemData(self.by.count() - 1, plain(title), Qt.ItemDataRole.ToolTipRole)
                else:
                    self.by.insertSeparator(self.by.count())
            self.by.blockSignals(False)
        self._show()

    def _show(self, _view: object = None) -> None:
        colouring, view = chosen_colouring(self.session), self.session.view
        self.by.setCurrentIndex(self.by.findData(colouring.key))
        self.statistic.setCurrentIndex(self.statistic.findData(view.statistic))
        self.statistic.setEnabled(colouring.of_sites)
        self.statistic.setToolTip(
            "How the sites of a well become one number"
            if colouring.of_sites
            else "Only what was measured at each site has statistics: choose such a colour first"
        )
        self.clip.blockSignals(True)
        self.clip.setChecked(view.clip)
        self.clip.blockSignals(False)

    def _by_chosen(self, _index: int) -> None:
        key: Any = self.by.currentData()
        if key:
            self.session.look(colour_by=key)

    def _statistic_chosen(self, _index: int) -> None:
        self.session.look(statistic=self.statistic.currentData())

    def _clip_toggled(self, on: bool) -> None:
        self.session.look(clip=on)
