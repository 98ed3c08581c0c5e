"""Handler that reads a small picture of each channel of a plate, so that stains can be told by eye."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.gui.state.requests import ChannelPicturesRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.vocabulary import CellClipError, Stain

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate

SIDE = 160
"""Longer side of a picture in pixels."""

TRIED = 4
"""Fields tried before a channel goes without a picture."""

DARK, BRIGHT = 1.0, 99.7
"""Percentiles that are shown as black and as full colour."""


def read_channel_pictures(jobs: Jobs, _request: ChannelPicturesRequest) -> None:
    """Read the pictures of the plate that is open."""
    session, plate = jobs.session, jobs.session.plate
    if plate is None:
        jobs.cancel(Task.CHANNELS)
        session.setup.pictures = {}
        return

    def done(pictures: dict[str, NDArray[np.uint8]]) -> None:
        if session.plate is plate:
            session.setup.pictures = pictures

    jobs.run(Task.CHANNELS, lambda: channel_pictures(plate), done, "Reading a field of each channel")


def channel_pictures(plate: Plate) -> dict[str, NDArray[np.uint8]]:
    """Read a field of each channel, mapped or not, scaled by its own percentiles.

    Returns
    -------
    dict of str to array
        uint8 (y, x), at most 160 pixels a side, by channel name; channels that cannot be read are left out.
    """
    found: dict[str, NDArray[np.uint8]] = {}
    sites, step = plate.sites, max(1, len(plate.sites) // TRIED)
    tried = [sites[(len(sites) // 2 + i * step) % len(sites)].id for i in range(TRIED if sites else 0)]
    for channel in plate.stains.available:
        alone = plate.with_channels({Stain.DNA: channel})
        for site in dict.fromkeys(tried):
            with suppress(CellClipError):
                found[channel] = picture(alone.site(site).read([Stain.DNA])[0])
                break
    return found


def picture(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Make a small picture, uint8 (y, x): means over blocks, scaled by percentiles."""
    step = max(1, -(-max(pixels.shape) // SIDE))
    height, width = (pixels.shape[0] // step) * step, (pixels.shape[1] // step) * step
    blocks = pixels[:height, :width].reshape(height // step, step, width // step, step)
    small = blocks.mean((1, 3), dtype=np.float32)
    low, high = np.percentile(small, (DARK, BRIGHT))
    return np.asarray(np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255, np.uint8)
