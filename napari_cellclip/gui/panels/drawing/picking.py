"""What modifiers mean while picking, and which points an outline holds."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from skimage.measure import points_in_poly

from napari_cellclip.gui.state.selection import Mode


def mode_of(modifiers: Qt.KeyboardModifier, otherwise: Mode = Mode.REPLACE) -> Mode:
    """Say what Shift, Alt and Ctrl mean in every view: add, subtract, intersect; without one, `otherwise`."""
    if modifiers & Qt.KeyboardModifier.AltModifier:
        return Mode.SUBTRACT
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return Mode.ADD
    if modifiers & Qt.KeyboardModifier.ControlModifier:
        return Mode.INTERSECT
    return otherwise


def inside(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mark the points that lie in a polygon: boolean ``[n]``; the bounding box is tried first."""
    within = np.zeros(len(points), bool)
    if len(polygon) < 3 or len(points) == 0:
        return within
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    if len(near):
        within[near] = points_in_poly(points[near], polygon)
    return within
