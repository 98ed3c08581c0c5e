"""Compute the density of each dye in a cell; arbitrary units, an untreated cell is about 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.simulation.cells import NUCLEUS_RADIUS, ORIENTATION_COUNT, Cell
from napari_cellclip.simulation.textures import grain, network, patch, strands
from napari_cellclip.vocabulary import STAINS, Stain

Grid = NDArray[np.floating]


def stain_cell(cell: Cell, mask: Grid, pixel_size: float) -> NDArray[np.float32]:
    """Compute the dyes of one cell, float32 [5, h, w] of its window in the order of ``STAINS``.

    Parameters
    ----------
    cell : Cell
        Laid out.
    mask : array
        Soft mask 0..1 of the pixels the cell owns.
    pixel_size : float
        Micrometres.
    """
    inside = _soft(1 - cell.nucleus, 0.07)
    from_nucleus = np.maximum(cell.nucleus - 1, 0) * NUCLEUS_RADIUS
    edge = np.clip(1 - cell.level, 0, 1)
    thickness = np.sqrt(edge) * (0.35 + 0.65 * np.exp(-from_nucleus / 9))
    parts = _Parts(cell, mask, pixel_size, inside, from_nucleus, edge, thickness)
    draw = {
        Stain.DNA: _dna,
        Stain.ER: _er,
        Stain.RNA: _rna,
        Stain.AGP: _agp,
        Stain.MITO: _mito,
    }
    out = np.empty((len(STAINS), *mask.shape), np.float32)
    for i, (stain, seed) in enumerate(zip(STAINS, cell.seed.spawn(len(STAINS)), strict=True)):
        out[i] = draw[stain](parts, np.random.default_rng(seed)) * cell.brightness[i]
    return np.maximum(out, 0)


class _Parts:
    """Geometry and textures of a cell that every stain draws from."""

    def __init__(
        self,
        cell: Cell,
        mask: Grid,
        pixel: float,
        inside: Grid,
        from_nucleus: Grid,
        edge: Grid,
        thickness: Grid,
    ) -> None:
        self.cell, self.mask, self.pixel = cell, mask, pixel
        self.inside, self.from_nucleus, self.edge, self.thickness = (
            inside,
            from_nucleus,
            edge,
            thickness,
        )
        self.p = cell.phenotype
        self.shape = mask.shape

    def scale(self, micrometres: float) -> float:
        return round(max(micrometres / self.pixel, 0.4), 2)

    def spots(
        self,
        rng: np.random.Generator,
        count: float,
        most: int,
        radius: tuple[float, float],
        *,
        nuclear: bool = False,
        distance: tuple[float, float] = (1.0, 10.0),
        direction: tuple[float, float] | None = None,
    ) -> Grid:
        """Draw Gaussian spots at random places; always the same number of draws."""
        draws = rng.random((most, 4))
        total = np.zeros(self.shape, np.float32)
        number = min(most, int(np.floor(count + rng.random())))
        for turn, far, size, gain in draws[:number]:
            angle = 2 * np.pi * turn
            if direction is not None:
                angle = direction[0] + direction[1] * (turn - 0.5)
            if nuclear:
                reach = 0.62 * NUCLEUS_RADIUS * np.sqrt(self.p.nucleus_area) * np.sqrt(far)
            else:
                reach = (
                    NUCLEUS_RADIUS * np.sqrt(self.p.nucleus_area)
                    + distance[0]
                    + (distance[1] - distance[0]) * far
                )
            r = radius[0] + (radius[1] - radius[0]) * size
            self._stamp(total, reach * np.sin(angle), reach * np.cos(angle), r, 0.6 + 0.8 * gain)
        return total

    def _stamp(self, total: Grid, y: float, x: float, radius: float, gain: float) -> None:
        """Add one flat-topped spot to the few pixels it covers."""
        reach = 1.7 * radius
        top, left = (
            (y - reach - self.cell.y[0, 0]) / self.pixel,
            (x - reach - self.cell.x[0, 0]) / self.pixel,
        )
        side = int(2 * reach / self.pixel) + 2
        rows = slice(max(int(top), 0), max(int(top) + side, 0))
        columns = slice(max(int(left), 0), max(int(left) + side, 0))
        dy, dx = self.cell.y[rows, columns] - y, self.cell.x[rows, columns] - x
        square = (dy * dy + dx * dx) / (radius * radius)
        total[rows, columns] += gain * np.exp(-square * np.sqrt(square))


def _soft(level: Grid, width: float) -> Grid:
    return np.clip(level / width * 0.5 + 0.5, 0, 1)


def _dna(c: _Parts, rng: np.random.Generator) -> Grid:
    p = c.p
    fine = patch(grain(c.scale(0.75 * p.chromatin_grain), 1), c.shape, rng)
    coarse = patch(grain(c.scale(1.9 * p.chromatin_grain), 2), c.shape, rng)
    texture = 1 + p.chromatin * (0.13 * fine + 0.1 * coarse)
    gain = 2.1 if c.cell.condensed else 1.0
    dome = 0.75 + 0.25 * np.sqrt(np.clip(1 - c.cell.nucleus, 0, 1))
    return c.inside * dome * texture * gain * p.nucleus_brightness / p.nucleus_area**0.35


def _er(c: _Parts, rng: np.random.Generator) -> Grid:
    p = c.p
    mesh = patch(network(c.scale(1.3), 1), c.shape, rng)
    soft = patch(grain(c.scale(2.2), 3), c.shape, rng)
    clump = np.maximum(patch(grain(c.scale(1.5), 4), c.shape, rng) - 0.4, 0)
    gradient = 0.22 + 1.1 * np.exp(-c.from_nucleus / (6.5 * p.er_spread))
    body = c.thickness * gradient * (0.75 + 0.3 * mesh + 0.12 * soft)
    body *= 1 + 1.5 * p.er_clumps * clump
    holes = np.clip(c.spots(rng, p.er_vacuoles, 26, (0.9, 2.1), distance=(0.8, 11.0)), 0, 1)
    # Above and below the nucleus there is ER as well: real fields are dimmer there, not black.
    return c.mask * p.er_brightness * (body * (1 - 0.35 * c.inside)) * (1 - 0.85 * holes)


def _rna(c: _Parts, rng: np.random.Generator) -> Grid:
    p = c.p
    soft = patch(grain(c.scale(1.8), 5), c.shape, rng)
    fine = patch(grain(c.scale(0.6), 6), c.shape, rng)
    cytoplasm = c.thickness * (0.3 + 0.7 * np.exp(-c.from_nucleus / 9)) * (1 + 0.09 * soft + 0.06 * fine)
    size = np.sqrt(p.nucleolus_area)
    nucleoli = c.spots(rng, p.nucleoli, 14, (0.7 * size, 1.5 * size), nuclear=True)
    nucleus = c.inside * (0.42 + 0.04 * soft + 1.5 * p.nucleolus_brightness * np.minimum(nucleoli, 1.5))
    return c.mask * (0.85 * p.rna_cytoplasm * cytoplasm * (1 - 0.4 * c.inside) + nucleus)


def _agp(c: _Parts, rng: np.random.Generator) -> Grid:
    p, cell = c.p, c.cell
    near = round(cell.angle / np.pi * ORIENTATION_COUNT) % ORIENTATION_COUNT
    turn = int(rng.integers(-1, 2))
    lines = patch(
        strands(c.scale(0.55), c.scale(8.0), (near + turn) % ORIENTATION_COUNT),
        c.shape,
        rng,
    )
    more = patch(
        strands(c.scale(0.55), c.scale(6.0), (near - turn + 2) % ORIENTATION_COUNT, 1),
        c.shape,
        rng,
    )
    fibres = np.maximum(lines - 0.9, 0) + 0.5 * np.maximum(more - 1.1, 0)
    fibres = fibres * np.sqrt(c.edge) * (1 - 0.6 * c.inside)
    soft = patch(grain(c.scale(0.8), 7), c.shape, rng)
    body = c.thickness * (0.32 + 0.05 * soft)
    rim = np.exp(-(((c.edge - 0.035) / 0.045) ** 2))
    ruffle = np.maximum(1 + 0.7 * patch(grain(c.scale(3.0), 8), c.shape, rng), 0)
    golgi_dots = c.spots(
        rng,
        16,
        20,
        (0.5, 1.25),
        distance=(0.3, 3.5 + 7.0 * (p.golgi_spread - 1)),
        direction=(cell.polarity, 1.5 * min(p.golgi_spread, 4.2)),
    )
    foci = c.spots(rng, p.actin_foci, 30, (0.5, 1.3), distance=(-3.0, 12.0))
    vesicles = c.spots(rng, p.vesicles, 44, (0.35, 0.8), distance=(0.0, 11.0))
    return c.mask * (
        body
        + 0.5 * p.fibres * fibres
        + 0.42 * p.membrane * rim * ruffle
        + 1.0 * p.golgi * np.minimum(golgi_dots, 1.8) / p.golgi_spread**0.6
        + 1.5 * np.minimum(foci, 1.5)
        + 0.7 * np.minimum(vesicles, 1.5)
    )


def _mito(c: _Parts, rng: np.random.Generator) -> Grid:
    p, cell = c.p, c.cell
    filaments = patch(network(c.scale(1.15), 2), c.shape, rng)
    dots = np.clip(patch(grain(c.scale(0.7), 9), c.shape, rng) - 0.9, 0, 1.2)
    envelope = np.maximum(patch(grain(c.scale(3.2), 10), c.shape, rng) + 0.55, 0)
    gathered = np.exp(-c.from_nucleus / (6.0 * p.mito_spread)) * np.clip(c.edge * 4, 0, 1)
    towards = np.arctan2(cell.y, cell.x) - cell.polarity
    one_sided = 1 + p.mito_clump * np.cos(towards)
    shape = p.mito_network * filaments * np.minimum(envelope, 1.6) + (1 - p.mito_network) * 0.9 * dots
    haze = 0.16 * c.thickness * (0.4 + 0.6 * np.exp(-c.from_nucleus / 9))
    return c.mask * (p.mito_brightness * 1.15 * shape * gathered * one_sided * (1 - 0.85 * c.inside) + haze)
