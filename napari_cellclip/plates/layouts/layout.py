"""The interface of every layout reader: detect a layout at a path, and read the plate that lies there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition


@dataclass(frozen=True, slots=True)
class Options:
    """Options of :func:`napari_cellclip.plates.open_plate` that concern finding files.

    Attributes
    ----------
    name : str or None
        Plate to choose where the files hold several, else the name to give the plate.
    pattern : str or None
        How file names are read.
    image_root : Path or None
        Folder under which the images named by a table are looked for.
    time : int or None
        Time point to open, as the files count; the first unless given.
    """

    name: str | None = None
    pattern: str | None = None
    image_root: Path | None = None
    time: int | None = None


class Strength(IntEnum):
    """Strength with which files speak for a layout; the strongest match is opened."""

    IMAGES = 1
    """Images that can be opened, whatever they are: enough for `open_plate`, not for `detect_layout`."""
    NAMES = 2
    """Files are named as this layout names them."""
    METADATA = 3
    """An index, a table or attributes describe a plate."""


@dataclass(frozen=True, slots=True)
class Match:
    """Finding of a layout reader at a path.

    Attributes
    ----------
    path : Path
        File or folder to hand to the layout's ``read``.
    strength : Strength
        How strongly the files speak for this layout.
    refusal : str
        Why it cannot be opened although it is of this layout (several plates, say), as a sentence for the
        user; empty where it can.
    """

    path: Path
    strength: Strength
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A way in which plates lie on disk, with its reader.

    Attributes
    ----------
    name : str
        As in ``open_plate(layout=…)`` and ``Plate.layout``.
    detect : callable
        ``detect(path, options)`` returns a :class:`Match`, or ``None`` where a path, of a file or a folder,
        is not of this layout. It is quick (no image is opened, folders are not searched to their last file)
        and raises nothing but :class:`OSError`.
    read : callable
        ``read(match.path, options)`` returns the :class:`~napari_cellclip.plates.acquisition.Acquisition`
        and raises a :class:`~napari_cellclip.vocabulary.CellClipError` where that is impossible. Pixels are
        not read.
    strongest : Strength
        The strongest match it can make: it is not asked where another layout has one as strong already.
    reads_patterns : bool
        Whether ``options.pattern`` means something to it: only such layouts are tried when one is given.
    files : tuple of str
        Names of the files by which such a plate is opened, as patterns in lower case. They are those of
        ``filename_patterns`` in both ``napari.yaml``.
    """

    name: str
    detect: Callable[[Path, Options], Match | None]
    read: Callable[[Path, Options], Acquisition]
    strongest: Strength = Strength.METADATA
    reads_patterns: bool = False
    files: tuple[str, ...] = ()
