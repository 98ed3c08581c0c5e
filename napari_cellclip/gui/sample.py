"""File › Open Sample › CellCLIP: the simulated 96-well plate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.types import LayerData


def simulated_plate() -> list[LayerData]:
    """Open the simulated plate in the Explorer; simulating it takes about a minute, the first time.

    With a viewer the work runs in a thread and the plate appears when it is ready, so no layer is returned.
    Without one (a script) the call waits and returns the first site's five layers.
    """
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        from napari_cellclip.gui.readers import read_plate
        from napari_cellclip.simulation import sample_plate

        return read_plate(str(sample_plate()))
    viewer.window.add_plugin_dock_widget("napari-cellclip", "Explorer")

    from napari_cellclip.gui.controller import controller_of

    controller_of(viewer).session.open_sample()
    return []
