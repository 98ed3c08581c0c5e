"""What is open in one viewer: the state that panels read and write.

A panel never knows another panel. It changes the session, or sends it a request, which the controller of the
viewer (``gui/work/controller.py``) carries out in a worker. No toolkit is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_cellclip.gui.memo import Memo
from napari_cellclip.gui.state.canvas_view import CanvasView, next_site, next_well, site_to_show, well_of
from napari_cellclip.gui.state.edits import Edits
from napari_cellclip.gui.state.explanations import Explanations
from napari_cellclip.gui.state.questions import QUESTION, Prompts, Questions, alone
from napari_cellclip.gui.state.references import References
from napari_cellclip.gui.state.requests import AskRequest, Request, ShowRequest
from napari_cellclip.gui.state.selection import NamedSelections, Selection
from napari_cellclip.gui.state.setup import GalleryFinds, SetUp
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.view import (
    ASKED_WITH,
    TYPED,
    VIEW,
    Highlight,
    Projections,
    View,
    highlight_in_force,
    highlighted,
    suggested_threshold,
)
from napari_cellclip.gui.state.well_filter import WellFilter
from napari_cellclip.gui.state.wells import opened_wells, same_labels, with_answer
from napari_cellclip.vocabulary import PlateError, split_id

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_cellclip.explore import Answer, Projection
    from napari_cellclip.explore.maps.cluster_names import NamedCluster
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen


class Session:
    """Evented state of the plugin in one viewer; each part of it tells of its own changes.

    What is open is read by `plate`, `platemap` and `screen`, and changed by methods called ``set_…``.

    Attributes
    ----------
    edits : Edits
        What can be undone, in every part.
    selection, named_selections : Selection, NamedSelections
        The wells selected, in every view, and selections that were saved by name.
    questions, prompts : Questions, Prompts
        What was asked, and the prompts of the answer as they are being edited.
    explanations, references : Explanations, References
        Why wells match; reference treatments from elsewhere, and what the assay can recognise.
    canvas : CanvasView
        How fields are drawn.
    setup, gallery : SetUp, GalleryFinds
        How a plate is set up for encoding, and what the last search of the gallery found.
    memo, filter : Memo, WellFilter
        What several panels need of all this, computed once; which wells meet the filter of the view.
    screen_number : int
        Counts screens opened and relabelled: results of work on an earlier one are dropped.
    growing : bool
        Whether the open screen is being encoded.
    """

    plate_changed = Signal()
    screen_changed = Signal()
    wells_changed = Signal()
    answer_changed = Signal()
    maps_changed = Signal()
    described = Signal(object)
    clusters_changed = Signal()
    view_changed = Signal(View, View)
    """The view now, and the one before."""
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
        self.edits = Edits()
        self.selection, self.named_selections = Selection(self.edits), NamedSelections(self.edits)
        self.questions, self.prompts = Questions(self), Prompts(self.edits)
        self.explanations, self.references = Explanations(), References()
        self.setup, self.gallery, self.canvas = SetUp(), GalleryFinds(), CanvasView()
        self.memo, self.filter = Memo(), WellFilter()
        self.screen_number, self.growing = 0, False
        self._plate: Plate | None = None
        self._platemap: PlateMap | None = None
        self._screen: Screen | None = None
        self._answer: Answer | None = None
        self._asked: AskRequest | None = None
        self._clusters: tuple[NamedCluster, ...] = ()
        self._clustered: Projection | None = None
        self._maps, self._view = Projections(), View()
        self._suggested = self._view.threshold
        self._shown: str | None = None
        self._work: dict[str, Work] = {}
        self.edits.keep(VIEW, self._look_again)
        self.edits.keep(QUESTION, self.questions.ask, later=True)

    # ------------------------------------------------------------------ requests and work

    def request(self, request: Request) -> None:
        """Send a request to the controller, which carries it out in a worker."""
        self.requested.emit(request)

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
    def wells(self) -> pd.DataFrame:
        """One row per well: see :func:`~napari_cellclip.gui.state.wells.well_table`."""
        opened = (self._plate, self._platemap, self._screen)
        joined = self.memo.of("opened", opened, lambda: opened_wells(*opened))  # what no answer changes
        return self.memo.of("wells", (joined, self._answer), lambda: with_answer(joined, self._answer))

    def set_plate(self, plate: Plate | None, platemap: PlateMap | None = None) -> None:
        """Open another plate; a screen that was made of the same plate stays open."""
        screen = self._screen
        same = plate is not None and screen is not None and plate.name in screen.plates
        self._plate, self._platemap, self._shown = plate, platemap, None
        if not same:
            self.selection.forget()
            self._forget_screen()
            self.edits.forget()
        relabelled, asked = same and not same_labels(screen, plate, platemap), None
        if relabelled:
            asked = self._relabel(platemap)
        self._view = replace(self._view, plate=plate.name if plate is not None else None)
        self.plate_changed.emit()
        if screen is not None and not same:
            self._tell_of_screen()
        self._tell_of_labels(relabelled, asked)

    def set_platemap(self, platemap: PlateMap | None) -> None:
        """Give the plate another plate map: nothing is encoded again, but answers by old labels are gone."""
        self._platemap = platemap
        relabelled, asked = not same_labels(self._screen, self._plate, platemap), None
        if relabelled:
            asked = self._relabel(platemap)
        self.plate_changed.emit()
        self._tell_of_labels(relabelled, asked)

    def set_screen(self, screen: Screen | None) -> None:
        """Open an encoded screen; the plate stays open if the screen was made of it."""
        if self._plate is not None and screen is not None and self._plate.name not in screen.plates:
            self._plate, self._platemap, self._shown = None, None, None
            self.plate_changed.emit()
        before = self._screen
        self._forget_screen()
        self._screen = screen
        if before is None or screen is None or before.path != screen.path:
            self.edits.forget()
        if not self.selection.ids <= set(self.wells.index):
            self.selection.forget()
        plates = list(screen.plates) if screen is not None else []
        if plates and self._view.plate not in plates:
            self._view = replace(self._view, plate=str(plates[0]))
        self._tell_of_screen()
        self.wells_changed.emit()

    def grow_screen(self, screen: Screen, finished: bool = False) -> None:
        """Take in what a run has encoded so far, or all of it; the question there is, is asked again."""
        asked, mine = self.asked, self._screen is not None and self._screen.path == screen.path
        self.growing = not finished
        if not mine:
            self.set_screen(screen)
        else:
            self._screen = screen
            self.screen_grew.emit()
            self.wells_changed.emit()
        if mine and asked is not None and self.work(Task.ASK) is None:  # else after its answer
            self.request(asked)

    def _relabel(self, platemap: PlateMap | None) -> AskRequest | None:
        """Give the screen new labels; returns the question whose answer rested on the old ones."""
        asked = self.asked
        if platemap is not None and self._screen is not None:
            name = self._plate.name if self._plate is not None else None
            self._screen = self._screen.with_platemap(platemap, plate=name)
            self._forget_answer()
        return asked

    def _forget_answer(self) -> None:
        """Drop what rests on the labels of the screen; who calls tells panels."""
        self.screen_number += 1
        self._answer, self.clusters = None, ()
        self.prompts.show(())
        self.explanations.forget()
        self.references.mechanisms = None

    def _forget_screen(self) -> None:
        """Drop the screen and all that was computed of it."""
        self._screen, self._asked, self._maps = None, None, Projections()
        self._forget_answer()

    def _tell_of_screen(self) -> None:
        self.screen_changed.emit()
        self.answer_changed.emit()
        self.maps_changed.emit()

    def _tell_of_labels(self, relabelled: bool, asked: AskRequest | None) -> None:
        if relabelled:
            self.answer_changed.emit()
            self.labels_changed.emit()
        self.wells_changed.emit()
        if asked is not None:
            self.request(asked)

    # ------------------------------------------------------------------ what was asked, and maps

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
        before, sent = self._answer, answer.sent if answer is not None else ()
        again = before is not None and before.sent == sent and alone(self._asked) == alone(asked)
        self.edits.record(QUESTION, alone(self._asked), alone(asked))
        self._answer, self._asked = answer, asked
        self.explanations.forget()
        if not again:  # the same question at another FDR leaves edits that were not sent yet
            self.prompts.show(sent)
        self._suggest_threshold()
        self.answer_changed.emit()
        self.wells_changed.emit()

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
        before, view = self._view, replace(self._view, **changes)
        if view != before:
            self._view = view
            names = [n for n in changes if n != "tab" and getattr(before, n) != changes[n]]
            stroke = names[0] if len(names) == 1 and names[0] in TYPED else ""
            old, new = ({n: getattr(v, n) for n in names} for v in (before, view))
            self.edits.record(VIEW, old, new, stroke)
            self.view_changed.emit(view, before)

    def _look_again(self, values: dict[str, Any]) -> None:
        """Look as before a step of undo; what the answer rests on is asked with again."""
        self.look(**values)
        if self._answer is not None and not ASKED_WITH.isdisjoint(values):
            self.questions.ask_again()

    def _suggest_threshold(self) -> None:
        """Set the threshold to the suggested one, until the user has chosen another.

        Nobody is told of the view: the answer that follows has every panel drawn anew, and once is enough.
        """
        suggested = suggested_threshold(self._answer) if self._answer is not None else None
        if suggested is not None and self._view.threshold == self._suggested:
            self._suggested, self._view = suggested, replace(self._view, threshold=suggested)

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
        rests_on = (table, self._view, self._answer)
        return self.memo.of("highlighted", rests_on, lambda: highlighted(*rests_on))

    @property
    def highlighted_wells(self) -> list[str]:
        """Ids of the wells in colour, best first."""
        scores = self.wells["score"][self.highlighted(self.wells)]
        return [str(i) for i in scores.sort_values(ascending=False).index]

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
        """Put a site on the canvas, or the first site of a well; another plate of the screen is opened."""
        name = split_id(identifier)[0]
        record = self._screen.plates.get(name) if self._screen is not None else None
        if record is not None and (self._plate is None or self._plate.name != name):
            self.request(ShowRequest(identifier))
            return
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
            self.selection.replace([following := next_well(self._plate, self.shown_well, step)])
            self.show(following)
