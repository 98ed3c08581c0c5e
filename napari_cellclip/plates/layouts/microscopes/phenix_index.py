"""Read ``Index.idx.xml``, which Harmony writes beside Opera Phenix images (HarmonyV5 and relatives)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import require_regular

INDEX_NAMES = ("index.idx.xml", "index.xml", "index.ref.xml")

_IMAGE_ID = re.compile(r"(\d{2,3})(\d{2,3})K(\d+)F(\d+)P(\d+)R(\d+)")


@dataclass(frozen=True, slots=True)
class IndexChannel:
    """A channel as the index describes it: wavelengths in nanometres."""

    name: str
    excitation: float | None = None
    emission: float | None = None
    unstained: str = ""


@dataclass(slots=True)
class PhenixIndex:
    """Plate, channels and positions as the index describes them.

    Attributes
    ----------
    name : str
        The plate's name as the operator typed it.
    shape : tuple of int or None
        Rows and columns.
    pixel_size : float or None
        Micrometres.
    channels : dict
        Channels by number.
    positions : dict
        Stage position (y, x) in micrometres of each field number, relative to the well's centre.
    promised : set of tuple
        (row, column, field), 1-based, of every field the instrument says it imaged.
    """

    name: str = ""
    shape: tuple[int, int] | None = None
    pixel_size: float | None = None
    channels: dict[int, IndexChannel] = field(default_factory=dict)
    positions: dict[int, tuple[float, float]] = field(default_factory=dict)
    promised: set[tuple[int, int, int]] = field(default_factory=set)


def read_index(path: Path) -> PhenixIndex:
    """Read an index up to the point where nothing new comes.

    A whole plate's index is tens of megabytes, nearly all of it one description per image. Channels,
    pixel size and field positions repeat from well to well, so reading stops after the first well once
    every channel has been described.

    Parameters
    ----------
    path : Path
        The ``Index.idx.xml``.

    Raises
    ------
    PlateError
        If the file is damaged, no index, or declares entities (refused, as they can exhaust memory).
    """
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    index = PhenixIndex()
    try:
        with require_regular(path).open("rb") as stream:
            _fill(index, ElementTree.iterparse(stream, events=("end",)))
    except DefusedXmlException as error:
        raise PlateError(
            f"the index declares XML entities and was refused for safety ({type(error).__name__})"
        ) from None
    except KeyError as error:
        raise PlateError(f"an image in the index has no {error.args[0]}: export it again") from None
    except (ElementTree.ParseError, UnicodeError, ValueError) as error:
        raise PlateError(f"the index is damaged ({error}): export it again") from None
    if not index.channels:
        raise PlateError("the index describes no channel")
    return index


def _fill(index: PhenixIndex, events: Iterator[tuple[str, Any]]) -> None:
    expected: set[int] = set()
    described: set[int] = set()
    first_well: tuple[int, int] | None = None
    for _, element in events:
        tag = _local(element.tag)
        if tag == "Image" and (identifier := element.get("id")):
            if match := _IMAGE_ID.fullmatch(identifier):
                row, column, _, number, _, channel = (int(g) for g in match.groups())
                index.promised.add((row, column, number))
                expected.add(channel)
        elif tag == "Image":
            image = {_local(e.tag): (e.text or "").strip() for e in element}
            well = (int(image["Row"]), int(image["Col"]))
            first_well = first_well or well
            if well == first_well:
                _place(index, image)
            _describe(index, image)
            index.promised.add((*well, int(image["FieldID"])))
            described.add(int(image["ChannelID"]))
            element.clear()
            if well != first_well and expected and expected <= described:
                return
        elif tag == "Plate":
            _head(index, element)
        elif tag == "Entry" and (number := element.get("ChannelID")):
            entry = {_local(e.tag): (e.text or "").strip() for e in element}
            _describe(index, {**entry, "ChannelID": number})
        elif tag in ("Map", "Wells"):
            element.clear()


def _head(index: PhenixIndex, element: Any) -> None:
    plate = {_local(e.tag): (e.text or "").strip() for e in element}
    index.name = plate.get("Name") or plate.get("PlateID") or index.name
    if (rows := plate.get("PlateRows")) and (columns := plate.get("PlateColumns")):
        index.shape = (int(rows), int(columns))


def _describe(index: PhenixIndex, image: dict[str, str]) -> None:
    """Add channel and pixel size of an image, or of a channel's entry in newer indices."""
    name = image.get("ChannelName", "")
    number = int(image["ChannelID"])
    if name and (number not in index.channels or index.channels[number].emission is None):
        transmitted = "transmitted" in image.get("IlluminationType", "").lower()
        index.channels[number] = IndexChannel(
            name=name,
            excitation=_positive(image.get("MainExcitationWavelength")),
            emission=_positive(image.get("MainEmissionWavelength")),
            unstained="Index.idx.xml says transmitted light" if transmitted else "",
        )
    if index.pixel_size is None and (size := _positive(image.get("ImageResolutionX"))):
        index.pixel_size = size * 1e6


def _place(index: PhenixIndex, image: dict[str, str]) -> None:
    if "PositionX" in image and "PositionY" in image:
        index.positions[int(image["FieldID"])] = (
            float(image["PositionY"]) * 1e6,
            float(image["PositionX"]) * 1e6,
        )


def _positive(text: str | None) -> float | None:
    value = float(text) if text else 0.0
    return value if value > 0 else None


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
