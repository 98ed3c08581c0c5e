"""How long the window takes: selection to every view, lasso, question, double-click, a million points, leaks.

Everything runs in one process on a real napari window, interleaved, and is told as the median of repeats with
its spread, on the clock and of the processor, beside what it is measured against in the same run. Wells are
drawn at random around some directions; the text model is a stand-in, so that the questions time window and
core, not a network.
``python -m benchmarks.speed.window [--wells 384 1536] [--million 1000000] [--cycles 50]`` on a display
(``xvfb-run -a`` without one).
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed.questions import MemoryScreen, vectors
from napari_cellclip.explore import ask
from napari_cellclip.model import EncoderCard, FileCard, ModelCard
from napari_cellclip.plates import Plate, open_plate
from napari_cellclip.vocabulary import PLATE_SHAPES, STAINS, well_name

DIM, PLATE, EVERY_CONTROL = 512, "P1", 12


class PicturedScreen(MemoryScreen):
    """Embeddings in memory, with a preview of noise for each well and no failures."""

    def preview(self, well: str) -> np.ndarray:
        rng = np.random.default_rng(abs(hash(well)) % 2**32)
        return rng.integers(0, 255, (96, 96, 3)).astype(np.uint8)

    @property
    def failures(self) -> pd.DataFrame:
        return pd.DataFrame(columns=["Metadata_Site_id", "Metadata_Well_id", "Metadata_Failure"])


def made_screen(n: int, folder: Path) -> PicturedScreen:
    """One plate of n wells, two replicates a compound, every twelfth a control; its map goes to a folder."""
    rows, columns = PLATE_SHAPES[n]
    names = [well_name(r, c) for r in range(rows) for c in range(columns)]
    control = np.where(np.arange(n) % EVERY_CONTROL == 0, "negcon", "")
    table = pd.DataFrame(
        {
            "Metadata_Plate": PLATE,
            "Metadata_Well": names,
            "Metadata_sites": 4,
            "Metadata_treatment": [
                "DMSO" if c else f"compound {i // 2 % (n // 2)}" for i, c in enumerate(control)
            ],
            "Metadata_kind": np.where(control == "", "compound", "control"),
            "Metadata_control_type": control,
            "Metadata_mechanism": [f"mechanism {i // 2 % 20}" for i in range(n)],
            "Metadata_cell_line": "U2OS",
            "Metadata_smiles": "",
            "Metadata_genes": "",
            "Metadata_dose": 1.0,
        },
        index=pd.Index([f"{PLATE}/{name}" for name in names], name="well_id"),
    )
    card = ModelCard(
        name="memory",
        encoder=EncoderCard(kind="profile", name="none", dim=DIM),
        embed_dim=DIM,
        weights=FileCard(file="none"),
    )
    screen = PicturedScreen(vectors(n, DIM), table, card)
    screen.path = folder
    return screen


def write_plate(folder: Path) -> Plate:
    """Two wells of real TIFFs, for the double-click."""
    import tifffile

    rng = np.random.default_rng(0)
    for well in ("A01", "A02"):
        for stain in STAINS:
            tifffile.imwrite(
                folder / f"{well}_s1_{stain.value}.tif", rng.integers(0, 4000, (1080, 1080)).astype(np.uint16)
            )
    return open_plate(folder, name=PLATE)


def painted() -> None:
    """Run the event loop until nothing is left to do or to paint."""
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        QApplication.sendPostedEvents()
        QApplication.processEvents()


def until(ready: Callable[[], bool], seconds: float = 120.0) -> None:
    """Run the event loop until something is so."""
    end = time.perf_counter() + seconds
    while not ready():
        painted()
        if time.perf_counter() > end:
            raise TimeoutError("the window did not get ready")


Times = list[tuple[float, float]]
"""Milliseconds on the clock, and of the processor: what the clock would say on an idle machine."""


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Time some work, painting included."""
    start, used = time.perf_counter(), time.process_time()
    work()
    painted()
    return (time.perf_counter() - start) * 1000, (time.process_time() - used) * 1000


def tell(what: str, values: Times, limit: float, beside: str = "", other: Times | None = None) -> None:
    """Print one row: medians, spread, limit, and the ratio of processor times to that of something else."""
    clock, used = np.array(values).T
    low, high = np.percentile(used, (10, 90))
    line = (
        f"  {what:<42}{np.median(clock):8.1f} ms, processor {np.median(used):7.1f}"
        f" ({low:.1f}-{high:.1f}, n {len(used)})  limit {limit:g}"
    )
    if other:
        line += (
            f"  ratio {np.median(used) / max(float(np.median(np.array(other)[:, 1])), 1e-9):.2f} to {beside}"
        )
    print(line, flush=True)


def open_explorer(size: tuple[int, int] = (1600, 1000)) -> tuple[Any, Any, Any]:
    """A napari window with the Explorer: viewer, Explorer, session."""
    import napari

    from napari_cellclip.gui.work.controller import controller_of

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*size)
    viewer.window.add_plugin_dock_widget("napari-cellclip", "Explorer")
    explorer = next(w for name, w in viewer.window.dock_widgets.items() if "Explorer" in name)
    painted()
    return viewer, explorer, controller_of(viewer).session


def settle(session: Any) -> None:
    """Wait until no work is running."""
    from napari_cellclip.gui.state.tasks import Task

    until(lambda: all(session.work(task) is None for task in Task))


def measure_window(n: int, repeats: int) -> None:
    """Selection, lasso, questions and double-click on a plate of n wells."""
    from napari_cellclip.gui.state.requests import AskRequest

    print(f"{n} wells, every view open at 1600 x 1000")
    viewer, explorer, session = open_explorer()
    with tempfile.TemporaryDirectory() as folder:
        screen = made_screen(n, Path(folder))
        session.set_plate(write_plate(Path(folder)))
        session.set_screen(screen)
        settle(session)
        ids = list(screen.well_ids)
        rng = np.random.default_rng(0)
        core: Times = []
        window: Times = []
        for text in [f"question {i}" for i in range(repeats)]:
            window.append(timed(lambda text=text: asked(session, AskRequest(text, prompts=(text,)))))
            core.append(timed(lambda text=text: ask(screen, text, prompts=[text])))
        tell("ask again, until it is painted", window[1:], 150 if n <= 384 else 500, "the core", core[1:])
        repaint, some, many = [], [], []
        for _ in range(repeats):
            few = rng.choice(ids, 8, replace=False)
            some.append(timed(lambda few=few: session.selection.replace(few)))
            half = rng.choice(ids, n // 2, replace=False)
            many.append(timed(lambda half=half: session.selection.replace(half)))
            repaint.append(timed(explorer.repaint))
        tell("8 selected wells reach every view", some, 100, "a repaint", repaint)
        tell("half of the wells reach every view", many, 100, "a repaint", repaint)
        frames = lasso_frames(explorer.map.view, repeats * 10)
        least = [timed(explorer.footer.count.repaint) for _ in range(repeats * 5)]
        tell("a frame of the lasso", frames, 20, "one label drawn anew in this window", least)
        clicks = [timed(lambda well=well: session.show(f"{PLATE}/{well}")) for well in ("A01", "A02") * 5]
        tell("feedback of a double-click", clicks, 100)
        settle(session)
        viewer.close()
        painted()


def asked(session: Any, request: Any) -> None:
    """Ask and wait for the answer."""
    before = session.answer
    session.request(request)
    until(lambda: session.answer is not before)


def lasso_frames(view: Any, moves: int) -> Times:
    """Milliseconds of each mouse move of a lasso, painting included."""
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


def measure_map(n: int, repeats: int) -> None:
    """Pan and zoom of many points with a tenth of them selected."""
    from napari_cellclip.gui.palette import ramp
    from napari_cellclip.gui.panels.wells.map_view import POINTS_AT_MOST, MapView

    print(f"map of {n:,} points, a tenth of them selected, at 900 x 700")
    views = []
    for count in (n, min(n, POINTS_AT_MOST)):
        rng = np.random.default_rng(0)
        xy = rng.normal(size=(40, 2))[rng.integers(0, 40, count)] * 6 + rng.normal(size=(count, 2))
        view = MapView(str)
        view.resize(900, 700)
        view.show()
        view.set_points([str(i) for i in range(count)], xy.astype(np.float32))
        bright = rng.random(count) < 0.05
        view.set_colours(ramp()[rng.integers(0, 256, count)], bright)
        view.set_rings(frozenset(str(i) for i in range(0, count, 10)), None)
        painted()
        views.append(view)
    frames: list[Times] = [[], []]
    redrawn: Times = []
    for step in range(repeats * 2):
        for view, times in zip(views, frames, strict=True):
            if step % 2:
                times.append(timed(lambda view=view: view.box.scaleBy((0.9, 0.9))))
            else:
                times.append(timed(lambda view=view: view.box.translateBy((0.2, 0.1))))
        redrawn.append(timed(views[0].settle))
    tell("a frame of pan or zoom, with rings", frames[0], 100, f"{len(views[1].ids):,} points", frames[1])
    tell("drawn anew at this zoom", redrawn, 100)
    for view in views:
        view.hide()
        view.deleteLater()
    painted()


def measure_leaks(cycles: int) -> None:
    """Widgets that are left when the Explorer is opened and closed again and again in one viewer."""
    from qtpy.QtWidgets import QApplication

    viewer, explorer, _ = open_explorer()
    viewer.window.remove_dock_widget(explorer)
    del explorer
    counts = []
    for _ in range(cycles + 1):
        viewer.window.add_plugin_dock_widget("napari-cellclip", "Explorer")
        painted()
        widget = next(w for name, w in viewer.window.dock_widgets.items() if "Explorer" in name)
        viewer.window.remove_dock_widget(widget)
        del widget
        painted()
        gc.collect()
        counts.append(len(QApplication.allWidgets()))
    print(
        f"{cycles} times opened and closed: {(counts[-1] - counts[0]) / max(cycles, 1):+.2f} widgets a cycle"
    )
    viewer.close()
    painted()


def first_question() -> None:
    """Time the first question of this process, from the request to the painted answer."""
    from napari_cellclip.gui.state.requests import AskRequest

    viewer, _, session = open_explorer()
    with tempfile.TemporaryDirectory() as folder:
        session.set_screen(made_screen(384, Path(folder)))
        taken = timed(lambda: asked(session, AskRequest("first", prompts=("first",))))
        settle(session)
    print(f"first {taken[0]:.1f} {taken[1]:.1f}", flush=True)
    viewer.close()
    painted()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, nargs="+", default=[384, 1536], choices=sorted(PLATE_SHAPES))
    parser.add_argument("--million", type=int, default=1_000_000)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--fresh", type=int, default=3, help="fresh processes whose first question is timed")
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first:
        first_question()
        return
    for n in given.wells:
        measure_window(n, given.repeats)
    measure_map(given.million, given.repeats)
    measure_leaks(given.cycles)
    if given.fresh:
        command = [sys.executable, "-m", "benchmarks.speed.window", "--first"]
        runs = [
            subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(given.fresh)
        ]
        found = [
            (float(line.split()[1]), float(line.split()[2]))
            for run in runs
            for line in run.stdout.splitlines()
            if line.startswith("first ")
        ]
        tell("first question of a fresh process, 384 wells", found, 5000)


if __name__ == "__main__":
    main()
