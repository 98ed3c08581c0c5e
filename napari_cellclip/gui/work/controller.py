"""Carries out what the session wishes: every long piece of work of a viewer starts here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import Question, RunPlan, Task, Work
from napari_cellclip.gui.state.session import Session, session_of
from napari_cellclip.gui.work.explanations import Reasons
from napari_cellclip.gui.work.workers import Latest
from napari_cellclip.vocabulary import CellClipError, Stain

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer, Projection
    from napari_cellclip.gui.canvas.layers import Canvas
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen
    from napari_cellclip.simulation import Simulated

SIMULATING = "Simulating the sample plate (a minute, the first time)"

SITES_PER_STEP = 8
"""Sites between two chances to cancel; few, so that Cancel is felt at once."""

PLATE_MAP_SUFFIXES = {".csv", ".tsv", ".txt", ".xlsx", ".xls"}


@dataclass(frozen=True)
class Opened:
    """What was found at a path."""

    plate: Plate | None = None
    platemap: PlateMap | None = None
    screen: Screen | None = None
    remark: str = ""


def screen_folder(plate: Plate, model: str) -> Path:
    """Folder where a plate's screen by this model goes when the user names none."""
    return read_settings().cache / "screens" / f"{plate.name}-{model}-{plate.fingerprint()[:8]}"


def is_plate_map(path: Path) -> bool:
    """Whether a dropped file is a plate map (a load_data.csv is a plate)."""
    return (
        path.is_file() and path.suffix.lower() in PLATE_MAP_SUFFIXES and "load_data" not in path.name.lower()
    )


def open_any(path: Path, plate: Plate | None, channels: dict[Stain, str] | None = None) -> Opened:
    """Open a plate folder, a load_data.csv, a screen folder or a plate map.

    Parameters
    ----------
    path : Path
        What the user chose or dropped.
    plate : Plate or None
        The plate open now, which a plate map is checked against.
    channels : dict, optional
        Stain mapping that overrides what the files say.
    """
    from napari_cellclip.plates import PlateMap, find_platemap, open_plate

    if (path / "screen.json").is_file():
        from napari_cellclip.screen import Screen

        return Opened(screen=Screen.open(path))
    if is_plate_map(path):
        if plate is None:
            raise CellClipError(f"Open the plate first, then its plate map {path.name}.")
        table = PlateMap.read(path, plate=plate.name)
        problems = table.check(plate)
        remark = f"{path.name}: {problems[0].what}" if problems else ""
        return Opened(plate=plate, platemap=table, remark=remark)
    opened = open_plate(path, channels=channels) if channels else open_plate(path)
    found = find_platemap(opened.path)
    remark, table = "", None
    if found is not None:
        try:
            table = PlateMap.read(found, plate=opened.name)
        except CellClipError as error:  # images without labels are still worth looking at
            remark = str(error)
    return Opened(plate=opened, platemap=table, remark=remark)


class Controller:
    """Listens to the wishes of one session and answers them from worker threads.

    Parameters
    ----------
    session : Session
        The state to serve; the controller holds it, the session holds the controller weakly.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.canvas: Canvas | None = None
        self._lines = {task: Latest() for task in Task}
        session.asked.connect(self.on_asked)
        session.open_wished.connect(self.on_open)
        session.sample_wished.connect(self.on_sample)
        session.encode_wished.connect(self.on_encode)
        session.map_wished.connect(self.on_map)
        session.stopped.connect(self.on_stopped)
        session.screen_changed.connect(self.on_screen_changed)
        self._reasons = Reasons(session, self._lines)

    def close(self) -> None:
        """Drop all work."""
        for line in self._lines.values():
            line.cancel()

    def line(self, task: Task) -> Latest:
        """The line of work of a task."""
        return self._lines[task]

    # ------------------------------------------------------------------ wishes

    def on_open(self, wish: tuple[Path, dict[Stain, str] | None]) -> None:
        """Open a path."""
        path, channels = wish
        plate = self.session.plate
        self._run(Task.OPEN, lambda: open_any(path, plate, channels), self._opened, f"Opening {path.name}")

    def on_sample(self) -> None:
        """Make or find the simulated sample plate, then open it."""

        def sample(tell: Callable[[Any], None]) -> Opened:
            from napari_cellclip.simulation import sample_plate

            folder = sample_plate(read_settings().cache, progress=tell)
            return replace(open_any(folder, None), screen=_screen_of_sample(folder))

        def step(value: Simulated) -> None:
            self.session.set_work(Task.SAMPLE, Work(SIMULATING, value.done, value.total))

        self.session.set_work(Task.SAMPLE, Work(SIMULATING))
        self._lines[Task.SAMPLE].start_telling(
            sample, step, self._opened, self._failed(Task.SAMPLE), self._finished(Task.SAMPLE), SIMULATING
        )

    def on_asked(self, question: Question) -> None:
        """Ask the screen."""
        screen = self.session.screen
        if screen is None:
            self.session.said.emit(
                Task.ASK, "Nothing is encoded yet: open a plate and press Encode on the Run tab."
            )
            return

        fdr = self.session.view.fdr

        def answer() -> Answer:
            from napari_cellclip.explore import ask, like

            if question.like:
                return like(screen, question.like, question.but_not, fdr=fdr)
            return ask(
                screen,
                question.text,
                fdr=fdr,
                prompts=question.prompts,
                combine=question.combine,
                use_platemap=question.use_platemap,
            )

        def done(found: Answer) -> None:
            if self.session.screen is screen:
                self.session.answer = found

        self._run(Task.ASK, answer, done, "Asking")

    def on_map(self, method: str) -> None:
        """Compute a map of the screen."""
        screen = self.session.screen
        if screen is None:
            return

        def project() -> Projection:
            from napari_cellclip.explore import pca_map, umap_map

            return pca_map(screen) if method == "pca" else umap_map(screen)

        def done(projection: Projection) -> None:
            if self.session.screen is screen:
                self.session.add_map(projection)
                if method == "pca" and self.session.view.map_method == "umap":
                    self.session.make_map("umap")

        self._run(Task.MAP, project, done, f"Computing the {method.upper()} map")

    def on_screen_changed(self) -> None:
        """Give a new screen a map at once (PCA), and then the better one (UMAP)."""
        self._lines[Task.ASK].cancel()
        self.session.set_work(Task.ASK, None)
        if self.session.screen is not None:
            self.session.make_map("pca")

    def on_encode(self, plan: RunPlan) -> None:
        """Encode the plate."""
        plate, platemap = self.session.plate, self.session.platemap
        if plate is None:
            self.session.said.emit(Task.ENCODE, "Open a plate first.")
            return
        out = plan.out or screen_folder(plate, plan.model)

        def steps() -> Iterator[Any]:
            # Refused before anything heavy is imported: that should not take seconds.
            if plate.stains.unmapped:
                raise CellClipError(
                    f"The files of {plate.name} do not say which stain {', '.join(plate.stains.available)} "
                    "show: choose under Stains on the Run tab, press Use this mapping, then Encode."
                )
            plate.require_stains()
            from napari_cellclip.model import load_model
            from napari_cellclip.screen import Screen, iter_encode

            model = load_model(
                plan.model,
                device=plan.device,
                accept_licence=plan.accept_licence,
                batch_size=plan.batch_size,
            )
            yield from iter_encode(plate, platemap, model, out, shard_sites=SITES_PER_STEP)
            yield Screen.open(out)

        def step(value: Any) -> None:
            if hasattr(value, "total"):
                work = Work(value.message, value.done, value.total, value.failures)
                self.session.set_work(Task.ENCODE, work)
            elif self.session.plate is not None and self.session.plate.name != plate.name:
                said = f"{plate.name} is encoded meanwhile: open the screen {out} to look at it."
                self.session.said.emit(Task.ENCODE, said)
            else:
                self.session.set_screen(value)

        self.session.set_work(Task.ENCODE, Work("Loading the model"))
        self._lines[Task.ENCODE].stream(
            steps,
            step,
            lambda: None,
            self._failed(Task.ENCODE),
            self._finished(Task.ENCODE),
            f"Encoding {plate.name}",
        )

    def on_stopped(self, task: str) -> None:
        """Cancel a task; what an encoding run has written is kept."""
        work = self.session.work(Task(task))
        self._lines[Task(task)].cancel()
        self.session.set_work(Task(task), None)
        if task == Task.ENCODE and work is not None:
            self.session.said.emit(
                task, f"Stopped after {work.done} of {work.total}; Resume goes on from there."
            )

    # ------------------------------------------------------------------ how they run

    def _opened(self, opened: Opened) -> None:
        if opened.plate is not None and opened.plate is self.session.plate:
            self.session.set_platemap(opened.platemap)
        elif opened.plate is not None:
            self.session.set_plate(opened.plate, opened.platemap)
        if opened.screen is not None:
            self.session.set_screen(opened.screen)
        elif opened.plate is not None and self.session.screen is not None and opened.platemap is not None:
            self.session.set_platemap(opened.platemap)
        if opened.remark:
            self.session.said.emit(Task.OPEN, opened.remark)

    def _run(self, task: Task, work: Any, done: Any, title: str) -> None:
        self.session.set_work(task, Work(title))
        self._lines[task].start(work, done, self._failed(task), self._finished(task), title)

    def _failed(self, task: Task) -> Any:
        return lambda message: self.session.said.emit(task, message)

    def _finished(self, task: Task) -> Any:
        return lambda: self.session.set_work(task, None)


def _screen_of_sample(sample: Path) -> Screen | None:
    """Open the newest screen the demo has made of the sample plate, if it has."""
    from napari_cellclip.screen import Screen

    folders = [f for f in sample.parent.glob(f"{sample.name}-*.screen") if (f / "screen.json").is_file()]
    for folder in sorted(folders, key=lambda f: (f / "screen.json").stat().st_mtime, reverse=True):
        try:
            screen = Screen.open(folder)
        except CellClipError:  # made by another version: encoding makes a new one
            continue
        if screen.complete:
            return screen
    return None


_CONTROLLERS: WeakKeyDictionary[Any, Controller] = WeakKeyDictionary()


def controller_of(viewer: Any) -> Controller:
    """Return the controller of a viewer, made on first use together with its session and canvas."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _CONTROLLERS:
        from napari_cellclip.gui.canvas.layers import Canvas

        controller = Controller(session_of(viewer))
        controller.canvas = Canvas(controller.session, viewer)
        _CONTROLLERS[viewer] = controller
    return _CONTROLLERS[viewer]
