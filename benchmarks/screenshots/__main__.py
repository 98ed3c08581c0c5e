"""``make screenshots`` or ``python -m benchmarks.screenshots [--out build/screenshots] [--only 1600x1000]``.

Each size and scale is a process of its own on a virtual display of that size, with settings and recent files
of its own; in it every state is brought about once and taken on both themes. Simulated plates are made and
encoded by the bundled model first, if they are not in the cache. Real plates are those below
``$NAPARI_CELLCLIP_SHARED/data``; without them their pictures are left out. ``--docs`` writes those that the
pages show to ``docs/images``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from benchmarks.screenshots.for_docs import PAGES, write_pages
from napari_cellclip.cli.virtual_display import virtual_display
from napari_cellclip.vocabulary.user_folders import cache_folder

PARTS = ("first", "sample", "plates", "dialogs", "real", "profiles")
"""A newcomer's window, the sample plate, larger plates, dialogs and errors, real plates, real profiles."""


@dataclass(frozen=True)
class Look:
    """One way to look at the window: its size in pixels before scaling, and the scale."""

    size: tuple[int, int]
    scale: int = 1

    @property
    def name(self) -> str:
        """Begins the names of its pictures."""
        return f"{self.size[0]}x{self.size[1]}" + (f"-{self.scale}00" if self.scale > 1 else "")


LOOKS = (Look((1280, 800)), Look((1600, 1000)), Look((1920, 1080)), Look((1280, 800), 2))


def take(look: Look, out: Path, parts: list[str], wanted: Collection[str] | None) -> None:
    """Take all pictures of one look, in this process."""
    from qtpy.QtWidgets import QApplication

    from benchmarks.screenshots import states

    if "first" in parts:
        states.take_first_run(look.name, look.size, out, wanted)
    rest = [part for part in parts if part != "first"]
    if rest:
        states.take_parts(look.name, look.size, out, wanted, rest)
    QApplication.processEvents()


def run_apart(look: Look, out: Path, further: list[str]) -> None:
    """Take all pictures of one look in a process of its own, on a display of its own."""
    width, height = (side * look.scale for side in look.size)
    command = [sys.executable, "-m", "benchmarks.screenshots", "--here", "--only", look.name]
    with virtual_display((width, height)), tempfile.TemporaryDirectory() as settings:
        own = {
            "QT_SCALE_FACTOR": str(look.scale),
            "NAPARI_CONFIG": str(Path(settings) / "settings.yaml"),
            "XDG_STATE_HOME": settings,
        }
        subprocess.run([*command, "--out", str(out), *further], env={**os.environ, **own}, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--only", nargs="*", default=[look.name for look in LOOKS])
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--docs", type=Path, help="folder for the pictures of the pages, such as docs/images")
    parser.add_argument("--pages", action="store_true", help="take only those that the pages show")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = [look for look in LOOKS if look.name in given.only]
    if given.here:
        take(chosen[0], given.out, given.parts, PAGES if given.pages else None)
        return
    if {"plates"} & set(given.parts):
        from benchmarks.screenshots.made_screens import make_screens

        make_screens(cache_folder() / "screenshots")
    for look in chosen:
        run_apart(look, given.out, ["--parts", *given.parts, *(["--pages"] if given.pages else [])])
    if given.docs is not None:
        write_pages(given.out, given.docs)


if __name__ == "__main__":
    main()
