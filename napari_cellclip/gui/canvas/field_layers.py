"""Image layers of fields: one a stain, and further sets of them for wells that stand beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

import numpy as np
from napari.layers import Image
from napari.utils import Colormap

from napari_cellclip.gui.canvas.display_contrast import drawn_limits
from napari_cellclip.vocabulary import STAINS, Stain

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_cellclip.gui.state.canvas_view import CanvasView
    from napari_cellclip.screen.engines.contrast import Contrast

MARK = "cellclip"

GAMMA = 0.8
"""Lifts dim cytoplasm a little; black stays black."""


@dataclass(frozen=True, eq=False)
class DrawnField:
    """Pixels that are drawn together, with all that is said about them.

    Attributes
    ----------
    plate, id : str
        Plate, and the site or well that is shown.
    stains : tuple of Stain
        In the order of the pixels.
    pixels : ndarray (stains, Y, X)
        Counts.
    pixel_size : float or None
        Micrometres.
    contrast : mapping of Stain to (low, high)
        Black and full colour.
    key : str
        What the contrast is of: while it stays, limits that the user has set are kept.
    caption : str
        Plate, well, site, treatment, score.
    """

    plate: str
    id: str
    stains: tuple[Stain, ...]
    pixels: NDArray[Any]
    pixel_size: float | None
    contrast: Contrast
    key: str
    caption: str = ""


def prepare_layers() -> None:
    """Make a layer that nobody sees.

    napari reads its definitions of units with the first one: a tenth of a second that the first picture of a
    plate need not wait for. In the main thread, since two threads must not read them at a time.
    """
    Image(np.zeros((1, 1)))


def stain_colormap(stain: Stain) -> Colormap:
    """Black to the pure hue of the stain's colour, for additive blending.

    The grey part of the colour is taken out: it would add up to white where stains overlap.
    """
    rgb = np.array([int(stain.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    pure = (rgb - rgb.min()) / (1 - rgb.min())
    return Colormap([[0, 0, 0, 1], [*pure, 1]], name=f"cellclip-{stain.value}")


def layer_arguments(
    field: DrawnField, stain: Stain, *, panel: int = 0, alone: bool = False
) -> dict[str, Any]:
    """Make the arguments of napari's ``add_image`` by which a stain of a field is drawn.

    Parameters
    ----------
    field : DrawnField
        The field; its pixels are not among the arguments.
    stain : Stain
        One of its stains.
    panel : int
        0 for the well that is shown, then those beside it.
    alone : bool
        Draw it in grey, as the only one.
    """
    pixel = field.pixel_size
    arguments: dict[str, Any] = {
        "name": stain.value if panel == 0 else f"{stain.value} ({panel + 1})",
        "colormap": "gray" if alone else stain_colormap(stain),
        "blending": "additive",
        "gamma": GAMMA,
        "scale": (pixel, pixel) if pixel else (1, 1),
        "units": ("um", "um") if pixel else ("pixel", "pixel"),
        "metadata": metadata_of(field, stain, panel),
    }
    if stain in field.contrast:
        arguments["contrast_limits"] = drawn_limits(field.contrast[stain], field.pixels.dtype)
    return arguments


def metadata_of(field: DrawnField, stain: Stain, panel: int) -> dict[str, Any]:
    """Mark a layer as ours, and say what it shows."""
    return {
        MARK: {"plate": field.plate, "site": field.id, "stain": stain.value, "panel": panel, "key": field.key}
    }


class FieldLayers:
    """The image layers of one viewer that show fields, found again by their metadata.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly.
    view : CanvasView
        Says which stains are drawn.
    """

    def __init__(self, viewer: Any, view: CanvasView) -> None:
        self._viewer = ref(viewer)
        self._view = view
        self._echo = False
        self._bound: WeakSet[Any] = WeakSet()
        self._away: dict[int, bool] | None = None
        self._waiting: list[tuple[DrawnField, Stain, NDArray[Any]]] = []
        self._bind: Callable[[Any], None] = lambda _layer: None

    def of(self, panel: int = 0) -> dict[Stain, Image]:
        """Layers of a panel by stain, whatever the user calls them now; adds those that wait."""
        self.complete()
        return self.there(panel)

    @property
    def stains(self) -> tuple[Stain, ...]:
        """Stains of the well that is shown, with those whose layers wait."""
        known = {*self.there(), *(stain for _, stain, _ in self._waiting)}
        return tuple(stain for stain in STAINS if stain in known)

    def there(self, panel: int = 0) -> dict[Stain, Image]:
        """Layers of a panel by stain that are there already."""
        found = {}
        for layer in self._ours():
            record = layer.metadata[MARK]
            if record["panel"] == panel and "stain" in record:
                found[Stain(record["stain"])] = layer
        return found

    def _ours(self) -> list[Any]:
        viewer = self._viewer()
        layers = viewer.layers if viewer is not None else ()
        return [layer for layer in layers if "panel" in layer.metadata.get(MARK, {})]

    def draw(self, fields: Sequence[DrawnField], bind: Callable[[Any], None]) -> bool:
        """Draw fields, one a panel; returns whether new ones are seen. `bind` is called with each new layer.

        A layer costs napari some 60 ms: new ones of one field that are hidden wait until :meth:`complete`.
        """
        viewer = self._viewer()
        if viewer is None:
            return False
        fresh, self._bind, self._waiting = False, bind, []
        for layer in self._ours():
            record = layer.metadata[MARK]
            panel, stain = record["panel"], record.get("stain")
            gone = stain is not None and panel < len(fields) and Stain(stain) not in fields[panel].stains
            if panel >= len(fields) or gone or "channel" in record:
                viewer.layers.remove(layer)
        for panel, field in enumerate(fields):
            known = self.there(panel)
            drawn = self._view.drawn(field.stains)
            alone = self._view.state.solo in field.stains
            for stain, image in zip(field.stains, field.pixels, strict=True):
                layer = known.get(stain)
                if layer is not None and layer.metadata[MARK]["plate"] != field.plate:
                    viewer.layers.remove(layer)
                    layer = None
                if layer is None:
                    if stain not in drawn and len(fields) == 1:
                        self._waiting.append((field, stain, image))
                        continue
                    arguments = layer_arguments(field, stain, panel=panel, alone=alone)
                    layer = viewer.add_image(image, visible=stain in drawn, **arguments)
                    fresh = True
                else:
                    self._take(layer, field, stain, image, panel)
                self._adopt(layer)  # also layers that napari made, of what the reader returned
        if self._away is not None:
            for layer in self._ours():
                layer.visible = self._away.get(id(layer), layer.visible)
            self._away = None
        return fresh

    def complete(self) -> None:
        """Add the layers that wait, hidden and each at its place; what is selected stays so."""
        viewer, waiting, self._waiting = self._viewer(), self._waiting, []
        if viewer is None or not waiting:
            return
        chosen = set(viewer.layers.selection)
        for field, stain, image in waiting:
            later = [
                layer for other, layer in self.there().items() if STAINS.index(other) > STAINS.index(stain)
            ]
            place = min((viewer.layers.index(layer) for layer in later), default=self._above())
            alone = self._view.state.solo in field.stains
            layer = Image(image, visible=False, **layer_arguments(field, stain, alone=alone))
            viewer.layers.insert(place, layer)
            self._adopt(layer)
        viewer.layers.selection = chosen

    def _above(self) -> int:
        """Place in the list of layers above our uppermost one."""
        viewer = self._viewer()
        return 1 + max((viewer.layers.index(layer) for layer in self._ours()), default=-1)

    def _adopt(self, layer: Image) -> None:
        if layer not in self._bound:
            self._bound.add(layer)
            layer.events.contrast_limits.connect(self._equalise)
            self._bind(layer)

    def _take(self, layer: Image, field: DrawnField, stain: Stain, image: NDArray[Any], panel: int) -> None:
        limits_stay = layer.metadata[MARK]["key"] == field.key
        layer.data = image
        layer.metadata = metadata_of(field, stain, panel)
        if not limits_stay and stain in field.contrast:
            layer.contrast_limits = drawn_limits(field.contrast[stain], field.pixels.dtype)

    def follow_view(self) -> None:
        """Show the stains that the view says, in grey where one stands alone."""
        self.complete()
        for layer in self._ours():
            panel, name = layer.metadata[MARK]["panel"], layer.metadata[MARK].get("stain")
            if name is None:
                continue
            stain, there = Stain(name), tuple(self.of(panel))
            layer.colormap = "gray" if self._view.state.solo in there else stain_colormap(stain)
            layer.visible = stain in self._view.drawn(there)

    def blacken(self) -> None:
        """Take the pixels away but not the layers: a field that cannot be read leaves no picture behind."""
        self.complete()
        for layer in self._ours():
            if "caption" not in layer.metadata[MARK]:
                layer.data = np.zeros_like(layer.data)
                layer.metadata = {MARK: {**layer.metadata[MARK], "site": ""}}

    def put_away(self) -> None:
        """Hide the layers, and remember which were shown."""
        self.complete()
        if self._away is None:
            self._away = {id(layer): layer.visible for layer in self._ours()}
        for layer in self._ours():
            layer.visible = False

    def remove(self) -> None:
        """Remove all layers of fields."""
        viewer, self._waiting = self._viewer(), []
        for layer in self._ours():
            viewer.layers.remove(layer)
        self._away = None

    def caption(self, captions: Mapping[int, str]) -> None:
        """Write into the corner of each panel, each panel having one small layer for it on top."""
        viewer = self._viewer()
        if viewer is None:
            return
        there = {x.metadata[MARK]["panel"]: x for x in self._ours() if "caption" in x.metadata[MARK]}
        for panel, layer in there.items():
            if panel not in captions:
                viewer.layers.remove(layer)
        for panel, text in captions.items():
            layer = there.get(panel)
            if layer is None:
                record = {MARK: {"panel": panel, "caption": True}}
                like = next(iter(self.of(panel).values()))  # one unit for all layers, or napari warns
                layer = viewer.add_points(
                    np.zeros((0, 2)), name=text, metadata=record, scale=like.scale, units=like.units
                )
                layer.name_overlay.font_size = 11
                layer.name_overlay.position = "top_left"
                layer.name_overlay.visible = True
            else:
                layer.name = text

    def arrange(self, panels: int) -> int:
        """Bring the layers of each panel together, the first panel on top; returns the layers of a panel."""
        viewer = self._viewer()
        if viewer is None:
            return 0
        wanted: list[Layer] = []
        for panel in reversed(range(panels)):
            stains = self.of(panel)
            captions = [
                x
                for x in self._ours()
                if x.metadata[MARK]["panel"] == panel and "caption" in x.metadata[MARK]
            ]
            wanted += [stains[s] for s in STAINS if s in stains] + captions
        if list(viewer.layers)[-len(wanted) :] != wanted:
            for layer in wanted:
                viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
        return len(wanted) // panels

    def _equalise(self, event: Any) -> None:
        """Give a stain the same limits in every panel: wells are compared at equal contrast."""
        if self._echo:
            return
        changed = event.source
        record = changed.metadata.get(MARK, {})
        self._echo = True
        try:
            for layer in self._ours():
                if layer is not changed and layer.metadata[MARK].get("stain") == record.get("stain"):
                    layer.contrast_limits = changed.contrast_limits
        finally:
            self._echo = False
