"""Place cells in a field and draw their outlines and nuclei on a grid of pixels."""

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
    """Draw centres of cells [n, 2] in micrometres, apart from each other; `density` in cells/mm²."""
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
    """Draw one cell; ``None`` where its window misses the field.

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

    is_condensed = bool(condensed < p.condensed)
    radius = NUCLEUS_RADIUS * nucleus_size * (0.72 if is_condensed else 1.0)
    shape_draws = _NucleusDraws(
        two_nuclei < p.binucleate, nucleus_stretch, nucleus_wobble * 0.03, lobe_draws, micro
    )
    nucleus = _nucleus(y - offset[0], x - offset[1], angle, radius, p, shape_draws)
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


@dataclass(frozen=True, slots=True)
class _NucleusDraws:
    """Random numbers of a nucleus, drawn before its phenotype is looked at."""

    two: bool
    stretch: float
    wobble: NDArray[np.float64]
    lobes: NDArray[np.float64]
    micronuclei: NDArray[np.float64]


def _nucleus(y: Grid, x: Grid, angle: float, radius: float, p: Phenotype, draws: _NucleusDraws) -> Grid:
    """Draw one nucleus or two, its lobes and micronuclei, as a level that is 1 at the outline."""
    if draws.two:
        shift = 0.85 * radius * np.array([np.sin(angle), np.cos(angle)])
        nucleus = np.minimum(
            _ellipse(y - shift[0], x - shift[1], angle, radius * 0.85, 1.1, draws.wobble),
            _ellipse(y + shift[0], x + shift[1], angle, radius * 0.85, 1.15, -draws.wobble),
        )
    else:
        nucleus = _ellipse(y, x, angle, radius, draws.stretch, draws.wobble)
    if p.lobes > 0:
        pieces = []
        for turn, far, big in draws.lobes:
            direction, distance = 2 * np.pi * turn, radius * (0.35 + 0.55 * far) * p.lobes
            size = radius * (0.9 - (0.45 - 0.2 * big) * p.lobes)
            dy, dx = distance * np.sin(direction), distance * np.cos(direction)
            pieces.append(_ellipse(y - dy, x - dx, direction, size, 1.1, draws.wobble))
        nucleus = np.minimum.reduce(pieces)
    for turn, far, big, present in draws.micronuclei:
        if present < p.micronuclei / len(draws.micronuclei):
            direction, distance = 2 * np.pi * turn, radius * (1.15 + 0.5 * far)
            dy, dx = distance * np.sin(direction), distance * np.cos(direction)
            small = _ellipse(y - dy, x - dx, 0.0, 1.2 + 1.1 * big, 1.0, np.zeros((2, 1)))
            nucleus = np.minimum(nucleus, small)
    return nucleus


def own(cells: Sequence[Cell], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Label each pixel with the number (from 1) of its cell, 0 for background: neighbours meet in borders."""
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
    """Compute a level that is 0 at the centre and 1 on a wavy ellipse of that mean radius."""
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
