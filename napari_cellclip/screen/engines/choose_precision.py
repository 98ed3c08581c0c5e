"""Choose, once for a plate, in which number format its fields are encoded."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from napari_cellclip.screen.engines.read_ahead import read_site
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.screen_json import PlateRecord

if TYPE_CHECKING:
    from napari_cellclip.model import IntensityStats, Model
    from napari_cellclip.model.encoders.precision import Precision
    from napari_cellclip.plates import Plate

WantedPrecision = Literal["auto", "float32", "bfloat16"]


def choose_precision(
    plate: Plate,
    model: Model,
    stats: IntensityStats | None,
    wanted: WantedPrecision,
    others: Iterable[PlateRecord],
) -> Generator[Progress, None, Precision]:
    """Choose the precision of a plate that is encoded for the first time.

    Parameters
    ----------
    plate : Plate
        Its first readable fields are what is measured on.
    model : Model
        With its channel encoder.
    stats : IntensityStats or None
        Ranges of the plate.
    wanted : {"auto", "float32", "bfloat16"}
        ``"auto"``: as the other plates of the screen, so that wells of all are comparable to the last digit;
        on the first plate what `PixelEncoder.choose_precision` measures to be faster and as good.
    others : iterable of PlateRecord
        Plates of the screen.

    Yields
    ------
    Progress
        What was measured.
    """
    if wanted != "auto":
        return wanted
    for other in others:
        return other.precision
    probe = model.pixels.choose_precision(_readable(plate), stats)
    if probe.gain != 1:
        message = f"computing in {probe.precision}: {probe.reason}"
        yield Progress(0, len(plate.sites), message, stage="intensity")
    return probe.precision


def _readable(plate: Plate) -> Iterator[NDArray[Any]]:
    for site in plate.sites:
        _, pixels = read_site(site)
        if not isinstance(pixels, str):
            yield pixels
