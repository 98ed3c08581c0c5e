"""What a user may tell a layout reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Options of :func:`napari_cellclip.plates.open_plate` that concern finding files.

    Attributes
    ----------
    name : str or None
        Plate to choose where the files hold several, else the name to give the plate.
    pattern : str or None
        How file names of a TIFF folder are read.
    image_root : Path or None
        Folder under which the images named by a table are looked for.
    """

    name: str | None = None
    pattern: str | None = None
    image_root: Path | None = None
