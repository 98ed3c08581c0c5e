"""Reading what the canvas shows: a field, a whole well, or wells beside each other; in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_cellclip.gui.canvas.display_contrast import contrast_of_field
from napari_cellclip.gui.canvas.well_mosaic import read_mosaic
from napari_cellclip.screen.storage.processing import as_encoded, described, processing_key
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellclip.gui.canvas.display_contrast import DisplayContrast
    from napari_cellclip.plates import Plate, Site
    from napari_cellclip.screen import Screen
    from napari_cellclip.screen.engines.contrast import Contrast
    from napari_cellclip.vocabulary import Stain


@dataclass(frozen=True, eq=False)
class ReadPanel:
    """Pixels that were read for one panel.

    Attributes
    ----------
    site : Site
        The field, or the first one of the well.
    pixels : ndarray (stains, Y, X)
        Black where nothing could be read.
    step : int
        Every so many-th pixel of the files.
    what : str
        What part of the well it is: ``site 2``, ``9 sites``.
    problem : str
        Why something is missing, empty if nothing is.
    """

    site: Site
    pixels: NDArray[Any]
    step: int
    what: str
    problem: str = ""


@dataclass(frozen=True, eq=False)
class ReadFields:
    """Everything that is drawn at once.

    Attributes
    ----------
    stains : tuple of Stain
        Of all panels.
    panels : tuple of ReadPanel
        The well that is shown first.
    plate_contrast, own_contrast : dict
        Contrast of the plate and source, and that of the first panel alone.
    """

    stains: tuple[Stain, ...]
    panels: tuple[ReadPanel, ...]
    plate_contrast: Contrast
    own_contrast: Contrast


def read_fields(
    plate: Plate,
    site: Site,
    beside: Sequence[str],
    mosaic: bool,
    known: DisplayContrast,
    screen: Screen | None,
) -> ReadFields:
    """Read a field, or its whole well, and the wells beside it.

    Parameters
    ----------
    plate : Plate
        The open plate.
    site : Site
        The field that is shown.
    beside : sequence of str
        Ids of further wells; the field of the same number of each is read, or its first.
    mosaic : bool
        Read all sites of the well instead of one.
    known : DisplayContrast
        Contrast of plates.
    screen : Screen or None
        May hold the contrast of the plate, and how its images were made when it was encoded: so they are
        shown, and it is said.

    Raises
    ------
    CellClipError
        If the field that is shown cannot be read. Wells beside it that cannot be read are black, with the
        reason.
    """
    stains = site.stains
    if not stains:
        raise CellClipError(f"Site {site.id} cannot be shown: {site.problem}.")
    plate, made = _as_encoded(plate, screen)
    site = plate.site(site.id)
    if mosaic:
        sites = plate.well(site.well_id).sites
        pixels, step, problems = read_mosaic(sites, stains, plate.pixel_size)
        what = f"{len(sites) - len(problems)} sites" + (f", {len(problems)} not readable" if problems else "")
        panels = [ReadPanel(site, pixels, step, what + made, problems[0] if problems else "")]
    else:
        panels = [ReadPanel(site, site.read(stains), 1, f"site {site.number}{made}")]
    panels += [_beside(plate, well, site, stains, panels[0].pixels) for well in beside]
    contrast = known.of(plate, site.source, screen)
    return ReadFields(stains, tuple(panels), contrast, contrast_of_field(stains, panels[0].pixels))


_encoded_plates: WeakKeyDictionary[Plate, tuple[str, Plate]] = WeakKeyDictionary()
"""Plates with their images made as a screen has them, whose illumination functions take a while to read."""


def _as_encoded(plate: Plate, screen: Screen | None) -> tuple[Plate, str]:
    """The plate with its images made as when the screen encoded it, and words for that if it is not plain.

    Where that cannot be done, the plate as it is; `check` of the screen says what is damaged.
    """
    record = screen.plates.get(plate.name) if screen is not None else None
    if screen is None or record is None or not record.stains or not (made := described(record)):
        return plate, ""
    key = f"{screen.path} {processing_key(record)}"
    known = _encoded_plates.get(plate)
    if known is None or known[0] != key:
        try:
            known = key, as_encoded(screen.path, record, plate)
        except CellClipError:
            return plate, ", as acquired"
        _encoded_plates[plate] = known
    return known[1], f", {made}"


def _beside(plate: Plate, well: str, like: Site, stains: Sequence[Stain], pixels: NDArray[Any]) -> ReadPanel:
    sites = plate.well(well).sites
    site = next((s for s in sites if s.number == like.number), sites[0])
    what = f"site {site.number}"
    try:
        there = [s for s in stains if s in site.stains]
        images = dict(zip(there, site.read(there), strict=True))
    except CellClipError as error:
        return ReadPanel(site, np.zeros_like(pixels), 1, what, str(error))
    blank = np.zeros_like(next(iter(images.values())))
    missing = [str(s) for s in stains if s not in images]
    problem = f"no image of {', '.join(missing)}" if missing else ""
    return ReadPanel(site, np.stack([images.get(s, blank) for s in stains]), 1, what, problem)
