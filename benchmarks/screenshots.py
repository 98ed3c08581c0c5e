"""Pictures of the window: every tab, several sizes and scales, both themes, of the sample and of real plates.

Each size, scale and theme is a process of its own with a virtual display of its own; the sample plate is
simulated and encoded by the bundled model first, if it is not in the cache. Real plates are those below
``$NAPARI_CELLCLIP_SHARED/data``; without them their pictures are left out. They are looked at, not kept.
``make screenshots`` or ``python -m benchmarks.screenshots [--out build/screenshots] [--only 1600x1000-dark]``
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellclip.cli.virtual_display import virtual_display

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Screen

PATIENCE = 240.0
REAL = ("img_cpjump1_treated", "img_cpjump1_BR00117006", "img_bray2017_plate24279", "img_jump_rab30")


@dataclass(frozen=True)
class Look:
    """One way to look at the window: its size in pixels before scaling, scale and theme."""

    size: tuple[int, int]
    theme: str
    scale: int = 1

    @property
    def name(self) -> str:
        """Begins the names of its pictures."""
        scale = f"-{self.scale}00" if self.scale > 1 else ""
        return f"{self.size[0]}x{self.size[1]}-{self.theme}{scale}"


LOOKS = tuple(
    Look(size, theme, scale)
    for size, scale in (((1280, 800), 1), ((1600, 1000), 1), ((1920, 1080), 1), ((1280, 800), 2))
    for theme in ("dark", "light")
)


PARTS = ("sample", "real", "first")
"""The tabs of the sample plate, the real plates, and what a newcomer sees."""


def take_first_run(look: Look, out: Path) -> None:
    """Take every tab as it is before anything was opened."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_cellclip.gui.explorer import TABS

    viewer = napari.Viewer(title="napari-cellclip")
    viewer.window.add_plugin_dock_widget("napari-cellclip", "Explorer")
    viewer.window.resize(*look.size)
    pictures = Pictures(viewer, look, out)
    for title in TABS:
        pictures.tab(title)
        pictures.ready()
        pictures.take(f"first-{title.lower()}")
    viewer.close()
    QApplication.processEvents()


def take(look: Look, out: Path, parts: Sequence[str] = PARTS) -> None:
    """Take all pictures of one look, in this process."""
    from napari.settings import get_settings
    from qtpy.QtWidgets import QApplication

    from napari_cellclip.cli.demo import demo_screen
    from napari_cellclip.gui.demo import open_window

    get_settings().appearance.theme = look.theme
    plate, screen = demo_screen()
    viewer = open_window(plate, screen, size=look.size)
    pictures = Pictures(viewer, look, out)
    if "sample" in parts:
        pictures.take_tabs(plate, screen)
    if "real" in parts:
        pictures.take_real_plates()
    viewer.close()
    if "first" in parts:
        take_first_run(look, out)
    QApplication.processEvents()


class Pictures:
    """Brings a window into states and writes what it looks like."""

    def __init__(self, viewer: Any, look: Look, out: Path) -> None:
        from napari_cellclip.gui.work.controller import controller_of

        self.viewer, self.look, self.out = viewer, look, out
        self.session = controller_of(viewer).session
        self.explorer: Any = next(
            widget for name, widget in viewer.window.dock_widgets.items() if "Explorer" in name
        )
        self.session.message.connect(lambda task, text: print(f"{look.name}: {task}: {text}", flush=True))

    def ready(self, so: Callable[[], bool] = lambda: True) -> None:
        """Wait until nothing is at work and something is so, and until it is painted."""
        from napari_cellclip.gui.demo import wait
        from napari_cellclip.gui.state.tasks import Task

        wait(lambda: so() and all(self.session.work(task) is None for task in Task), PATIENCE)
        wait(lambda: False, 3.0)  # pictures of wells are made a few at a time

    def take(self, what: str) -> None:
        """Write the window as it is now."""
        path = self.out / f"{self.look.name}-{what}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path, flush=True)

    def tab(self, title: str) -> None:
        """Bring a tab to the front."""
        tabs = self.explorer.tabs
        tabs.setCurrentIndex(next(i for i in range(tabs.count()) if tabs.tabText(i).startswith(title)))

    def take_tabs(self, plate: Plate, screen: Screen) -> None:
        """Take every tab of the sample plate, then the states of plate, map and canvas."""
        from napari_cellclip.gui.state.requests import (
            DescribeRequest,
            ExplainRequest,
            HeatMapRequest,
            MapPictureRequest,
            MechanismsRequest,
            NameClustersRequest,
            OpenRequest,
        )

        session = self.session
        self.ready(lambda: session.answer is not None and "umap" in session.maps.by_method)
        self.take("hits")
        best = tuple(session.highlighted_wells)
        session.selection.replace(best)
        session.request(ExplainRequest(best))
        self.tab("Why")
        self.ready(lambda: session.explanations.contributions is not None)
        if session.shown is not None:
            session.request(HeatMapRequest(session.shown))
        self.ready()
        self.take("why")
        session.request(DescribeRequest(best))
        self.tab("Describe")
        self.ready()
        self.take("describe")
        session.request(MechanismsRequest())
        for title in ("References", "QC", "Set-up"):
            self.tab(title)
            self.ready()
            self.take(title.lower())
        self.tab("Hits")
        session.look(colour_by="mechanism", thumbnails=True)
        session.request(NameClustersRequest())
        self.ready()
        self.take("thumbnails")
        hits = self.explorer.hits
        hits.buttons["gallery"].click()
        session.look(thumbnails=False, filter="mechanism: inhibitor")
        self.explorer.query.evidence.kinds["look-alikes"].trigger()
        self.ready()
        self.take("gallery")
        hits.buttons["treatments"].click()
        session.look(filter="")
        self.explorer.query.evidence.kinds["auto"].trigger()
        self.ready()
        session.request(MapPictureRequest())
        self.ready()
        self.take("map-on-canvas")
        session.look(colour_by="score")
        session.request(OpenRequest(plate.path))
        self.ready(lambda: session.plate is not None)

    def take_real_plates(self) -> None:
        """Open each real plate that is there, and take its first well."""
        from napari_cellclip.gui.state.requests import OpenRequest

        shared = os.environ.get("NAPARI_CELLCLIP_SHARED")
        for name in REAL:
            folder = Path(shared or ".") / "data" / name
            if shared is None or not folder.is_dir():
                print(f"{name} is not here: its picture is left out", flush=True)
                continue
            self.session.set_plate(None)
            self.session.request(OpenRequest(folder))
            self.ready(lambda: self.session.plate is not None)
            if self.session.plate is not None and self.session.shown is None:
                self.session.show(self.session.plate.wells[0].id)
            self.ready()
            self.take(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--only", nargs="*", default=[look.name for look in LOOKS])
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = [look for look in LOOKS if look.name in given.only]
    if given.here:
        take(chosen[0], given.out, given.parts)
        return
    for look in chosen:
        width, height = (side * look.scale for side in look.size)
        with virtual_display((width, height)):
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.screenshots",
                    "--here",
                    "--only",
                    look.name,
                    "--out",
                    given.out,
                    "--parts",
                    *given.parts,
                ],
                env={**os.environ, "QT_SCALE_FACTOR": str(look.scale)},
                check=True,
            )


if __name__ == "__main__":
    main()
