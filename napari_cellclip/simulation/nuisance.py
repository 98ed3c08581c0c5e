"""Technical variation of simulated images: staining, optics, camera, dirt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_cellclip.vocabulary import STAINS, Stain

_BLUR = {Stain.DNA: 0.5, Stain.ER: 0.55, Stain.RNA: 0.55, Stain.AGP: 0.5, Stain.MITO: 0.5}
"""Standard deviation of the point spread function, micrometres (20x, NA 0.75..1)."""
_COUNTS = {Stain.DNA: 5200.0, Stain.ER: 4200.0, Stain.RNA: 4600.0, Stain.AGP: 3600.0, Stain.MITO: 4400.0}
"""Camera counts above background of a dye density of 1."""
_BACKGROUND = {Stain.DNA: 260.0, Stain.ER: 430.0, Stain.RNA: 380.0, Stain.AGP: 520.0, Stain.MITO: 420.0}


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Strength of technical variation on a plate; all spreads are of natural logarithms.

    Attributes
    ----------
    plate_gain, well_gain, site_gain : float
        Spread of each stain's brightness between plates, wells and sites.
    background_gain : float
        Spread of the background between plates.
    edge_gain, edge_loss : float
        Brightness gained, and share of cells lost, in the outermost wells.
    density, density_spread : float
        Cells per square millimetre, and its spread between wells.
    vignetting : float
        Brightness lost in the corners of a field, 0..1.
    read_noise : float
        Camera counts.
    electrons : float
        Electrons per count, for shot noise.
    defocus_share, defocus : float
        Share of sites out of focus and their extra blur, micrometres.
    haze : float
        Share of light that comes from above and below the focus.
    debris : float
        Bright specks a site.
    """

    plate_gain: float = 0.25
    well_gain: float = 0.18
    site_gain: float = 0.05
    background_gain: float = 0.2
    edge_gain: float = 0.12
    edge_loss: float = 0.12
    density: float = 720.0
    density_spread: float = 0.18
    vignetting: float = 0.18
    read_noise: float = 14.0
    electrons: float = 0.9
    defocus_share: float = 0.02
    defocus: float = 1.6
    haze: float = 0.28
    debris: float = 0.35

    @classmethod
    def severe(cls) -> Nuisance:
        """Make strong technical variation, outside the range of the training plates."""
        return cls(
            plate_gain=0.45,
            well_gain=0.3,
            site_gain=0.1,
            background_gain=0.4,
            edge_gain=0.25,
            edge_loss=0.3,
            density=560.0,
            density_spread=0.3,
            vignetting=0.35,
            read_noise=45.0,
            electrons=0.35,
            defocus_share=0.1,
            defocus=2.0,
            haze=0.4,
            debris=1.5,
        )

    @classmethod
    def none(cls) -> Nuisance:
        """Make no technical variation, for looking at phenotypes alone."""
        return cls(
            plate_gain=0.0,
            well_gain=0.0,
            site_gain=0.0,
            background_gain=0.0,
            edge_gain=0.0,
            edge_loss=0.0,
            density_spread=0.0,
            vignetting=0.0,
            read_noise=4.0,
            electrons=4.0,
            defocus_share=0.0,
            debris=0.0,
        )


@dataclass(frozen=True, slots=True)
class Staining:
    """Brightness and background of the five stains in one site: float64 [5] each, relative to the usual."""

    gain: NDArray[np.float64]
    background: NDArray[np.float64]

    @classmethod
    def usual(cls) -> Staining:
        """Make staining of the usual brightness."""
        return cls(np.ones(len(STAINS)), np.ones(len(STAINS)))


def photograph(
    dye: NDArray[np.float32],
    pixel_size: float,
    nuisance: Nuisance,
    staining: Staining,
    rng: np.random.Generator,
) -> NDArray[np.uint16]:
    """Turn dye densities into camera counts.

    Parameters
    ----------
    dye : array
        float32 [5, Y, X].
    pixel_size : float
        Micrometres.
    nuisance : Nuisance
        Strengths.
    staining : Staining
        Of this site.
    rng : Generator
        Source of chance; the number of draws depends on the shape alone.

    Returns
    -------
    array
        uint16 [5, Y, X] counts, 12 bits used mostly, saturating at 65535.
    """
    _, height, width = dye.shape
    out = np.empty(dye.shape, np.uint16)
    blurred = rng.random() < nuisance.defocus_share
    extra = nuisance.defocus * (0.5 + rng.random()) if blurred else 0.0
    centre = 0.5 + 0.06 * rng.standard_normal(2)
    y = (np.arange(height) / height - centre[0])[:, None]
    x = (np.arange(width) / width - centre[1])[None]
    light = (1 - nuisance.vignetting * 2 * (y * y + x * x)).astype(np.float32)
    for i, (stain, density) in enumerate(zip(STAINS, dye, strict=True)):
        stream = np.random.default_rng(rng.integers(2**62))
        image = density + _debris((height, width), pixel_size, nuisance.debris, stream)
        sharp = gaussian_filter(image, np.hypot(_BLUR[stain], extra) / pixel_size, mode="reflect", truncate=3)
        # Light from out of focus: a coarse blur, computed on a quarter of the grid for speed.
        small = image[: height - height % 4, : width - width % 4]
        small = small.reshape(small.shape[0] // 4, 4, small.shape[1] // 4, 4).mean((1, 3))
        wide = gaussian_filter(small, 7.0 / pixel_size / 4, mode="reflect", truncate=2.5)
        wide = np.repeat(np.repeat(wide, 4, 0), 4, 1)
        wide = np.pad(wide, ((0, height - wide.shape[0]), (0, width - wide.shape[1])), mode="edge")
        share = nuisance.haze * (0.35 if stain is Stain.DNA else 1.0)
        signal = ((1 - share) * sharp + share * wide) * _COUNTS[stain] * staining.gain[i]
        counts = (signal + _BACKGROUND[stain] * staining.background[i]) * light
        counts = np.maximum(counts, 0)
        noise = np.sqrt(counts / nuisance.electrons + nuisance.read_noise**2)
        counts = counts + noise * stream.standard_normal(counts.shape, dtype=np.float32)
        out[i] = np.clip(np.rint(counts), 0, 65535)
    return out


def _debris(
    shape: tuple[int, int], pixel_size: float, expected: float, rng: np.random.Generator
) -> NDArray[np.float32] | float:
    number = rng.poisson(expected)
    if not number:
        return 0.0
    total = np.zeros(shape, np.float32)
    y, x = (np.arange(n, dtype=np.float32) for n in shape)
    for _ in range(number):
        cy, cx, size, gain, stretch = rng.random(5)
        radius = (1.0 + 3.0 * size**2) / pixel_size
        dy = (y - cy * shape[0])[:, None] / radius
        dx = (x - cx * shape[1])[None] / (radius * (1 + 2 * stretch))
        total += (0.4 + 2.2 * gain) * np.exp(-(dy * dy + dx * dx))
    return total
