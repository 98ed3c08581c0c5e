"""What is left when the Explorer is opened and closed again and again in one window.

Each time a plate is opened, a question answered and a field drawn before it is closed. Counted are widgets of
Qt, objects of Qt that this package made and that Python still holds, threads, and the resident memory of the
process (Linux). Sessions outlive the Explorer by design: a second one opens on what the first one had.
``python -m benchmarks.speed.window_leaks [--quick]``
"""

from __future__ import annotations

import gc
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.figures import Figure, need_a_display, script
from benchmarks.speed.made_window import (
    PLATE,
    ask_and_wait,
    made_screen,
    open_explorer,
    open_window,
    painted,
    settle,
    write_plate,
)

CYCLES, TIMED = 50, 10


@dataclass(frozen=True)
class Count:
    """What there is at one moment.

    Attributes
    ----------
    widgets, objects, threads : int
        Widgets of Qt; objects of Qt of this package that Python holds; threads of Python.
    memory : float
        Resident memory in MiB; 0 where it is not known.
    """

    widgets: int
    objects: int
    threads: int
    memory: float


def count() -> Count:
    """Count, once Qt and Python have deleted what they were told to."""
    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QApplication

    painted()
    gc.collect()
    painted()
    ours = [
        o
        for o in gc.get_objects()  # by type: to ask some objects for their class is deprecated
        if issubclass(type(o), QObject) and type(o).__module__.startswith("napari_cell")
    ]
    return Count(len(QApplication.allWidgets()), len(ours), threading.active_count(), resident())


def resident() -> float:
    """Resident memory of this process in MiB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def cycle(viewer: Any, screen: Any, plate: Any, number: int) -> None:
    """Open the Explorer, ask, select, look at a field, look at every tab, and close it."""
    explorer = open_explorer(viewer)
    session = explorer.session
    if session.screen is not screen:
        session.set_plate(plate)
        session.set_screen(screen)
    settle(session)
    ask_and_wait(session, f"question {number % 7}")
    session.selection.replace(list(screen.well_ids)[number % 90 : number % 90 + 8])
    session.show(f"{PLATE}/{('A01', 'A02')[number % 2]}")
    settle(session)
    for tab in range(explorer.tabs.count()):
        explorer.tabs.setCurrentIndex(tab)
        painted()
    viewer.window.remove_dock_widget(explorer)
    del explorer
    painted()


def measure(quick: bool) -> list[Figure]:
    """Open and close, count after each cycle, and time the last cycles against the first ones.

    What is made once is made in a cycle before these.
    """
    need_a_display()
    cycles, timed = (2, 1) if quick else (CYCLES, TIMED)
    viewer = open_window()
    with tempfile.TemporaryDirectory() as folder:
        plate, screen = write_plate(Path(folder)), made_screen(96 if quick else 384, Path(folder))
        found, seconds = [], []
        for number in range(cycles + 1):
            start = time.perf_counter()
            cycle(viewer, screen, plate, number)
            seconds.append(time.perf_counter() - start)
            found.append(count())
        viewer.close()
        painted()
    name = f"opening, asking, looking at every tab and closing the Explorer, {cycles} times: the last {timed}"
    against = f"the first {timed}"
    return [
        Figure(
            name,
            seconds[-timed:],
            seconds[1 : timed + 1],
            against,
            "<= 1.2",
            growth(found[0], found[-1], cycles),
        )
    ]


def growth(first: Count, last: Count, cycles: int) -> str:
    """Word what there is after the last cycle, and was after the first."""
    kinds = ("widgets", "objects", "threads")
    counted = ", ".join(f"{kind} {getattr(first, kind)} then {getattr(last, kind)}" for kind in kinds)
    return f"{counted}; memory {(last.memory - first.memory) / cycles:+.2f} MiB a cycle"


if __name__ == "__main__":
    script(measure, __doc__)
