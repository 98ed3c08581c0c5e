"""Background work: late answers, errors, cancelling."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QThreadPool

from napari_cellclip.gui.panels.query.query_panel import QueryPanel
from napari_cellclip.gui.state.requests import AskRequest, EncodeRequest, OpenRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.gui.work.opening import is_plate_map
from napari_cellclip.gui.work.workers import Latest, sentence
from napari_cellclip.screen import Progress
from napari_cellclip.vocabulary import CellClipError, PlateError
from tests.gui.toy_screens import FakeScreen, answer_for, projection_for


@pytest.fixture(autouse=True)
def no_progress_on_stderr(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture
def controller(full_session):
    controller = Controller(full_session)
    yield controller
    controller.close()


def idle(qtbot, session):
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task))


def test_late_answers_are_dropped(qtbot):
    line, gate, heard, ends = Latest(), threading.Event(), [], []

    def slow():
        gate.wait(60)
        return "old"

    line.start(slow, heard.append, finished=lambda: ends.append("old"))
    line.start(lambda: "new", heard.append, finished=lambda: ends.append("new"))
    qtbot.waitUntil(lambda: heard == ["new"])
    gate.set()
    qtbot.wait(80)
    assert heard == ["new"]
    assert ends == ["new"]
    assert not line.running


def test_work_started_by_a_result_goes_on(qtbot):
    line, gate, heard, ends = Latest(), threading.Event(), [], []

    def following(_result):
        line.start(lambda: gate.wait(60), heard.append, finished=lambda: ends.append("second"))

    line.start(lambda: 1, following, finished=lambda: ends.append("first"))
    qtbot.waitUntil(lambda: line.generation == 2)
    qtbot.wait(50)
    assert ends == [], "the line is busy with what comes next"
    assert line.running
    gate.set()
    qtbot.waitUntil(lambda: heard == [True])
    assert ends == ["second"]


def test_a_function_tells_how_far_it_is_until_it_is_overtaken(qtbot):
    line, heard, ended = Latest(), [], threading.Event()

    def work(tell):
        try:
            for i in range(10_000):
                tell(i)
                threading.Event().wait(0.002)
        finally:
            ended.set()

    line.start_reporting(work, heard.append, lambda _: heard.append("done"))
    qtbot.waitUntil(lambda: len(heard) > 3)
    line.cancel()
    qtbot.waitUntil(ended.is_set)
    qtbot.wait(30)
    assert heard == list(range(len(heard)))
    line.start_reporting(lambda tell: tell("word"), heard.append, lambda _: heard.append("done"))
    qtbot.waitUntil(lambda: heard[-1] == "done")
    assert heard[-2] == "word"


def test_errors_become_one_sentence_and_the_end_is_always_told(qtbot):
    line, messages, ends = Latest(), [], []

    def fail():
        raise PlateError("plate x has no images: choose another folder")

    line.start(fail, lambda _: messages.append("done"), messages.append, lambda: ends.append(1))
    qtbot.waitUntil(lambda: bool(ends))
    assert messages == ["plate x has no images: choose another folder"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CellClipError("as it is"), "as it is"),
        (MemoryError(), "smaller batch"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (RuntimeError(), "RuntimeError"),
        (
            OSError(20, "Not a directory", "/data/file/s"),
            "/data/file/s cannot be used (Not a directory): check",
        ),
    ],
)
def test_sentences(error, expected):
    assert expected in sentence(error)
    assert "\n" not in sentence(error)


def test_a_stream_can_be_stopped_between_steps(qtbot):
    line, seen, closed = Latest(), [], threading.Event()

    def steps():
        try:
            for i in range(10_000):
                yield i
                threading.Event().wait(0.002)
        finally:
            closed.set()

    line.stream(steps, seen.append, lambda _: seen.append("done"))
    qtbot.waitUntil(lambda: len(seen) > 3)
    line.cancel()
    count = len(seen)
    qtbot.wait(60)
    assert len(seen) == count
    assert "done" not in seen
    qtbot.waitUntil(closed.is_set)


def test_a_stream_tells_its_failure(qtbot):
    line, messages = Latest(), []

    def steps():
        yield 1
        raise PlateError("half way")

    line.stream(steps, lambda _: None, lambda _: messages.append("done"), messages.append)
    qtbot.waitUntil(lambda: bool(messages))
    assert messages == ["half way"]


def test_asking_writes_the_answer(controller, qtbot, monkeypatch):
    session = controller.session
    monkeypatch.setattr(
        "napari_cellclip.explore.ask",
        lambda screen, text, **_: answer_for(screen, {"toy/E05": 30.0}, text),
    )
    session.request(AskRequest("golgi disruptor"))
    idle(qtbot, session)
    assert session.answer.query == "golgi disruptor"
    assert session.highlighted_wells == ["toy/E05"]


def test_only_the_newest_question_is_answered(controller, qtbot, monkeypatch):
    session, gate = controller.session, threading.Event()

    def ask(screen, text, **_):
        if text == "slow":
            gate.wait(60)
        return answer_for(screen, {}, text)

    monkeypatch.setattr("napari_cellclip.explore.ask", ask)
    session.request(AskRequest("slow"))
    session.request(AskRequest("quick"))
    idle(qtbot, session)
    gate.set()
    qtbot.wait(80)
    assert session.answer.query == "quick"


def test_asking_before_encoding_says_so(session, qtbot):
    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.request(AskRequest("anything"))
    assert "press Encode" in messages[0]
    controller.close()


def test_a_new_screen_gets_pca_then_umap(session, plate, qtbot, monkeypatch):
    controller = Controller(session)
    monkeypatch.setattr("napari_cellclip.explore.pca_map", lambda s, **_: projection_for(s, "pca"))
    monkeypatch.setattr("napari_cellclip.explore.umap_map", lambda s, **_: projection_for(s, "umap"))
    session.set_screen(FakeScreen.of(plate))
    qtbot.waitUntil(lambda: set(session.maps.by_method) == {"pca", "umap"})
    idle(qtbot, session)
    controller.close()


def test_opening_a_folder_finds_plate_and_plate_map(session, plate_folder, qtbot):
    controller = Controller(session)
    session.request(OpenRequest(plate_folder))
    idle(qtbot, session)
    assert len(session.plate.wells) == 11
    assert len(session.platemap) == 12
    controller.close()


def test_opening_nonsense_is_one_sentence(session, tmp_path, qtbot):
    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.request(OpenRequest(tmp_path))
    idle(qtbot, session)
    assert session.plate is None
    assert "empty" in messages[0]
    controller.close()


def test_a_dropped_plate_map_is_read_and_checked(full_session, plate, tmp_path, qtbot):
    controller, messages = Controller(full_session), []
    full_session.message.connect(lambda task, message: messages.append(message))
    path = tmp_path / "mine.csv"
    path.write_text("well,treatment\nC04,taxol\nP24,nowhere\n")
    assert is_plate_map(path)
    full_session.request(OpenRequest(path))
    idle(qtbot, full_session)
    assert full_session.wells.loc["toy/C04", "treatment"] == "taxol"
    assert full_session.screen is not None
    assert messages
    assert messages[0].startswith("mine.csv")
    controller.close()


def test_a_plate_map_without_a_plate_is_refused(session, qtbot, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("well,treatment\nC04,taxol\n")
    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.request(OpenRequest(path))
    idle(qtbot, session)
    assert "Open the plate first" in messages[-1]
    controller.close()


class SlowEncoding:
    """Encoding that takes its time, keeps what it did, may fail at a site, and halts half way if told to."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.go_on, self.closed = threading.Event(), threading.Event()
        self.go_on.set()

    def steps(self, plate, platemap, model, out, *, shard_sites, retry_failed, precision, heartbeat):
        try:
            for i in range(len(self.done), 200):
                self.done.append(i)
                yield Progress(i + 1, 200, "encoding", failures=1)
                threading.Event().wait(0.002)
                if i == 100:
                    self.go_on.wait(60)
        finally:
            self.closed.set()


@pytest.fixture
def slow_encoding(monkeypatch, plate):
    encoding = SlowEncoding()
    monkeypatch.setattr("napari_cellclip.screen.iter_encode", encoding.steps)
    monkeypatch.setattr("napari_cellclip.screen.Screen.open", staticmethod(lambda out: FakeScreen.of(plate)))
    monkeypatch.setattr("napari_cellclip.model.load_model", lambda name, **options: name)
    monkeypatch.setattr("napari_cellclip.explore.pca_map", lambda s, **_: projection_for(s, "pca"))
    monkeypatch.setattr("napari_cellclip.explore.umap_map", lambda s, **_: projection_for(s, "umap"))
    yield encoding
    encoding.go_on.set()


def test_encode_cancel_resume(session, plate, platemap, qtbot, tmp_path, slow_encoding):
    from napari_cellclip.gui.panels.setup.setup_panel import SetupPanel

    slow_encoding.go_on.clear()
    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.set_plate(plate, platemap)
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    panel.encode.setValue(EncodeRequest("demo", tmp_path / "out"))
    assert panel.encode.value().out == tmp_path / "out"
    panel.encode.encode_button.click()
    qtbot.waitUntil(lambda: session.work(Task.ENCODE) is not None and session.work(Task.ENCODE).done > 5)
    assert not panel.encode.encode_button.isEnabled()
    assert panel.encode.progress.isVisible()
    assert "1 site could not" in panel.encode.state.text()
    panel.encode.cancel_button.click()
    assert panel.encode.encode_button.isEnabled()
    assert panel.encode.encode_button.text() == "Resume"
    assert not panel.encode.progress.isVisible()
    assert "Resume goes on from there" in messages[-1]
    slow_encoding.go_on.set()
    qtbot.waitUntil(slow_encoding.closed.is_set)
    assert len(slow_encoding.done) < 200
    panel.encode.encode_button.click()
    qtbot.waitUntil(lambda: session.screen is not None)
    idle(qtbot, session)
    assert slow_encoding.done == list(range(200)), "nothing was done twice"
    assert panel.encode.encode_button.isEnabled()
    assert panel.encode.encode_button.text() == "Encode", "there is nothing left to resume"
    controller.close()


def test_a_refused_encoding_is_told_and_the_button_comes_back(session, plate, qtbot, monkeypatch):
    from napari_cellclip.gui.panels.setup.setup_panel import SetupPanel

    def refuse(name, **options):
        raise CellClipError("the weights are not here: download them first")

    monkeypatch.setattr("napari_cellclip.model.load_model", refuse, raising=False)
    controller = Controller(session)
    session.set_plate(plate)
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    panel.encode.encode_button.click()
    idle(qtbot, session)
    assert panel.encode.state.text() == "the weights are not here: download them first"
    assert panel.encode.encode_button.isEnabled()
    controller.close()


@pytest.mark.parametrize(("asked", "given"), [(0, None), (7, 7)])
def test_how_many_crops_at_once_is_the_models_choice_unless_set(
    asked, given, session, plate, qtbot, monkeypatch, tmp_path
):
    batches = []

    def load(name, **options):
        batches.append(options["batch_size"])
        raise CellClipError("that was all")

    monkeypatch.setattr("napari_cellclip.model.load_model", load)
    controller = Controller(session)
    session.set_plate(plate)
    session.request(EncodeRequest("demo", tmp_path / "out", asked))
    idle(qtbot, session)
    assert batches == [given]
    controller.close()


def test_a_plate_opened_during_a_run_stays_open(
    session, plate, platemap, qtbot, tmp_path, slow_encoding, plate_folder
):
    from shutil import copytree

    from napari_cellclip.plates import open_plate

    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.set_plate(plate, platemap)
    session.request(EncodeRequest("demo", tmp_path / "out"))
    other = open_plate(copytree(plate_folder, tmp_path / "other"))
    session.set_plate(other)
    idle(qtbot, session)
    assert session.plate is other
    assert session.screen is None
    assert "toy has been encoded" in messages[-1]
    controller.close()


@pytest.fixture
def one_core():
    """As many threads as Qt starts where there is one core."""
    pool = QThreadPool.globalInstance()
    before = pool.maxThreadCount()
    pool.setMaxThreadCount(1)
    yield
    pool.setMaxThreadCount(before)


def test_a_question_is_answered_while_other_work_goes_on(qtbot, one_core, full_session, monkeypatch):
    """It waited for a thread until the encoding run was through."""
    monkeypatch.setattr("napari_cellclip.explore.ask", lambda screen, text, **_: answer_for(screen, {}, text))
    controller, gate = Controller(full_session), threading.Event()
    try:
        for task in (Task.ENCODE, Task.MAP):
            controller.jobs.run(task, lambda: gate.wait(20), print, "long work")
        full_session.request(AskRequest("asked meanwhile"))
        qtbot.waitUntil(lambda: full_session.answer.query == "asked meanwhile")
        assert controller.jobs.running(Task.ENCODE)
        assert controller.jobs.running(Task.MAP)
    finally:
        gate.set()
    idle(qtbot, full_session)
    controller.close()


def test_what_was_overtaken_before_it_had_a_thread_is_not_begun(qtbot, one_core):
    line, gate, begun = Latest(), threading.Event(), []
    Latest().start(lambda: gate.wait(20), print)
    line.start(lambda: begun.append("old"), print)
    line.start(lambda: begun.append("new"), lambda _: begun.append("told"))
    gate.set()
    qtbot.waitUntil(lambda: begun[-1:] == ["told"])
    assert begun == ["new", "told"]


def test_more_of_a_screen_disturbs_no_question(qtbot, controller, monkeypatch):
    """The question before took the place of the one that was being answered."""
    session, gate, begun = controller.session, threading.Event(), []

    def ask(screen, text, **_):
        begun.append((text, screen))
        gate.wait(20)
        return answer_for(screen, {}, text)

    monkeypatch.setattr("napari_cellclip.explore.ask", ask)
    part = session.screen
    session.show_answer(answer_for(part, {}, "the one before"), AskRequest("the one before"))
    session.request(AskRequest("the newest"))
    qtbot.waitUntil(lambda: len(begun) == 1)
    whole = FakeScreen(part.wells, part.labels)
    session.grow_screen(whole, finished=True)
    gate.set()
    qtbot.waitUntil(lambda: len(begun) == 2)
    idle(qtbot, session)
    assert session.answer.query == "the newest"
    assert begun[1] == ("the newest", whole), "asked again of all there is"


def test_an_answer_that_is_renewed_leaves_what_is_typed(qtbot, full_session):
    panel = QueryPanel(full_session)
    qtbot.addWidget(panel)
    full_session.request(first := AskRequest("tubulin inhibitor"))
    assert panel.line.text() == "tubulin inhibitor"
    full_session.show_answer(answer_for(full_session.screen, {}), first)
    panel.line.clear()
    qtbot.keyClicks(panel.line, "BRD4 kno")
    screen = full_session.screen
    full_session.grow_screen(FakeScreen(screen.wells, screen.labels))
    assert panel.line.text() == "BRD4 kno"
