"""Read axes, channels and pixel size of a TIFF file from its metadata (OME-XML, ImageJ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_cellclip.vocabulary import PlateError

if TYPE_CHECKING:
    import tifffile

_MICROMETRES = {"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6}


@dataclass(frozen=True, slots=True)
class TiffChannel:
    """A channel of a multi-channel TIFF as its metadata describe it; empty name where they do not."""

    name: str = ""
    excitation: float | None = None
    emission: float | None = None
    unstained: str = ""


@dataclass(frozen=True, slots=True)
class TiffAxes:
    """Axes of the pages of a TIFF file.

    Attributes
    ----------
    channels, depth, times : int
        Sizes along C, Z and T.
    order : str
        Page order, fastest axis first, such as ``"CZT"``.
    samples : bool
        Whether the channels are samples of one page and not pages.
    rgb : bool
        Whether this is a colour picture.
    names : tuple of TiffChannel
        Channels by index; empty where the file does not describe them.
    pixel_size : float or None
        Micrometres.
    """

    channels: int = 1
    depth: int = 1
    times: int = 1
    order: str = "CZT"
    samples: bool = False
    rgb: bool = False
    names: tuple[TiffChannel, ...] = ()
    pixel_size: float | None = None

    def pages(self, channel: int) -> list[int]:
        """List the page (or sample) indices of one channel at the first time point, one per focal plane."""
        if self.samples:
            return [channel]
        sizes = {"C": self.channels, "Z": self.depth, "T": self.times}
        stride, strides = 1, {}
        for axis in self.order:
            strides[axis] = stride
            stride *= sizes[axis]
        return [channel * strides["C"] + z * strides["Z"] for z in range(self.depth)]


def read_axes(tif: tifffile.TiffFile) -> TiffAxes:
    """Work out axes, channels and pixel size of an open TIFF file.

    Parameters
    ----------
    tif : tifffile.TiffFile
        Opened with ``is_ome=False``, so that the OME-XML was not acted upon.

    Raises
    ------
    PlateError
        If the OME-XML is damaged or holds entity declarations.
    """
    page: Any = tif.pages[0]
    pages = len(tif.pages)
    if page.samplesperpixel > 1:
        grey = page.photometric is not None and page.photometric.name in {"MINISBLACK", "MINISWHITE"}
        return TiffAxes(channels=page.samplesperpixel, samples=True, rgb=not grey or pages > 1)
    if page.photometric is not None and page.photometric.name in {"RGB", "PALETTE", "YCBCR"}:
        return TiffAxes(rgb=True)
    description = page.description or ""
    if "<OME" in description[:4000] and (axes := _from_ome(description, pages)):
        return axes
    if tif.is_imagej and tif.imagej_metadata:
        return _from_imagej(tif, pages)
    return TiffAxes(channels=pages)


def _from_ome(description: str, pages: int) -> TiffAxes | None:
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root = ElementTree.fromstring(description)
    except (ElementTree.ParseError, DefusedXmlException) as error:
        raise PlateError(f"its OME-XML is damaged or unsafe ({type(error).__name__})") from error
    pixels = next((e for e in root.iter() if _local(e.tag) == "Pixels"), None)
    if pixels is None:
        return None
    try:
        sizes = [int(pixels.get(f"Size{axis}", "1")) for axis in "CZT"]
    except ValueError:
        return None
    if sizes[0] * sizes[1] * sizes[2] != pages:
        return None
    names = tuple(
        TiffChannel(
            name=e.get("Name") or e.get("Fluor") or "",
            excitation=_number(e.get("ExcitationWavelength")),
            emission=_number(e.get("EmissionWavelength")),
            unstained="transmitted light" if e.get("IlluminationType") == "Transmitted" else "",
        )
        for e in pixels
        if _local(e.tag) == "Channel"
    )
    size = _number(pixels.get("PhysicalSizeX"))
    unit = _MICROMETRES.get(pixels.get("PhysicalSizeXUnit", "µm"))
    order = pixels.get("DimensionOrder", "XYCZT")[2:]
    return TiffAxes(
        channels=sizes[0],
        depth=sizes[1],
        times=sizes[2],
        order=order if sorted(order) == ["C", "T", "Z"] else "CZT",
        names=names if len(names) == sizes[0] else (),
        pixel_size=size * unit if size and unit else None,
    )


def _from_imagej(tif: tifffile.TiffFile, pages: int) -> TiffAxes:
    metadata: dict[str, Any] = tif.imagej_metadata or {}
    sizes = [int(metadata.get(key, 1)) for key in ("channels", "slices", "frames")]
    if sizes[0] * sizes[1] * sizes[2] != pages:
        return TiffAxes(channels=pages)
    labels = metadata.get("Labels") or []
    names = (
        tuple(TiffChannel(str(label)) for label in labels[: sizes[0]]) if len(labels) >= sizes[0] > 1 else ()
    )
    return TiffAxes(sizes[0], sizes[1], sizes[2], names=names)


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
