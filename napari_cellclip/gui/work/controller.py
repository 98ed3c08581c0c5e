"""The controller of a viewer: looks up the handler of each request and runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

from qtpy.compat import isalive

from napari_cellclip.gui.canvas.canvas import Canvas
from napari_cellclip.gui.state.export_requests import ExportRequest, FigureRequest, SaveTableRequest
from napari_cellclip.gui.state.requests import (
    AddReferencesRequest,
    AnnotateRequest,
    AskRequest,
    CancelRequest,
    ChannelPicturesRequest,
    CorrectRequest,
    DescribeRequest,
    EncodeRequest,
    ExcludeRequest,
    ExplainRequest,
    FetchPlateRequest,
    HeatMapRequest,
    InstallReferencesRequest,
    MapRequest,
    MechanismsRequest,
    NameClustersRequest,
    OpenRequest,
    OpenSampleRequest,
    OpenSessionRequest,
    PlateMapRequest,
    RemoveReferencesRequest,
    Request,
    SaveSessionRequest,
    SearchGalleryRequest,
    ShowRequest,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.work.channel_pictures import read_channel_pictures
from napari_cellclip.gui.work.descriptions import annotate_treatments, describe_wells, name_map_clusters
from napari_cellclip.gui.work.encoding import encode_plate
from napari_cellclip.gui.work.explanations import draw_heat_map, explain_wells
from napari_cellclip.gui.work.files.exports import export_wells, save_table
from napari_cellclip.gui.work.files.figures import export_figure
from napari_cellclip.gui.work.files.session_files import open_session, save_session
from napari_cellclip.gui.work.gallery import fetch_into_folder, search_for_plates
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.gui.work.opening import open_path, open_sample, read_platemap, show_other_plate
from napari_cellclip.gui.work.quality import EXCLUDED, correct_screen, exclude_sites
from napari_cellclip.gui.work.queries import ask_screen, map_screen
from napari_cellclip.gui.work.references import (
    add_references,
    find_mechanisms,
    install_references,
    remove_references,
)

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_cellclip.plates import Plate

Handler = Callable[[Jobs, Any], None]


def cancel(jobs: Jobs, request: CancelRequest) -> None:
    """Cancel a task; what an encoding run has written is kept."""
    work = jobs.cancel(request.task)
    if request.task == Task.ENCODE and work is not None:
        text = f"Stopped after {work.done} of {work.total}; Resume goes on from there."
        if work.stage != "fields":
            text = "Stopped before this run encoded a site; what was encoded before is kept."
        jobs.session.message.emit(request.task, text)


HANDLERS: dict[type[Request], Handler] = {
    OpenRequest: open_path,
    OpenSampleRequest: open_sample,
    SearchGalleryRequest: search_for_plates,
    FetchPlateRequest: fetch_into_folder,
    PlateMapRequest: read_platemap,
    ChannelPicturesRequest: read_channel_pictures,
    OpenSessionRequest: open_session,
    SaveSessionRequest: save_session,
    ShowRequest: show_other_plate,
    EncodeRequest: encode_plate,
    AskRequest: ask_screen,
    MapRequest: map_screen,
    ExplainRequest: explain_wells,
    HeatMapRequest: draw_heat_map,
    DescribeRequest: describe_wells,
    AnnotateRequest: annotate_treatments,
    NameClustersRequest: name_map_clusters,
    ExportRequest: export_wells,
    FigureRequest: export_figure,
    SaveTableRequest: save_table,
    AddReferencesRequest: add_references,
    InstallReferencesRequest: install_references,
    RemoveReferencesRequest: remove_references,
    MechanismsRequest: find_mechanisms,
    ExcludeRequest: exclude_sites,
    CorrectRequest: correct_screen,
    CancelRequest: cancel,
}
"""The handler of each request; :class:`~napari_cellclip.gui.canvas.canvas.Canvas` adds those that draw."""


OF_A_SCREEN = (Task.ASK, Task.DESCRIBE, Task.EXPLAIN, Task.TILES)
"""Work that a user has started on a screen, and that is of no use for another one."""


class Controller:
    """Carries out the requests of one session in worker threads.

    Parameters
    ----------
    session : Session
        The state to serve; the controller holds it, the session holds the controller weakly.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.jobs = Jobs(session)
        self.canvas: Canvas | None = None
        self.window_shared = False
        """Whether napari's own docks were put away once; after that they are the user's affair."""
        self.handlers: dict[type[Request], Handler] = dict(HANDLERS)
        self._widgets: list[QWidget] = []
        session.requested.connect(self.on_request)
        session.edits.keep(EXCLUDED, lambda sites: session.request(ExcludeRequest(sites)), later=True)
        self._pictured: Plate | None = None
        session.plate_changed.connect(self.on_plate_changed)
        session.work_changed.connect(self.on_work_changed)
        session.screen_changed.connect(self.on_screen_changed)
        session.labels_changed.connect(self.on_labels_changed)
        session.screen_grew.connect(self.on_screen_grew)
        session.answer_changed.connect(self.on_answer_changed)

    def show_on(self, viewer: Any) -> None:
        """Draw on the canvas of a viewer."""
        self.canvas = Canvas(self.jobs, viewer)
        self.handlers.update(self.canvas.handlers)

    def close(self) -> None:
        """Drop all work, as when the viewer or the last widget closes; the next request works again."""
        self.jobs.close()

    def serve(self, widget: QWidget) -> None:
        """Hold a widget of the viewer until Qt destroys it; with the last one all work is dropped.

        Were it not held, the garbage collector could destroy one that was taken out of its dock, and do so
        while a panel of it is at work.
        """
        self._widgets.append(widget)
        widget.destroyed.connect(self.on_widget_destroyed)

    def on_widget_destroyed(self) -> None:
        """Drop all work when nobody is left to see it."""
        self._widgets = [widget for widget in self._widgets if isalive(widget)]
        if not self._widgets:
            self.close()

    def on_request(self, request: Request) -> None:
        """Run the handler of a request."""
        self.handlers[type(request)](self.jobs, request)

    def on_plate_changed(self) -> None:
        """Have a picture of each channel made, for the set-up."""
        if self.session.plate is not self._pictured:
            self._pictured = self.session.plate
            self.session.request(ChannelPicturesRequest())

    def on_screen_changed(self) -> None:
        """Drop work on the screen before, and say so; map the new one at once (PCA), then better (UMAP).

        Measured profiles are asked by their references alone: what these can recognise comes first.
        """
        self._drop("another screen is open")
        self._look_over()

    def on_labels_changed(self) -> None:
        """Drop what rested on the old labels, and map anew what was being mapped."""
        self._drop("the plate map is new")
        self._look_over()

    def on_work_changed(self, task: str, work: Work | None) -> None:
        """Map what there is where a run ends before it is through."""
        if task == Task.ENCODE and work is None and self.session.growing:
            self.session.growing = False
            self._look_over()

    def on_screen_grew(self) -> None:
        """Map what is there so far; the better map waits for the rest."""
        self.session.request(MapRequest("pca"))

    def _drop(self, why: str) -> None:
        dropped = [work.message for task in OF_A_SCREEN if (work := self.jobs.cancel(task)) is not None]
        self.jobs.cancel(Task.MECHANISMS)
        if dropped:
            self.session.message.emit(Task.OPEN, f"Dropped, since {why}: {', '.join(dropped)}.")

    def _look_over(self) -> None:
        screen = self.session.screen
        if screen is None:
            self.jobs.cancel(Task.MAP)
            return
        self.session.request(MapRequest("pca"))
        if not screen.card.has_head:
            self.session.request(MechanismsRequest())

    def on_answer_changed(self) -> None:
        """Drop explanations of an earlier answer."""
        for task in (Task.EXPLAIN, Task.TILES):
            self.jobs.cancel(task)


_CONTROLLERS: WeakKeyDictionary[Any, Controller] = WeakKeyDictionary()


def controller_of(viewer: Any) -> Controller:
    """Return the controller of a viewer, made on first use together with its session and canvas.

    Parameters
    ----------
    viewer : napari.Viewer or its public proxy
        Plugins are handed a proxy; controller and session belong to the viewer behind it and die with it.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _CONTROLLERS:
        controller = Controller(Session())
        controller.show_on(viewer)
        _CONTROLLERS[viewer] = controller
        # The forms may have started work without a widget of ours: it ends with the viewer at the latest.
        finalize(viewer, controller.jobs.abandon).atexit = False
    return _CONTROLLERS[viewer]


def controllers() -> list[Controller]:
    """List the controllers of all viewers of this process."""
    return list(_CONTROLLERS.values())
