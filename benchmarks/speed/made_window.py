"""A real napari window with the Explorer and a made plate, for the timings of the window.

Wells are drawn at random around some directions; the text model is a stand-in, so that questions time window
and core, not a network. Nothing here is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed.questions import MemoryScreen, vectors
from napari_cellclip.model import EncoderCard, FileCard, ModelCard
from napari_cellclip.plates import Plate, open_plate
from napari_cellclip.vocabulary import PLATE_SHAPES, STAINS, Stain, well_name

DIM, PLATE, EVERY_CONTROL = 512, "P1", 12


class PicturedScreen(MemoryScreen):
    """Embeddings in memory, with a preview of noise for each well and no failures."""

    def preview(self, well: str) -> np.ndarray:
        rng = np.random.default_rng(abs(hash(well)) % 2**32)
        return rng.integers(0, 255, (96, 96, 3)).astype(np.uint8)

    @property
    def plates(self) -> dict[str, Any]:
        return {PLATE: None}

    def contrast(self, plate: str) -> dict[Stain, tuple[float, float]]:
        return dict.fromkeys(STAINS, (0.0, 4000.0))

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
    screen = PicturedScreen(vectors(n, DIM), table, card, Path("memory"))
    screen.path = folder
    return screen


def write_plate(folder: Path) -> Plate:
    """Two wells of TIFFs of 1080 x 1080 pixels, for the double-click."""
    import tifffile

    rng = np.random.default_rng(0)
    for well in ("A01", "A02"):
        for stain in STAINS:
            tifffile.imwrite(
                folder / f"{well}_s1_{stain.value}.tif", rng.integers(0, 4000, (1080, 1080)).astype(np.uint16)
            )
    return open_plate(folder, name=PLATE)


def painted() -> None:
    """Run the event loop until nothing is left to do, to paint or to delete."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        QApplication.sendPostedEvents()
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def until(ready: Callable[[], bool], seconds: float = 120.0) -> None:
    """Run the event loop until something is so."""
    end = time.perf_counter() + seconds
    while not ready():
        painted()
        if time.perf_counter() > end:
            raise TimeoutError("the window did not get ready")


def open_window(size: tuple[int, int] = (1600, 1000)) -> Any:
    """A napari window."""
    import napari

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*size)
    painted()
    return viewer


def open_explorer(viewer: Any) -> Any:
    """Open the Explorer in a window, from its menu."""
    viewer.window.add_plugin_dock_widget("napari-cellclip", "Explorer")
    painted()
    return next(w for name, w in viewer.window.dock_widgets.items() if "Explorer" in name)


def settle(session: Any) -> None:
    """Wait until no work is running."""
    from napari_cellclip.gui.state.tasks import Task

    until(lambda: all(session.work(task) is None for task in Task))


def ask_and_wait(session: Any, text: str) -> None:
    """Ask by one prompt, and wait for the answer."""
    from napari_cellclip.gui.state.requests import AskRequest

    before = session.answer
    session.request(AskRequest(text, prompts=(text,)))
    until(lambda: session.answer is not before)
