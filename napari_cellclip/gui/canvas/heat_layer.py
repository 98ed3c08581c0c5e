"""The match heat map as an image layer, laid exactly over its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from napari_cellclip.gui.state.session import Session

if TYPE_CHECKING:
    from napari.layers import Image

MARK = "cellclip"
NAME = "match"
OPACITY = 0.4


class HeatLayer:
    """One image layer of a viewer that follows the session: there while its field is on the canvas.

    Parameters
    ----------
    session : Session
        Holds the heat map and says which field is on the canvas.
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly.
    """

    def __init__(self, session: Session, viewer: Any) -> None:
        self.session = session
        self._viewer = ref(viewer)
        session.explanations.heat_map_changed.connect(self.refresh)
        session.shown_changed.connect(self._shown_changed)

    @property
    def layer(self) -> Image | None:
        """The layer, if it is there."""
        viewer = self._viewer()
        found = viewer.layers if viewer is not None else ()
        return next((layer for layer in found if "heat" in layer.metadata.get(MARK, {})), None)

    def refresh(self) -> None:
        """Draw the heat of the field on the canvas, or take that of another one away."""
        viewer, found = self._viewer(), self.session.explanations.heat_map
        if viewer is None:
            return
        if found is None or found.site != self.session.shown:
            if (layer := self.layer) is not None:
                viewer.layers.remove(layer)
            return
        heat = found.field.heat_map
        values = heat.values
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        pixel = self.session.plate.pixel_size if self.session.plate is not None else None
        arguments: dict[str, Any] = {
            **heat.placed(pixel),
            "units": ("um", "um") if pixel else ("pixel", "pixel"),
            "contrast_limits": (low, max(high, low + 1e-6)),
            "metadata": {MARK: {"heat": found.site}},
        }
        filled = np.nan_to_num(values, nan=low)
        if (layer := self.layer) is not None:
            layer.data = filled
            for name, value in arguments.items():
                setattr(layer, name, value)
            layer.visible = True
        else:
            viewer.add_image(
                filled,
                name=NAME,
                colormap="inferno",
                blending="translucent",
                opacity=OPACITY,
                interpolation2d="linear",
                **arguments,
            )

    def _shown_changed(self, _site: str) -> None:
        self.refresh()
