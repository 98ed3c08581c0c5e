"""Fit the canvas to some of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

MARGIN = 0.05
"""Share of the canvas that stays free around the layers, as napari leaves it."""


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
