"""Fit the canvas to some of its layers, and keep it so while its size changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from numpy.typing import NDArray

MARGIN = 0.05
"""Share of the canvas that stays free around the layers, as napari leaves it."""

NO_MOVE = 1e-4
"""Relative difference that drawing leaves in a camera nobody moved."""


def fit_to_layers(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """Centre the camera on layers in two dimensions, zoomed so that all of them are seen.

    ``ViewerModel.fit_to_view(layers=…)`` does the same, but came after napari 0.9.1, with 0.9.2.
    """
    worlds = [(layer.extent.world[:, -2:], layer.extent.step[-2:] / 2) for layer in layers]
    low = np.min([world[0] - half for world, half in worlds], axis=0)
    high = np.max([world[1] + half for world, half in worlds], axis=0)
    size = np.where(high > low, high - low, 1)
    viewer.scene.camera.center = (0.0, *((low + high) / 2))
    viewer.scene.camera.zoom = (1 - MARGIN) * float(np.min(viewer.canvas.viewbox_size(viewer.layers) / size))


class FittedView:
    """The camera of a viewer, fitted to layers anew when the canvas is resized, until the user moves it.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly, as are its layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self._fitted: list[ref[Layer]] = []
        self._left_at: NDArray[np.float64] | None = None
        viewer.canvas.events.size.connect(self.on_resized)

    def fit(self, layers: Sequence[Layer]) -> None:
        """Fit the camera to layers, now and for canvases of other sizes."""
        viewer = self._viewer()
        if viewer is not None and layers:
            fit_to_layers(viewer, layers)
            self._fitted, self._left_at = [ref(layer) for layer in layers], _place_of(viewer)

    def on_resized(self, _event: object = None) -> None:
        """Fit again if the camera is where the last fit left it."""
        viewer = self._viewer()
        if viewer is None or self._left_at is None:
            return
        layers = [layer for layer in (held() for held in self._fitted) if layer in viewer.layers]
        moved = not np.allclose(self._left_at, _place_of(viewer), rtol=NO_MOVE)
        if moved or not any(layer.visible for layer in layers):
            self._left_at = None
        else:
            self.fit(layers)


def _place_of(viewer: ViewerModel) -> NDArray[np.float64]:
    """Return centre and zoom of the camera."""
    return np.array([*viewer.scene.camera.center[-2:], viewer.scene.camera.zoom])
