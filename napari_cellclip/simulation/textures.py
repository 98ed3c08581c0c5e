"""Make tileable random textures, once per pixel size, and sample them at random places."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 512
ORIENTATIONS = 12


@lru_cache(maxsize=64)
def grain(scale: float, number: int = 0) -> NDArray[np.float32]:
    """Make isotropic noise of unit spread whose features are about `scale` pixels, float32 [512, 512]."""
    return _noise(np.full(2, scale), 0.0, number)


@lru_cache(maxsize=64)
def strands(scale: float, length: float, orientation: int, number: int = 0) -> NDArray[np.float32]:
    """Make noise drawn out along one of 12 orientations: `scale` pixels across, `length` along."""
    return _noise(np.array([scale, length]), np.pi * orientation / ORIENTATIONS, number)


@lru_cache(maxsize=16)
def network(scale: float, number: int = 0) -> NDArray[np.float32]:
    """Make a mesh of thin bright lines, 0..1: the zero crossings of noise of that scale in pixels."""
    lines = np.exp(-((grain(scale, 100 + number) / 0.22) ** 2))
    other = np.exp(-((grain(scale * 0.8, 200 + number) / 0.2) ** 2))
    return np.maximum(lines, 0.8 * other).astype(np.float32)


def patch(
    texture: NDArray[np.float32], shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Cut a window of a texture at a random place, wrapping round its edges."""
    top, left = (int(i) for i in rng.integers(SIDE, size=2))
    height, width = shape
    if top + height <= SIDE and left + width <= SIDE:
        return texture[top : top + height, left : left + width]
    rows = (top + np.arange(shape[0])) % SIDE
    columns = (left + np.arange(shape[1])) % SIDE
    return texture[np.ix_(rows, columns)]


def _noise(sigma: NDArray[np.float64], angle: float, number: int) -> NDArray[np.float32]:
    seed = [int(1000 * sigma[0]), int(1000 * sigma[1]), int(1000 * angle), number]
    white = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    along, across = fx * np.cos(angle) + fy * np.sin(angle), -fx * np.sin(angle) + fy * np.cos(angle)
    kernel = np.exp(-2 * np.pi**2 * ((across * sigma[0]) ** 2 + (along * sigma[1]) ** 2))
    kernel[0, 0] = 0
    smooth = np.fft.irfft2(np.fft.rfft2(white) * kernel, s=(SIDE, SIDE))
    return (smooth / smooth.std()).astype(np.float32)
