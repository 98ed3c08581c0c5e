"""Measure the quality of one field: focus, saturation, whether a stain shows anything, cells, percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.block_means import block_means
from napari_cellclip.vocabulary import STAINS, Stain

PREFIX = "Quality_"
MEASURES = ("focus", "saturated", "structure", "low", "median", "high")
"""What is measured of each stain; see :func:`measure_field`."""
CELLS = f"{PREFIX}cells"

TILE, TILES = 128, 3
"""Side of the tiles whose power spectra are averaged, and how many lie along each side of a field."""
BLOCK = 8
"""Side of the blocks whose means must differ by more than noise, for a stain to show something."""
FAINT = 2.0
"""Structure below which a stain shows nothing that noise would not show; DNA then has no cells."""
ABOVE_NOISE = 4.0
"""Power, relative to that of the finest detail, down to which a spectrum is fitted: the rest is noise."""
CAMERA_LIMITS = (2**8 - 1, 2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1)
"""Counts at which cameras of 8 to 16 bits stop."""
COUNTED = 540
"""Longest side at which cells are counted."""
SMALLEST = 12
"""Pixels, at that size, below which a spot is no nucleus."""


def column(measure: str, stain: Stain | str) -> str:
    """Name the column of a measure of a stain, such as ``Quality_focus_DNA``."""
    return f"{PREFIX}{measure}_{stain}"


QUALITY_COLUMNS = (*(column(m, s) for s in STAINS for m in MEASURES), CELLS)
"""All columns of a field's quality."""


def measure_field(pixels: NDArray[Any], stains: Sequence[Stain] = STAINS) -> dict[str, float]:
    """Measure the quality of one field.

    For each stain: ``focus``, the slope of the log power spectrum over log frequency, averaged over tiles
    (Bray et al. 2012, J. Biomol. Screen. 17:266, found it the best sign of blur; blur makes it steeper, more
    negative); ``saturated``, the share of pixels at a count at which cameras stop; ``structure``, how much
    more neighbouring blocks of 8 x 8 pixels differ than the noise of pixels explains (about 1 where there is
    nothing but noise); ``low``, ``median`` and ``high``, the percentiles 1, 50 and 99 in counts. Of a field:
    ``cells``, the number of bright spots of DNA above Otsu's threshold, clumps counted by their area: a
    proxy, not a segmentation.

    Parameters
    ----------
    pixels : ndarray (len(stains), Y, X)
        Counts.
    stains : sequence of Stain
        Of the first axis.

    Returns
    -------
    dict of str to float
        By column name, see :data:`QUALITY_COLUMNS`; ``cells`` is NaN without DNA.
    """
    found: dict[str, float] = {}
    for stain, image in zip(stains, pixels, strict=True):
        tiles = _tiles(image)
        values = percentiles(tiles, (1, 50, 99))
        measures = (power_slope(tiles), saturated_share(image), structure(image, tiles), *values)
        found |= {column(name, stain): float(v) for name, v in zip(MEASURES, measures, strict=True)}
    if Stain.DNA in stains:
        faint = found[column("structure", Stain.DNA)] < FAINT
        found[CELLS] = 0.0 if faint else float(count_spots(pixels[list(stains).index(Stain.DNA)]))
    return found


def percentiles(values: NDArray[Any], wanted: Sequence[float]) -> NDArray[np.float64]:
    """Compute percentiles as `numpy.percentile` does; of 8 and 16 bit counts from their histogram.

    That is a tenth of the time of sorting.
    """
    if values.dtype not in (np.uint8, np.uint16):
        return np.percentile(values, wanted)
    up_to = np.bincount(values.ravel()).cumsum()
    places = np.asarray(wanted) / 100 * (values.size - 1)
    below, above = (np.searchsorted(up_to, rounded(places), side="right") for rounded in (np.floor, np.ceil))
    return below + (above - below) * (places % 1)


def power_slope(tiles: NDArray[Any]) -> float:
    """Slope of log power over log frequency, radially averaged over tiles (n, y, x); 0 for white noise.

    Fitted from the coarsest detail down to where the spectrum comes near its flat end, which is noise.

    NaN where there is no power at all.
    """
    windows = [np.hanning(n + 2)[1:-1].astype(np.float32) for n in tiles.shape[1:]]
    values = tiles.astype(np.float32)
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.rfft2(centred * np.outer(*windows))) ** 2).mean(axis=0)
    down, across = np.fft.fftfreq(tiles.shape[1]), np.fft.rfftfreq(tiles.shape[2])
    radius = np.hypot(down[:, None], across[None])
    size = min(tiles.shape[1:])
    ring = np.rint(radius * size).astype(int)
    counts = np.bincount(ring.ravel())
    rings = np.arange(2, size // 2)  # the first is the window's own, the corners have no full ring
    mean = np.bincount(ring.ravel(), power.ravel())[rings] / counts[rings] if len(rings) > 1 else np.zeros(1)
    if not (mean > 0).all():
        return float("nan")
    # Where nothing but noise is left the spectrum is flat, all the more of it the more an image is blurred.
    floor = np.median(mean[-max(1, len(mean) // 4) :])
    above = rings[: _first(mean < ABOVE_NOISE * floor)]
    if len(above) < 3:
        above = rings
    # Each octave counts alike: else the many rings of fine detail decide alone.
    weights = 1 / np.sqrt(above)
    return float(np.polyfit(np.log(above), np.log(mean[: len(above)]), 1, w=weights)[0])


def _first(marks: NDArray[np.bool_]) -> int:
    """Position of the first mark; their number if there is none."""
    return int(np.argmax(marks)) if marks.any() else len(marks)


def saturated_share(image: NDArray[Any]) -> float:
    """Share of pixels at the largest count, if that is one at which cameras stop; else 0."""
    top = image.max()
    if image.dtype.kind != "u" or int(top) not in CAMERA_LIMITS or image.min() == top:
        return 0.0
    return float(np.count_nonzero(image == top) / image.size)


def structure(image: NDArray[Any], tiles: NDArray[Any]) -> float:
    """Measure how much more neighbouring blocks differ than the noise of neighbouring pixels explains.

    About 1 for noise of any strength and offset, and on a slope that is small over a block; 0 for an image
    of one value.
    """
    if min(image.shape) < 2 * BLOCK or image.min() == image.max():
        return 0.0
    spread = float(np.std(np.diff(block_means(image, BLOCK, BLOCK), axis=1)))
    left, right = tiles[..., :-1], tiles[..., 1:]
    noise = 1.4826 * float(percentiles(np.maximum(left, right) - np.minimum(left, right), [50])[0])
    # Whole counts cannot show less noise than that of rounding.
    return spread / (max(noise, 2**0.5 * 12**-0.5) / BLOCK)


def count_spots(image: NDArray[Any]) -> int:
    """Count bright spots: above Otsu's threshold, large enough, clumps by their area over the median."""
    factor = max(1, -(-max(image.shape) // COUNTED))
    from scipy import ndimage  # half a second of imports that opening a screen does not need

    smooth = ndimage.gaussian_filter(block_means(image, factor, factor).astype(np.float32), 1.5)
    labels, number = ndimage.label(smooth > otsu(smooth))
    areas = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    areas = areas[areas >= SMALLEST]
    if not len(areas):
        return 0
    return int(np.maximum(1, np.rint(areas / np.median(areas))).sum())


def otsu(image: NDArray[np.floating]) -> float:
    """Threshold with the largest variance between what is below and above it (Otsu 1979)."""
    counts, edges = np.histogram(image, 256)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * middles)
    between = (
        below
        * above
        * (sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)) ** 2
    )
    return float(edges[1:-1][np.argmax(between)])


def _tiles(image: NDArray[Any]) -> NDArray[Any]:
    """Tiles of one size spread evenly over a field, (n, y, x): counts as they are, else float32."""
    size = min(TILE, *image.shape)
    places = [np.linspace(0, n - size, TILES if n > size else 1).astype(int) for n in image.shape]
    tiles = np.stack([image[y : y + size, x : x + size] for y in places[0] for x in places[1]])
    return tiles if tiles.dtype in (np.uint8, np.uint16) else tiles.astype(np.float32)
