"""The window: questions, selection, lasso, double-click, a million points, and what a fresh process takes.

Everything is done in one real napari window of 1600 x 1000 pixels, in turns with what it is measured
against, and on the clock, painting included. The first figures come from fresh processes. On a machine
without a display it starts itself on a virtual one (``xvfb-run``), where the processor draws what a graphics
card would.
``python -m benchmarks.speed.window [--quick]``
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.figures import Figure, need_a_display, script
from benchmarks.speed.made_window import (
    PLATE,
    ask_and_wait,
    made_screen,
    open_explorer,
    open_window,
    painted,
    settle,
    until,
    write_plate,
)
from napari_cellclip.explore import ask

COMPOSED = (
    "any change in a window with an OpenGL canvas has the whole window composed anew; without a graphics card"
    " the processor does that"
)


def timed(work: Callable[[], Any]) -> float:
    """Seconds on the clock for some work, painting included."""
    start = time.perf_counter()
    work()
    painted()
    return time.perf_counter() - start


def measure_wells(n: int, rounds: int) -> list[Figure]:
    """Questions, selection, lasso and double-click on a plate of n wells."""
    viewer = open_window()
    explorer = open_explorer(viewer)
    session = explorer.session
    figures = []

    def tell(name: str, ours: list[float], partner: list[float], against: str, wanted: str, limit: str = ""):
        figures.append(Figure(f"{name}, {n} wells", ours, partner, against, wanted, limit))

    with tempfile.TemporaryDirectory() as folder:
        screen = made_screen(n, Path(folder))
        session.set_plate(write_plate(Path(folder)))
        session.set_screen(screen)
        settle(session)
        ids, rng = list(screen.well_ids), np.random.default_rng(0)
        pairs = []
        for text in [f"question {i}" for i in range(rounds + 1)]:
            core = timed(lambda text=text: ask(screen, text, prompts=[text]))
            pairs.append((timed(lambda text=text: ask_and_wait(session, text)), core))
        window, core_alone = map(list, zip(*pairs[1:], strict=True))  # the first one calibrates the screen
        wanted = "< 150 ms" if n <= 384 else "< 500 ms"
        tell("ask again, until it is painted", window, core_alone, "the core alone", wanted)
        repaint, label, few, half = [], [], [], []
        for _ in range(rounds):
            repaint.append(timed(explorer.repaint))
            label.append(timed(explorer.footer.count.repaint))
            for size, times in ((8, few), (n // 2, half)):
                chosen = rng.choice(ids, size, replace=False)
                times.append(timed(lambda chosen=chosen: session.selection.replace(chosen)))
        tell("8 selected wells reach every view", few, repaint, "a repaint of the Explorer", "< 100 ms")
        tell("half of the wells do", half, repaint, "a repaint of the Explorer", "< 100 ms")
        frames = lasso_frames(explorer.map.view, 4 * rounds)[:rounds]
        tell("a frame of the lasso", frames, label, "one label drawn anew", "< 20 ms", COMPOSED)
        clicks, pictures = [], []
        for turn in range(rounds):
            start = time.perf_counter()
            clicks.append(timed(lambda turn=turn: session.show(f"{PLATE}/{('A01', 'A02')[turn % 2]}")))
            settle(session)
            pictures.append(time.perf_counter() - start)
        tell("feedback of a double-click", clicks, label, "one label drawn anew", "< 100 ms")
        fields = [timed(lambda: session.plate.well(f"{PLATE}/A01").sites[0].read()) for _ in range(rounds)]
        tell("the field of a double-click", pictures, fields, "reading its five files", "")
        viewer.close()
        painted()
    return figures


def lasso_frames(view: Any, moves: int) -> list[float]:
    """Seconds of each mouse move of a lasso, painting included."""
    from pyqtgraph import setConfigOptions
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    setConfigOptions(mouseRateLimit=-1)
    port = view.viewport()
    middle, reach = port.rect().center(), 0.4 * min(port.width(), port.height())
    corners = [
        QPoint(round(middle.x() + reach * np.cos(a)), round(middle.y() + reach * np.sin(a)))
        for a in np.linspace(0, 2 * np.pi, moves)
    ]
    QTest.mousePress(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, corners[0])
    frames = [timed(lambda at=at: QTest.mouseMove(port, at)) for at in corners[1:]]
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, corners[-1])
    return frames


def measure_map(n: int, rounds: int) -> list[Figure]:
    """Pan and zoom of many points with a tenth of them selected, at 900 x 700."""
    from napari_cellclip.gui.palette import ramp
    from napari_cellclip.gui.panels.wells.map_view import POINTS_AT_MOST, MapView

    views = []
    for count in (n, min(n, POINTS_AT_MOST)):
        rng = np.random.default_rng(0)
        xy = rng.normal(size=(40, 2))[rng.integers(0, 40, count)] * 6 + rng.normal(size=(count, 2))
        view = MapView(str)
        view.resize(900, 700)
        view.show()
        view.set_points([str(i) for i in range(count)], xy.astype(np.float32))
        view.set_colours(ramp()[rng.integers(0, 256, count)], rng.random(count) < 0.05)
        view.set_rings(frozenset(str(i) for i in range(0, count, 10)), None)
        painted()
        views.append(view)
    moves: list[list[float]] = [[], []]
    drawn: list[list[float]] = [[], []]
    for turn in range(rounds):
        for view, times, settled in zip(views, moves, drawn, strict=True):
            move = (view.box.scaleBy, (0.9, 0.9)) if turn % 2 else (view.box.translateBy, (0.2, 0.1))
            times.append(timed(lambda move=move: move[0](move[1])))
            settled.append(timed(view.settle))
    for view in views:
        view.hide()
        view.deleteLater()
    painted()
    against = f"{min(n, POINTS_AT_MOST):,} points"
    what = f"{n:,} points, a tenth of them selected:"
    return [
        Figure(f"{what} a frame of pan or zoom", *moves, against, "< 100 ms"),
        Figure(f"{what} drawn anew at this zoom", *drawn, against, "< 100 ms"),
    ]


def fresh() -> None:
    """Print what a fresh process takes: napari's window, the Explorer, a first picture, a first answer."""
    start = time.perf_counter()
    viewer = open_window()
    napari = time.perf_counter() - start
    opened = timed(lambda: open_explorer(viewer))
    explorer = next(w for name, w in viewer.window.dock_widgets.items() if "Explorer" in name)
    session = explorer.session
    with tempfile.TemporaryDirectory() as folder:
        plate = write_plate(Path(folder))
        session.set_plate(plate)
        painted()

        picture = first_picture(viewer, session)
        session.set_screen(made_screen(384, Path(folder)))
        question = timed(lambda: ask_and_wait(session, "first"))
        settle(session)
    print(f"fresh {napari} {opened} {picture} {question}", flush=True)
    viewer.close()
    painted()


def first_picture(viewer: Any, session: Any) -> float:
    """Seconds until the canvas has painted a field for the first time; its hidden layers follow later."""
    from qtpy.QtOpenGLWidgets import QOpenGLWidget
    from qtpy.QtWidgets import QApplication

    frames: list[float] = []
    canvas = next(w for w in QApplication.allWidgets() if isinstance(w, QOpenGLWidget) and w.isVisible())
    canvas.frameSwapped.connect(lambda: frames.append(time.perf_counter()) if len(viewer.layers) else None)
    start = time.perf_counter()
    session.show(f"{PLATE}/A01")
    until(lambda: bool(frames))
    return frames[0] - start


def measure_fresh(rounds: int) -> list[Figure]:
    """Time fresh processes; the partner of each figure is napari's own window in the same process."""
    runs = []
    for _ in range(rounds):
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.window", "--fresh"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("fresh "))
        runs.append([float(word) for word in line.split()[1:]])
    napari, opened, picture, question = map(list, zip(*runs, strict=True))
    against = "opening napari's window"
    return [
        Figure("the Explorer is seen, after napari, in a fresh process", opened, napari, against, "< 1 s"),
        Figure("the first picture of a plate, in a fresh process", picture, napari, against, "< 500 ms"),
        Figure("the first answer in a fresh process, 384 wells", question, napari, against, "< 5 s"),
    ]


def measure(quick: bool) -> list[Figure]:
    """Take all figures."""
    need_a_display()
    figures = measure_fresh(1 if quick else 5)
    for n in (96,) if quick else (384, 1536):
        figures += measure_wells(n, 2 if quick else 15)
    return figures + measure_map(21_000 if quick else 1_000_000, 2 if quick else 15)


if __name__ == "__main__":
    if "--fresh" in sys.argv:
        fresh()
    else:
        script(measure, __doc__)
