"""Read the XML files of a Yokogawa measurement: ``.mlf`` images, ``.mrf`` plate, ``.mes`` channels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_cellclip.plates.layouts.files import MAX_FILES
from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import require_regular

_BAND = re.compile(r"[A-Z]{2}(\d{3})/\d{1,3}")


@dataclass(frozen=True, slots=True)
class Record:
    """One image of ``MeasurementData.mlf``; row, column and numbers from 1, positions in micrometres.

    ``failed`` where the instrument recorded an error instead of an image; ``file`` is then its text.
    """

    file: str
    row: int
    column: int
    field: int
    plane: int
    time: int
    channel: int
    position: tuple[float, float] | None
    failed: bool


@dataclass(frozen=True, slots=True)
class ChannelSetting:
    """A channel of the ``.mes`` file: what the operator calls it, wavelengths in nanometres."""

    target: str = ""
    excitation: float | None = None
    emission: float | None = None
    unstained: str = ""


@dataclass(slots=True)
class Detail:
    """``MeasurementDetail.mrf``: name, rows and columns of the plate, pixel size in micrometres."""

    name: str = ""
    shape: tuple[int, int] | None = None
    pixel_size: float | None = None
    settings: str = ""
    channels: set[int] = field(default_factory=set)


def read_records(path: Path) -> Iterator[Record]:
    """Read the images that ``MeasurementData.mlf`` lists.

    Raises
    ------
    PlateError
        If the file is damaged, declares XML entities, or lists more images than any plate has.
    """
    count = 0
    for tag, element in _elements(path):
        if tag != "MeasurementRecord":
            continue
        values = _values(element)
        failed = values.get("Type") != "IMG"
        count += 1
        if count > MAX_FILES:
            raise PlateError(f"{path.name} lists more than {MAX_FILES:,} images")
        try:
            numbers = [
                int(values.get(key, "1"))
                for key in ("Row", "Column", "FieldIndex", "ZIndex", "TimePoint", "Ch")
            ]
            place = (float(values["Y"]), float(values["X"])) if "X" in values and "Y" in values else None
        except ValueError as error:
            raise PlateError(f"{path.name} is damaged ({str(error)[:80]}): copy it again") from None
        row, column, site, plane, time, channel = numbers
        text = (element.text or "").strip()
        element.clear()
        yield Record(text, row, column, site, plane, time, channel, place, failed)


def read_detail(path: Path) -> Detail:
    """Read ``MeasurementDetail.mrf``.

    Raises
    ------
    PlateError
        If the file is damaged or declares XML entities.
    """
    detail = Detail()
    for tag, element in _elements(path):
        values = _values(element)
        if tag == "MeasurementDetail":
            detail.name = values.get("Title", "")
            detail.settings = values.get("MeasurementSettingFileName", "")
            rows, columns = _decimal(values.get("RowCount")), _decimal(values.get("ColumnCount"))
            detail.shape = (rows, columns) if rows and columns else None
        elif tag == "MeasurementChannel":
            detail.channels.add(_decimal(values.get("Ch")))
            detail.pixel_size = detail.pixel_size or _positive(values.get("HorizontalPixelDimension"))
    return detail


def read_channels(path: Path) -> dict[int, ChannelSetting]:
    """Read the channels of a ``.mes`` file, by number.

    Raises
    ------
    PlateError
        If the file is damaged or declares XML entities.
    """
    sources: dict[str, float | None] = {}
    channels: dict[int, ChannelSetting] = {}
    for tag, element in _elements(path):
        values = _values(element)
        if tag == "LightSource":
            sources[values.get("Name", "")] = _positive(values.get("WaveLength"))
        elif tag == "Channel":
            light = [(e.text or "").strip() for e in element if _local(e.tag) == "LightSourceName"]
            band = _BAND.fullmatch(values.get("Acquisition", ""))
            kind = values.get("Kind", "")
            bright = any(word in kind.lower() for word in ("bright", "phase", "transmi"))
            channels[_decimal(values.get("Ch"))] = ChannelSetting(
                target=values.get("Fluorophore", "").strip() or values.get("Target", "").strip(),
                excitation=sources.get(light[0]) if len(light) == 1 else None,
                emission=float(band[1]) if band else None,
                unstained=f"{path.name} says {kind}" if bright else "",
            )
    return channels


def _elements(path: Path) -> Iterator[tuple[str, Any]]:
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        with require_regular(path).open("rb") as stream:
            for _, element in ElementTree.iterparse(stream, events=("end",)):
                yield _local(element.tag), element
    except DefusedXmlException as error:
        raise PlateError(
            f"{path.name} declares XML entities and was refused for safety ({type(error).__name__})"
        ) from None
    except (ElementTree.ParseError, UnicodeError, LookupError) as error:
        raise PlateError(f"{path.name} is damaged ({error}): copy it again") from None


def _values(element: Any) -> dict[str, str]:
    return {_local(key): value for key, value in element.attrib.items()}


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _decimal(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 5 else 0


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or 0)
    except ValueError:
        return None
    return value if 0 < value < 1e6 else None
