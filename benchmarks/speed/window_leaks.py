"""What is left when the Explorer is opened and closed again and again in one window.

Each time a plate is opened, a question answered and a field drawn before it is closed. Counted are widgets of
Qt, objects of Qt that this package made and that Python still holds, threads, and the resident memory of the
process (Linux). Sessions outlive the Explorer by design: a second one opens on what the first one had.
``python -m benchmarks.speed.window_leaks [--cycles 50]``
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.made_window import (
    PLATE,
    ask_and_wait,
    made_screen,
    need_a_display,
    open_explorer,
    open_window,
    painted,
    settle,
    write_plate,
)


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


def counts(cycles: int, wells: int = 384) -> list[Count]:
    """Count after the first cycle, in which what is made once is made, and after each further one."""
    viewer = open_window()
    with tempfile.TemporaryDirectory() as folder:
        plate, screen = write_plate(Path(folder)), made_screen(wells, Path(folder))
        found = []
        for number in range(cycles + 1):
            cycle(viewer, screen, plate, number)
            found.append(count())
        viewer.close()
        painted()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=50)
    given = parser.parse_args()
    need_a_display()
    found = counts(given.cycles)
    first, last = found[0], found[-1]
    print(f"after the first cycle: {first}")
    print(f"after {given.cycles} more:    {last}")
    growth = (last.memory - first.memory) / max(1, given.cycles)
    late = found[len(found) // 2]
    print(f"memory: {growth:+.2f} MiB a cycle, {last.memory - late.memory:+.1f} MiB in the second half")
    print(f"ratio of memory, last to first: {last.memory / max(first.memory, 1e-9):.3f}")


if __name__ == "__main__":
    main()
