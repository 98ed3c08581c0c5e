"""What a layout reader returns: a plate as its files describe it, its channels, fields and planes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.vocabulary import PLATE_SHAPES, PlateError, plate_shape

MAX_CHANNELS = 1000
"""Most channels of a field: metadata that claim more are damaged."""

_LONGEST_NUMBER = 18
"""Digits of the longest number of a site; Python refuses to read more than a few thousand."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A remark about a plate or plate map that the user should see; the rest can still be used.

    Attributes
    ----------
    subject : str
        File, well, site or plate it is about.
    what : str
        One sentence: what is wrong and what to do next.
    """

    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as the files know it, with every hint about its stain.

    Attributes
    ----------
    name : str
        Unique name within the plate, as people call it (``"HOECHST 33342"``, ``"ch5"``).
    source : str
        What the name was read from, for the provenance sentence (``"Index.idx.xml channel name"``).
    number : int or None
        Number of the channel in the files: Phenix channel id, index along an array's channel axis.
    aliases : tuple of str
        Other names the user may type for it.
    excitation, emission : float or None
        Wavelengths in nanometres.
    unstained : str
        Why the channel holds no stain (``"transmitted light"``), empty where nothing says so.
    """

    name: str
    source: str
    number: int | None = None
    aliases: tuple[str, ...] = ()
    excitation: float | None = None
    emission: float | None = None
    unstained: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of view: its position on the plate and its planes of pixels.

    Attributes
    ----------
    row, column : int
        0-based position of the well; a place in a strip if the files do not name the well.
    well : str
        ``"B03"``, or a name of its own such as ``"field1"`` where ``known`` is false.
    number : int or str
        Number of the site in its well, as the files count.
    planes : mapping of str to tuple of Plane
        Focal planes of each channel, by channel name; several are combined.
    faults : mapping of str to str
        Why a channel of this field cannot be read, by channel name.
    position : tuple of float or None
        Stage position (y, x) relative to the well's centre in micrometres.
    source : str
        Plate or microscope this field was acquired on, where one folder pools several; else empty.
    """

    row: int
    column: int
    well: str
    number: int | str
    planes: Mapping[str, tuple[Plane, ...]]
    faults: Mapping[str, str] = field(default_factory=dict)
    known: bool = True
    position: tuple[float, float] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """A plate as its files describe it, before its channels are mapped to stains."""

    name: str
    path: Path
    layout: str
    shape: tuple[int, int]
    channels: tuple[Channel, ...]
    fields: tuple[Field, ...]
    pixel_size: float | None = None
    problems: tuple[Problem, ...] = ()
    address: str = ""
    """Where a plate came from that is not on this computer, as ``open_plate`` takes it."""
    need: Callable[[Path], object] = Path.exists
    """Makes sure that a file of the plate is on this computer."""
    time: int = 1
    """Time point that was opened, as the files count."""


def plate_name(path: Path) -> str:
    """Name a plate after its folder; a folder called ``Images`` takes the name of the one above.

    Names hold no slash, because ids do (``plate/B03``).
    """
    for part in (path, *path.parents):
        stem = re.sub(
            r"(\.ome)?\.zarr$|\.csv(\.gz)?$|\.ome\.tiff?$|\.(tiff?|png|jpe?g|jp2|j2k)$",
            "",
            part.name,
            flags=re.IGNORECASE,
        )
        if stem and stem.lower() not in {"images", "image", "tiff", "tiffs", "load_data", "0", "plate"}:
            return clean_name(stem)
    return "plate"


def clean_name(text: str) -> str:
    """Remove slashes and surrounding blanks from a plate name."""
    return re.sub(r"[/\\]+", "_", text.strip()) or "plate"


def site_number(text: str) -> int | str:
    """Read the number of a site as the files have it; what is no number stays text, without slashes.

    Examples
    --------
    >>> site_number("07"), site_number("7a"), site_number("a/b")
    (7, '7a', 'a_b')
    """
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    return text.replace("/", "_")


def shape_for(positions: list[tuple[int, int]]) -> tuple[int, int]:
    """Choose the plate shape where the files state none: the smallest of 96, 384, 1536 wells that holds all.

    Cell Painting is hardly ever done in fewer than 96 wells, so a lone well A01 means a sparse plate.
    """
    rows = max(row for row, _ in positions) + 1
    columns = max(column for _, column in positions) + 1
    smallest = PLATE_SHAPES[96]
    return plate_shape(max(rows, smallest[0]), max(columns, smallest[1]))


def strip_of(names: list[str]) -> dict[str, tuple[int, int]]:
    """Place fields whose well is not known in a strip of one row."""
    return {name: (0, column) for column, name in enumerate(dict.fromkeys(names))}


def require_fields(fields: list[Field], path: Path) -> None:
    """Refuse a plate without a single field."""
    if not fields:
        raise PlateError(
            f"{path} holds no images of a plate: check that this is the folder with the images in it"
        )
