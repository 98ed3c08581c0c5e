"""What is open in one viewer: the state that panels read and write.

A panel never knows another panel. It changes the session, or sends it a request, which the controller of the
viewer (``gui/work/controller.py``) carries out in a worker. No toolkit is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_cellclip.gui.state.field import next_site, next_well, site_to_show, well_of
from napari_cellclip.gui.state.gallery import GalleryFinds
from napari_cellclip.gui.state.highlight import (
    colour_column,
    highlight_in_force,
    highlighted,
    suggested_threshold,
)
from napari_cellclip.gui.state.named_selections import NamedSelections
from napari_cellclip.gui.state.references import References
from napari_cellclip.gui.state.requests import AskRequest, Request
from napari_cellclip.gui.state.selection import Selection
from napari_cellclip.gui.state.setup import SetUp
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.view import Highlight, Projections, View
from napari_cellclip.gui.state.wells import opened_wells, same_labels, with_answer
from napari_cellclip.vocabulary import PlateError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_cellclip.explore import Answer, Projection
    from napari_cellclip.explore.explanation.stain_contributions import StainContributions
    from napari_cellclip.explore.maps.cluster_names import NamedCluster
    from napari_cellclip.gui.state.field_match import FieldMatch
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen

HISTORY = 100
"""Queries that the query line brings back."""


class Session:
    """Evented state of the plugin in one viewer.

    Attributes
    ----------
    selection : Selection
        The wells selected, in every view.
    references : References
        Reference treatments from elsewhere, and what the assay can recognise.
    named_selections : NamedSelections
        Selections that were saved by name.
    setup : SetUp
        The model to encode with, and the screens there are of the plate.
    gallery : GalleryFinds
        What the last search of the Cell Painting Gallery found.
    history : list of AskRequest
        Queries asked, the newest last, each text once.
    """

    plate_changed = Signal()
    screen_changed = Signal()
    wells_changed = Signal()
    answer_changed = Signal()
    maps_changed = Signal()
    contributions_changed = Signal()
    heat_map_changed = Signal()
    described = Signal(object)
    clusters_changed = Signal()
    view_changed = Signal(object)
    shown_changed = Signal(object)
    labels_changed = Signal()
    """The wells of the open screen have other labels: what was answered by the old ones is gone."""
    screen_grew = Signal()
    """More of the open screen is encoded; question and selection stay."""
    work_changed = Signal(str, object)
    message = Signal(str, str)
    """Task and one sentence for the user."""
    requested = Signal(Request)

    def __init__(self) -> None:
        self.selection = Selection()
        self.references = References()
        self.setup = SetUp()
        self.gallery = GalleryFinds()
        self.named_selections = NamedSelections()
        self.history: list[AskRequest] = []
        self._plate: Plate | None = None
        self._platemap: PlateMap | None = None
        self._screen: Screen | None = None
        self.screen_number = 0
        """Counts screens opened and relabelled: results of work on an earlier one are dropped."""
        self.growing = False
        """Whether the open screen is being encoded."""
        self._answer: Answer | None = None
        self._asked: AskRequest | None = None
        self._contributions: StainContributions | None = None
        self._heat_map: FieldMatch | None = None
        self._clusters: tuple[NamedCluster, ...] = ()
        self._clustered: Projection | None = None
        self._maps = Projections()
        self._view = View()
        self._suggested = self._view.threshold
        self._shown: str | None = None
        self._work: dict[str, Work] = {}
        self._wells: pd.DataFrame | None = None
        self._opened: tuple[tuple[Plate | None, PlateMap | None, Screen | None], pd.DataFrame] | None = None

    # ------------------------------------------------------------------ requests and work

    def request(self, request: Request) -> None:
        """Send a request to the controller, which carries it out in a worker."""
        self.requested.emit(request)

    def remember(self, request: AskRequest) -> None:
        """Put a query at the end of the history."""
        others = [r for r in self.history if r.text != request.text]
        self.history = [*others, request][-HISTORY:]

    def question(self, text: str, **options: Any) -> AskRequest:
        """Put a text as a question on the evidence chosen; references ticked off for it stay so."""
        last = self.history[-1] if self.history else None
        same = last is not None and not last.like and last.text == text.strip()
        view = self._view
        return AskRequest(
            text,
            evidence=view.evidence,
            structures=view.structures,
            use_platemap=view.use_platemap,
            references=self.references.added,
            ticked_off=last.ticked_off if same and last is not None else (),
            **options,
        )

    def ask_again(self) -> None:
        """Ask the last question again, on the evidence chosen now."""
        if not self.history or self._screen is None:
            return
        last = self.history[-1]
        kept = bool(last.like or last.prompts)
        self.request(last if kept else self.question(last.text, combine=last.combine))

    def work(self, task: Task) -> Work | None:
        """Tell how far a task is, ``None`` when it is not running."""
        return self._work.get(task)

    def set_work(self, task: Task, work: Work | None) -> None:
        """Tell how far a task is (for the controller)."""
        if work is None:
            self._work.pop(task, None)
        else:
            self._work[task] = work
        self.work_changed.emit(task, work)

    # ------------------------------------------------------------------ what is open

    @property
    def plate(self) -> Plate | None:
        """The plate whose pixels are at hand."""
        return self._plate

    @property
    def platemap(self) -> PlateMap | None:
        """Plate map: what was done to the wells of the plate."""
        return self._platemap

    @property
    def screen(self) -> Screen | None:
        """Screen that has been encoded."""
        return self._screen

    @property
    def answer(self) -> Answer | None:
        """The answer to the newest query."""
        return self._answer

    @answer.setter
    def answer(self, answer: Answer | None) -> None:
        self.show_answer(answer)

    @property
    def asked(self) -> AskRequest | None:
        """The request that the answer answers, if there is one."""
        return self._asked if self._answer is not None else None

    def show_answer(self, answer: Answer | None, asked: AskRequest | None = None) -> None:
        """Show an answer, and keep the request that it answers."""
        self._answer, self._asked = answer, asked
        self._wells = None
        self.contributions = self.heat_map = None
        self._suggest_threshold()
        self.answer_changed.emit()
        self.wells_changed.emit()

    @property
    def contributions(self) -> StainContributions | None:
        """Stain contributions: what each stain adds to the scores of the wells that were explained last."""
        return self._contributions

    @contributions.setter
    def contributions(self, contributions: StainContributions | None) -> None:
        if contributions is not self._contributions:
            self._contributions = contributions
            self.contributions_changed.emit()

    @property
    def heat_map(self) -> FieldMatch | None:
        """Heat map: the parts of the field that was explained last that match."""
        return self._heat_map

    @heat_map.setter
    def heat_map(self, heat_map: FieldMatch | None) -> None:
        if heat_map is not self._heat_map:
            self._heat_map = heat_map
            self.heat_map_changed.emit()

    @property
    def clusters(self) -> tuple[NamedCluster, ...]:
        """Named clusters of the map looked at; none where they were made on another map."""
        return self._clusters if self._clustered is self.map else ()

    @clusters.setter
    def clusters(self, clusters: Iterable[NamedCluster]) -> None:
        found = tuple(clusters)
        if found or self._clusters:
            self._clusters, self._clustered = found, self.map
            self.clusters_changed.emit()

    @property
    def map(self) -> Projection | None:
        """The map looked at: by the chosen method, or another while that one is computed."""
        return self._maps.get(self._view.map_method)

    @property
    def maps(self) -> Projections:
        """The maps of the open screen."""
        return self._maps

    @property
    def wells(self) -> pd.DataFrame:
        """One row per well: see :func:`~napari_cellclip.gui.state.wells.well_table`."""
        if self._wells is None:
            opened = (self._plate, self._platemap, self._screen)
            if self._opened is None or any(a is not b for a, b in zip(self._opened[0], opened, strict=True)):
                self._opened = opened, opened_wells(*opened)  # what no answer changes is joined once
            self._wells = with_answer(self._opened[1], self._answer)
        return self._wells

    def set_plate(self, plate: Plate | None, platemap: PlateMap | None = None) -> None:
        """Open another plate; a screen that was made of the same plate stays open."""
        screen = self._screen
        same = plate is not None and screen is not None and plate.name in screen.plates
        self._plate, self._platemap, self._wells, self._shown = plate, platemap, None, None
        relabelled = same and not same_labels(screen, plate, platemap)
        if plate is not None and screen is not None and platemap is not None and relabelled:
            self._screen = screen.with_platemap(platemap, plate=plate.name)
        if not same:
            self.selection.forget()
            self._forget_screen()
        asked = self._forget_answer() if relabelled else None
        self._view = replace(self._view, plate=plate.name if plate is not None else None)
        self.plate_changed.emit()
        if screen is not None and not same:
            self.screen_changed.emit()
            self.answer_changed.emit()
            self.maps_changed.emit()
        elif relabelled:
            self.answer_changed.emit()
            self.labels_changed.emit()
        self.wells_changed.emit()
        if asked is not None:
            self.request(asked)

    def set_platemap(self, platemap: PlateMap | None) -> None:
        """Give the plate another plate map: nothing is encoded again, but answers by old labels are gone."""
        self._platemap = platemap
        relabelled, asked = not same_labels(self._screen, self._plate, platemap), None
        if platemap is not None and self._screen is not None and relabelled:
            name = self._plate.name if self._plate is not None else None
            self._screen = self._screen.with_platemap(platemap, plate=name)
            asked = self._forget_answer()
        self._wells = None
        self.plate_changed.emit()
        if relabelled:
            self.answer_changed.emit()
            self.labels_changed.emit()
        self.wells_changed.emit()
        if asked is not None:
            self.request(asked)

    def set_screen(self, screen: Screen | None) -> None:
        """Open an encoded screen; the plate stays open if the screen was made of it."""
        if self._plate is not None and screen is not None and self._plate.name not in screen.plates:
            self._plate, self._platemap, self._shown = None, None, None
            self.plate_changed.emit()
        self._forget_screen()
        self._screen = screen
        known = set(self.wells.index)
        if not self.selection.ids <= known:
            self.selection.forget()
        plates = list(screen.plates) if screen is not None else []
        if plates and self._view.plate not in plates:
            self._view = replace(self._view, plate=str(plates[0]))
        self.screen_changed.emit()
        self.answer_changed.emit()
        self.maps_changed.emit()
        self.wells_changed.emit()

    def grow_screen(self, screen: Screen, finished: bool = False) -> None:
        """Take in what a run has encoded so far, or all of it; an answer there is, is asked for again."""
        asked, mine = self.asked, self._screen is not None and self._screen.path == screen.path
        self.growing = not finished
        if not mine:
            self.set_screen(screen)
        else:
            self._screen, self._wells = screen, None
            self.screen_grew.emit()
            self.wells_changed.emit()
        if mine and asked is not None:
            self.request(asked)

    def _forget_answer(self) -> AskRequest | None:
        """Drop what rests on the labels of the screen, and return what was asked; who calls tells panels."""
        asked = self.asked
        self.screen_number += 1
        self._answer = self._asked = None
        self._wells = None
        self.clusters = ()
        self.contributions = self.heat_map = None
        self.references.mechanisms = None
        return asked

    def _forget_screen(self) -> None:
        """Drop the screen and all that was computed of it."""
        self._screen, self._maps = None, Projections()
        self._forget_answer()

    def add_map(self, projection: Projection) -> None:
        """Keep a map of the open screen."""
        self._maps = Projections({**self._maps.by_method, projection.method.lower(): projection})
        self.maps_changed.emit()

    # ------------------------------------------------------------------ how it is looked at

    @property
    def view(self) -> View:
        """View: how wells are coloured and which plate is looked at."""
        return self._view

    def look(self, **changes: Any) -> None:
        """Change the view, e.g. ``look(threshold=4)``; nothing happens if it is so already."""
        view = replace(self._view, **changes)
        if view != self._view:
            self._view = view
            self.view_changed.emit(view)

    def _suggest_threshold(self) -> None:
        """Set the threshold to the suggested one, until the user has chosen another.

        Nobody is told of the view: the answer that follows has every panel drawn anew, and once is enough.
        """
        if self._answer is None or self._view.threshold != self._suggested:
            return
        if (suggested := suggested_threshold(self._answer)) is not None:
            self._suggested = suggested
            self._view = replace(self._view, threshold=suggested)

    @property
    def highlight(self) -> Highlight:
        """Rule by which wells are highlighted, given the answer there is."""
        return highlight_in_force(self._view, self._answer)

    @property
    def threshold_in_force(self) -> float | None:
        """Score from which on wells are highlighted, if the score decides."""
        return self._view.threshold if self.highlight == "score" else None

    def highlighted(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Mark the rows of a well table that are in colour."""
        return highlighted(table, self._view, self._answer)

    @property
    def highlighted_wells(self) -> list[str]:
        """Ids of the wells in colour, best first."""
        scores = self.wells["score"][self.highlighted(self.wells)]
        return [str(i) for i in scores.sort_values(ascending=False).index]

    @property
    def colour_column(self) -> str:
        """Column of the well table that colours wells."""
        return colour_column(self.wells, self._view)

    # ------------------------------------------------------------------ the field on the canvas

    @property
    def shown(self) -> str | None:
        """Id of the site on the canvas."""
        return self._shown

    @property
    def shown_well(self) -> str | None:
        """Id of the well on the canvas."""
        return well_of(self._shown) if self._shown is not None else None

    def show(self, identifier: str) -> None:
        """Put a site on the canvas, or the first site of a well."""
        try:
            self._shown = site_to_show(self._plate, identifier)
        except PlateError as error:
            self.message.emit(Task.FIELD, str(error))
        else:
            self.shown_changed.emit(self._shown)

    def step_site(self, step: int) -> None:
        """Show the next or previous site of the well on the canvas."""
        if self._plate is not None and self._shown is not None:
            self.show(next_site(self._plate, self._shown, step))

    def step_well(self, step: int) -> None:
        """Show the next or previous well that was imaged, and select it."""
        if self._plate is not None and self.shown_well is not None:
            following = next_well(self._plate, self.shown_well, step)
            self.selection.replace([following])
            self.show(following)


_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer, made on first use.

    Parameters
    ----------
    viewer : napari.Viewer or its public proxy
        Plugins are handed a proxy; the session belongs to the viewer behind it and dies with it.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _SESSIONS:
        _SESSIONS[viewer] = Session()
    return _SESSIONS[viewer]
