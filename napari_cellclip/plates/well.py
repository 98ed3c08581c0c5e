"""A well of a plate and its sites."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_cellclip.plates.site import Site


@dataclass(frozen=True, eq=False)
class Well:
    """One well.

    Attributes
    ----------
    id, name, plate : str
        ``"plate/B03"``, ``"B03"``, ``"plate"``.
    row, column : int
        0-based; a place in a strip if the files do not name the well.
    sites : tuple of Site
        Fields of view in the order of the files' numbers.
    known : bool
        Whether the files name the well.
    """

    id: str
    name: str
    plate: str
    row: int
    column: int
    sites: tuple[Site, ...] = field(repr=False)
    known: bool = True
