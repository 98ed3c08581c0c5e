"""Cells of a field: where they lie, their outlines and nuclei, on a grid of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.simulation.phenotypes import Phenotype

RADIUS = 23.0
"""Mean radius of an untreated cell, micrometres."""
NUCLEUS_RADIUS = 8.2
SPACING = 24.0
"""Least distance of two cells' centres, micrometres."""
MARGIN = 20.0
"""Cells this far outside the field are drawn too, since they reach into it; micrometres."""
HARMONICS = 5
ORIENTATION_COUNT = 12

Grid = NDArray[np.float32]


@dataclass(slots=True)
class Cell:
    """One cell on its window of the field.

    Attributes
    ----------
    phenotype : Phenotype
        Its look.
    responding : bool
        Whether the treatment reached it.
    rows, columns : slice
        Its window of the field.
    level : array
        0 at the centre, 1 at the outline; float32 of the window.
    nucleus : array
        The same for the nucleus (least of its lobes).
    y, x : array
        Micrometres from the centre.
    angle : float
        Direction of the long axis, radians.
    polarity : float
        Direction from the nucleus in which Golgi and mitochondria gather.
    condensed : bool
        Whether chromatin is condensed.
    seed : np.random.SeedSequence
        For textures; every stain draws from a child of its own, so that what happens to one stain cannot
        move another.
    """

    phenotype: Phenotype
    responding: bool
    rows: slice
    columns: slice
    level: Grid
    nucleus: Grid
    y: Grid
    x: Grid
    angle: float
    polarity: float
    condensed: bool
    brightness: NDArray[np.float64]
    seed: np.random.SeedSequence


def place(shape_um: tuple[float, float], density: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres of cells [n, 2] in micrometres, kept apart; `density` in cells per square millimetre."""
    height, width = shape_um[0] + 2 * MARGIN, shape_um[1] + 2 * MARGIN
    wanted = rng.poisson(density * height * width * 1e-6)
    centres: list[NDArray[np.float64]] = []
    for _ in range(wanted):
        tries = rng.random((8, 2)) * (height, width) - MARGIN
        if centres:
            gaps = np.linalg.norm(tries[:, None] - np.array(centres)[None], axis=2).min(1)
            best = int(gaps.argmax())
            if gaps[best] < SPACING * 0.75:
                continue
            centres.append(tries[best])
        else:
            centres.append(tries[0])
    return np.array(centres).reshape(-1, 2)


def draw_cell(
    centre: NDArray[np.float64],
    phenotype: Phenotype,
    responding: bool,
    seed: np.random.SeedSequence,
    pixel_size: float,
    shape: tuple[int, int],
) -> Cell | None:
    """Lay out one cell; ``None`` where its window misses the field.

    The number of random draws does not depend on the phenotype, so the same seed gives the same cell but for
    what the phenotype changes.
    """
    geometry, textures = seed.spawn(2)
    rng = np.random.default_rng(geometry)
    p = phenotype
    angle, polarity = rng.random(2) * 2 * np.pi
    size = np.exp(0.16 * rng.standard_normal()) * np.sqrt(p.area)
    stretch = np.exp(np.abs(0.28 * rng.standard_normal()) + 0.12) ** np.clip(p.elongation, 0, 3)
    wobble = rng.standard_normal((2, HARMONICS)) * p.roughness
    nucleus_size = np.exp(0.1 * rng.standard_normal()) * np.sqrt(p.nucleus_area)
    nucleus_stretch = np.exp(np.abs(0.2 * rng.standard_normal()) + 0.06)
    nucleus_wobble = rng.standard_normal((2, 3))
    lobe_draws = rng.random((4, 3))
    offset = 2.0 * rng.standard_normal(2)
    two_nuclei, condensed = rng.random(2)
    brightness = np.exp(0.18 * rng.standard_normal(5))
    micro = rng.random((6, 4))

    reach = RADIUS * size * stretch**0.5 * 1.45 + 2
    low = np.floor((centre - reach) / pixel_size).astype(int)
    high = np.ceil((centre + reach) / pixel_size).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, shape)
    if (high <= low).any():
        return None
    rows, columns = slice(low[0], high[0]), slice(low[1], high[1])
    y, x = np.meshgrid(
        (np.arange(low[0], high[0]) + 0.5) * pixel_size - centre[0],
        (np.arange(low[1], high[1]) + 0.5) * pixel_size - centre[1],
        indexing="ij",
    )
    y, x = y.astype(np.float32), x.astype(np.float32)
    level = _ellipse(y, x, angle, RADIUS * size, stretch, wobble * 0.07)

    along = np.array([np.sin(angle), np.cos(angle)])
    is_condensed = bool(condensed < p.condensed)
    radius = NUCLEUS_RADIUS * nucleus_size * (0.72 if is_condensed else 1.0)
    ny, nx = y - offset[0], x - offset[1]
    if two_nuclei < p.binucleate:
        shift = 0.85 * radius * along
        nucleus = np.minimum(
            _ellipse(ny - shift[0], nx - shift[1], angle, radius * 0.85, 1.1, nucleus_wobble * 0.03),
            _ellipse(ny + shift[0], nx + shift[1], angle, radius * 0.85, 1.15, -nucleus_wobble * 0.03),
        )
    else:
        nucleus = _ellipse(ny, nx, angle, radius, nucleus_stretch, nucleus_wobble * 0.03)
    if p.lobes > 0:
        pieces = []
        for turn, far, big in lobe_draws:
            direction, distance = 2 * np.pi * turn, radius * (0.35 + 0.55 * far) * p.lobes
            pieces.append(
                _ellipse(
                    ny - distance * np.sin(direction),
                    nx - distance * np.cos(direction),
                    direction,
                    radius * (0.9 - (0.45 - 0.2 * big) * p.lobes),
                    1.1,
                    nucleus_wobble * 0.03,
                )
            )
        nucleus = np.minimum.reduce(pieces)
    for turn, far, big, present in micro:
        if present < p.micronuclei / len(micro):
            direction, distance = 2 * np.pi * turn, radius * (1.15 + 0.5 * far)
            small = _ellipse(
                ny - distance * np.sin(direction),
                nx - distance * np.cos(direction),
                0.0,
                1.2 + 1.1 * big,
                1.0,
                np.zeros((2, 1)),
            )
            nucleus = np.minimum(nucleus, small)
    # A cell always holds its nucleus.
    level = np.minimum(level, 0.75 * nucleus)
    return Cell(
        p,
        responding,
        rows,
        columns,
        level,
        nucleus,
        y,
        x,
        angle,
        polarity,
        is_condensed,
        brightness,
        textures,
    )


def own(cells: Sequence[Cell], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Number (from 1) of the cell that owns each pixel, 0 for background: neighbours meet in borders."""
    best = np.ones(shape, np.float32)
    owner = np.zeros(shape, np.int32)
    for number, cell in enumerate(cells, 1):
        window = best[cell.rows, cell.columns]
        mine = cell.level < window
        window[mine] = cell.level[mine]
        owner[cell.rows, cell.columns][mine] = number
    return owner


def _ellipse(
    y: Grid, x: Grid, angle: float, radius: float, stretch: float, wobble: NDArray[np.float64]
) -> Grid:
    """0 at the centre, 1 on a wavy ellipse of that mean radius."""
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    u, v = along / (radius * stretch**0.5), across * stretch**0.5 / radius
    distance = np.sqrt(u * u + v * v) + 1e-6
    unit = (u + 1j * v) / distance
    wave = np.ones_like(distance)
    power = unit
    for k in range(wobble.shape[1]):
        power = power * unit
        wave += (wobble[0, k] * power.real + wobble[1, k] * power.imag) / (1 + 0.4 * k)
    return (distance / np.maximum(wave, 0.35)).astype(np.float32)
