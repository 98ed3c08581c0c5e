"""Read the ``.xdce`` file of an IN Cell Analyzer: wavelengths, positions of fields, plate, pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import require_regular


@dataclass(slots=True)
class Xdce:
    """Contents of an ``.xdce`` file, as far as they are used.

    Attributes
    ----------
    shape : tuple of int or None
        Rows and columns of the plate.
    pixel_size : float or None
        Micrometres.
    wavelengths : dict
        Excitation and emission in nanometres, by the pair of filters as in file names: ``"DAPI - DAPI"``.
    offsets : dict
        Position (y, x) of a field in its well in micrometres, by its index from 0.
    """

    shape: tuple[int, int] | None = None
    pixel_size: float | None = None
    wavelengths: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    offsets: dict[int, tuple[float, float]] = field(default_factory=dict)


def read_xdce(path: Path) -> Xdce:
    """Read an ``.xdce`` file up to the list of its images.

    Raises
    ------
    PlateError
        If it is damaged or declares XML entities.
    """
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    found = Xdce()
    try:
        with require_regular(path).open("rb") as stream:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):
                tag, values = element.tag.rsplit("}", 1)[-1], element.attrib
                if event == "start":
                    if tag == "Images":
                        break
                elif tag == "Plate":
                    rows, columns = _whole(values.get("rows")), _whole(values.get("columns"))
                    found.shape = (rows, columns) if rows and columns else None
                elif tag == "ObjectiveCalibration":
                    found.pixel_size = _positive(values.get("pixel_width"))
                elif tag == "Wavelength":
                    filters = {e.tag.rsplit("}", 1)[-1]: e.attrib for e in element}
                    light, camera = filters.get("ExcitationFilter", {}), filters.get("EmissionFilter", {})
                    pair = f"{light.get('name', '')} - {camera.get('name', '')}"
                    found.wavelengths[pair] = (
                        _positive(light.get("wavelength")),
                        _positive(camera.get("wavelength")),
                    )
                elif tag == "offset_point":
                    place = _real(values.get("y")), _real(values.get("x"))
                    index = _whole(values.get("index"))
                    if index is not None and place[0] is not None and place[1] is not None:
                        found.offsets[index] = place[0], place[1]
    except DefusedXmlException as error:
        raise PlateError(
            f"{path.name} declares XML entities and was refused for safety ({type(error).__name__})"
        ) from None
    except (ElementTree.ParseError, UnicodeError, LookupError) as error:
        raise PlateError(f"{path.name} is damaged ({error}): copy it again") from None
    return found


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 6 else None


def _real(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < 1e7 else None


def _positive(text: str | None) -> float | None:
    value = _real(text)
    return value if value is not None and value > 0 else None
