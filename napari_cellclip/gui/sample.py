"""File › Open Sample › CellCLIP: the simulated 96-well plate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.types import LayerData

WAITING = "cellclip-waiting"


def simulated_plate() -> list[LayerData]:
    """Open the simulated plate in the Explorer; simulating it takes about a minute, the first time.

    With a viewer the work runs in a thread; an empty layer stands for the plate until it is ready.
    Without one (a script) the call waits and returns the first site's five layers.
    """
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        from napari_cellclip.gui.readers import read_plate
        from napari_cellclip.simulation import sample_plate

        return read_plate(str(sample_plate()))

    from napari_cellclip.gui.explorer import show_explorer
    from napari_cellclip.gui.state.requests import OpenSampleRequest
    from napari_cellclip.gui.state.tasks import Task, Work
    from napari_cellclip.gui.work.controller import controller_of

    show_explorer(viewer)
    session = controller_of(viewer).session

    def sweep(task: str, work: Work | None) -> None:
        if task != Task.SAMPLE or work is not None:
            return
        session.work_changed.disconnect(sweep)
        for layer in [x for x in viewer.layers if x.metadata.get(WAITING)]:
            viewer.layers.remove(layer)

    session.request(OpenSampleRequest())
    session.work_changed.connect(sweep)
    # napari takes a sample without a layer for a failure; this one goes when the plate is here.
    return [(np.zeros((0, 2)), {"name": "opening the sample plate", "metadata": {WAITING: True}}, "points")]
