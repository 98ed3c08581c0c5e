"""Channels whose stains are not known yet: in grey beside each other, so that they can be told by eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellclip.gui.canvas.display_contrast import contrast_of_field, drawn_limits
from napari_cellclip.gui.canvas.field_layers import GAMMA, MARK
from napari_cellclip.vocabulary import CellClipError, Stain

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_cellclip.plates import Plate, Site

MOST = 9
"""Channels that are drawn at once."""


@dataclass(frozen=True, eq=False)
class ReadChannels:
    """A field of a plate without stains.

    Attributes
    ----------
    site : Site
        The field.
    pixels : dict of str to ndarray (Y, X)
        Counts, by the name of the channel in the files.
    problem : str
        Why a channel is missing, empty if none is.
    """

    site: Site
    pixels: dict[str, NDArray[Any]]
    problem: str = ""


def read_channels(plate: Plate, site: Site) -> ReadChannels:
    """Read every channel of a field, mapped to a stain or not.

    Raises
    ------
    CellClipError
        If no channel can be read.
    """
    pixels, problems = {}, []
    for channel in plate.stains.available[:MOST]:
        try:
            alone = plate.with_channels({Stain.DNA: channel})
            pixels[channel] = alone.site(site.id).read([Stain.DNA])[0]
        except CellClipError as error:
            problems.append(error)
    if not pixels:
        raise problems[0] if problems else CellClipError(f"Plate {plate.name} has no channels.")
    return ReadChannels(site, pixels, str(problems[0]) if problems else "")


def draw_channels(viewer: Any, plate: Plate, read: ReadChannels) -> list[Image]:
    """Draw a layer for each channel in grey, its name in the corner; the first channel lies on top."""
    known = {layer.metadata.get(MARK, {}).get("channel"): layer for layer in viewer.layers}
    pixel = plate.pixel_size
    drawn = []
    for panel, (channel, image) in reversed(list(enumerate(read.pixels.items()))):
        limits = drawn_limits(contrast_of_field((Stain.DNA,), image[np.newaxis])[Stain.DNA], image.dtype)
        record = {MARK: {"plate": plate.name, "site": read.site.id, "channel": channel, "panel": panel}}
        layer = known.get(channel)
        if layer is None:
            layer = viewer.add_image(
                image,
                name=channel,
                colormap="gray",
                gamma=GAMMA,
                scale=(pixel, pixel) if pixel else (1, 1),
                units=("um", "um") if pixel else ("pixel", "pixel"),
            )
            layer.name_overlay.font_size, layer.name_overlay.position = 11, "bottom_left"
            layer.name_overlay.visible = True
        else:
            layer.data = image
        layer.metadata, layer.contrast_limits, layer.visible = record, limits, True
        drawn.append(layer)
    return drawn
