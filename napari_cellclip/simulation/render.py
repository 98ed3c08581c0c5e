"""Render one simulated field: cells, their dyes, the camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.simulation.cells import Cell, draw_cell, own, place
from napari_cellclip.simulation.nuisance import Nuisance, Staining, photograph
from napari_cellclip.simulation.phenotypes import UNTREATED, Phenotype
from napari_cellclip.simulation.staining import stain_cell
from napari_cellclip.vocabulary import STAINS


@dataclass(frozen=True, slots=True)
class Field:
    """A rendered field and its truth.

    Attributes
    ----------
    pixels : array
        uint16 [5, Y, X] camera counts, stains in the order of ``STAINS``.
    cells : array
        int32 [Y, X]: number of the cell at each pixel, 0 where there is none.
    responding : array
        bool [n cells]: whether cell ``i + 1`` responds to the treatment.
    """

    pixels: NDArray[np.uint16]
    cells: NDArray[np.int32]
    responding: NDArray[np.bool_]


def render_field(
    phenotype: Callable[[float], Phenotype] | Phenotype = UNTREATED,
    response: float | Callable[[NDArray[np.float64]], NDArray[np.floating]] = 1.0,
    *,
    seed: int | np.random.SeedSequence = 0,
    shape: tuple[int, int] = (256, 256),
    pixel_size: float = 0.6,
    nuisance: Nuisance | None = None,
    staining: Staining | None = None,
    density: float | None = None,
) -> Field:
    """Render one field.

    Parameters
    ----------
    phenotype : Phenotype or callable
        Look of responding cells; a callable is given a cell's own strength of response (about 1, varying
        between cells).
    response : float or callable
        Share of cells that respond, 0..1; a callable is given the cells' centres [n, 2] in pixels (y, x) and
        returns the chance of each: a field of which one part responds.
    seed : int or SeedSequence
        The same seed gives the same field, and the same cells under another phenotype.
    shape : tuple of int
        Rows and columns, pixels.
    pixel_size : float
        Micrometres.
    nuisance : Nuisance, optional
        Camera and dirt.
    staining : Staining, optional
        Brightness of the stains here.
    density : float, optional
        Cells per square millimetre; the nuisance's by default.
    """
    nuisance = nuisance or Nuisance()
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    places, fates, looks, camera = root.spawn(4)
    centres = place(
        (shape[0] * pixel_size, shape[1] * pixel_size),
        density or nuisance.density,
        np.random.default_rng(places),
    )
    chance = np.random.default_rng(fates)
    draws = chance.random((len(centres), 2))
    strengths = np.exp(0.25 * chance.standard_normal(len(centres)))
    likely = np.broadcast_to(response(centres / pixel_size) if callable(response) else response, len(centres))
    cells: list[Cell] = []
    for centre, (lot, life), strength, share, own_seed in zip(
        centres, draws, strengths, likely, looks.spawn(len(centres)), strict=True
    ):
        responds = bool(lot < share)
        if not responds:
            look = UNTREATED
        else:
            look = phenotype if isinstance(phenotype, Phenotype) else phenotype(float(strength))
        if life > look.survival:
            continue
        cell = draw_cell(centre, look, responds, own_seed, pixel_size, shape)
        if cell is not None:
            cells.append(cell)
    owner = own(cells, shape)
    dye = np.zeros((len(STAINS), *shape), np.float32)
    for number, cell in enumerate(cells, 1):
        window = (slice(None), cell.rows, cell.columns)
        mine = owner[cell.rows, cell.columns] == number
        if not mine.any():
            continue
        mask = mine * np.clip((1 - cell.level) / 0.05, 0, 1).astype(np.float32)
        dye[window] += stain_cell(cell, mask, pixel_size) * mine
    pixels = photograph(
        dye, pixel_size, nuisance, staining or Staining.usual(), np.random.default_rng(camera)
    )
    return Field(pixels, owner, np.array([cell.responding for cell in cells], bool))
