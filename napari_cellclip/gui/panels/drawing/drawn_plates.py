"""The plates of a session as drawings: those looked at, coloured as every view colours their wells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.gui.palette import RGB, WellColours, well_colours
from napari_cellclip.gui.panels.drawing.plate_drawing import PlateDrawing, WellMark
from napari_cellclip.gui.state.wells import edge_medians, failed_wells, grid_of, shape_of

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.gui.state.session import Session
    from napari_cellclip.plates import Plate

MOST_SIDE_BY_SIDE = 24
"""Plates drawn at once: more would be too small to read."""


def plate_names(session: Session) -> list[str]:
    """List the plates of the wells, in the order of the table."""
    table = session.wells
    return list(dict.fromkeys(table["plate"])) if len(table) else []


def drawn_plates(session: Session, background: RGB) -> tuple[list[PlateDrawing], WellColours]:
    """Draw the plate looked at, or all where they are looked at side by side.

    Parameters
    ----------
    session : Session
        What is open, and how it is looked at.
    background : tuple of int
        Red, green and blue of what they are drawn on.

    Returns
    -------
    list of PlateDrawing
        An empty plate where nothing is open.
    WellColours
        Of the wells drawn, in the order of the table.
    """
    view, table, names = session.view, session.wells, plate_names(session)
    shown = view.plate if view.plate in names else (names[0] if names else "")
    drawn = names[:MOST_SIDE_BY_SIDE] if view.side_by_side and names else [shown]
    here = table[table["plate"].isin(drawn)] if len(names) > 1 else table
    colours = well_colours(session, here.index, background)
    failed, plates = failed_wells(session.screen), here["plate"].to_numpy(object)
    drawings = [
        _drawing(name, session.plate, here, np.flatnonzero(plates == name), colours, failed) for name in drawn
    ]
    return drawings, colours


def _drawing(
    name: str,
    plate: Plate | None,
    table: pd.DataFrame,
    rows: np.ndarray,
    colours: WellColours,
    failed: frozenset[str],
) -> PlateDrawing:
    """Make the drawing of one plate, whose wells are these rows of the table and of the colours."""
    wells = table.iloc[rows]
    shape = shape_of(wells, plate if plate is not None and plate.name == name else None)
    fills, known = colours.rgb[rows].tolist(), colours.known[rows].tolist()
    rgb = [(r, g, b) if there else None for (r, g, b), there in zip(fills, known, strict=True)]
    marks = tuple(
        WellMark(identifier, row, column, colour, control, outlined, identifier in failed, faded)
        for identifier, row, column, colour, control, outlined, faded in zip(
            map(str, wells.index),
            *(wells[name].tolist() for name in ("row", "column")),
            rgb,
            wells["control"].tolist(),
            colours.outlined[rows].tolist(),
            colours.faded[rows].tolist(),
            strict=True,
        )
        if 0 <= row < shape[0] and 0 <= column < shape[1]
    )
    if colours.scale is None or colours.numbers is None or not colours.known[rows].any():
        return PlateDrawing(name, shape, marks)
    grid = grid_of(wells.assign(shown=colours.numbers[rows]), shape, "shown")
    # On the scale of the legend, so that what is read off is true; missing medians are left out.
    edges = [
        tuple(
            _rgb(rgb) if there else None
            for rgb, there in zip(colours.scale.in_colour(medians), np.isfinite(medians), strict=True)
        )
        for medians in edge_medians(grid)
    ]
    return PlateDrawing(name, shape, marks, *edges)


def _rgb(colour: np.ndarray) -> RGB:
    red, green, blue = (int(v) for v in colour)
    return red, green, blue
