"""How the images of a screen's plate were made from its files: kept, read back, and compared."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from napari_cellclip.plates import Plate
from napari_cellclip.plates.images.illumination import Illumination, read_function
from napari_cellclip.plates.images.processing import Processing
from napari_cellclip.screen.storage.files import folder_name, write_whole
from napari_cellclip.screen.storage.screen_json import IlluminationRecord, PlateRecord
from napari_cellclip.vocabulary import PlateError, ScreenError


def illumination_path(folder: Path, plate: str, stain: str) -> Path:
    """Name the file with the illumination function of a stain: a ``.npy``, as CellProfiler has them."""
    return folder / "illumination" / folder_name(plate) / f"{stain}.npy"


def write_processing(folder: Path, plate: Plate) -> IlluminationRecord | None:
    """Keep the illumination functions of a plate in a screen, and return what its record says of them."""
    illumination = plate.processing.illumination
    if illumination is None:
        return None
    for stain, function in illumination.functions.items():
        content = BytesIO()
        np.save(content, function, allow_pickle=False)
        write_whole(illumination_path(folder, plate.name, stain), content.getvalue())
    return IlluminationRecord(
        source=illumination.source, digest=illumination.digest, coarse=illumination.coarse
    )


def read_processing(folder: Path, name: str, record: PlateRecord) -> Processing:
    """Return how the images of a plate were made when it was encoded.

    Raises
    ------
    ScreenError
        If its illumination functions are lost or damaged.
    """
    if record.illumination is None:
        return Processing(record.projection)
    kept = record.illumination
    try:
        functions = {stain: read_function(illumination_path(folder, name, stain)) for stain in record.stains}
        illumination = Illumination(functions, kept.source, kept.coarse)
    except PlateError as error:
        raise ScreenError(f"the illumination functions of plate {name} are damaged: {error}") from error
    if illumination.digest != kept.digest:
        raise ScreenError(
            f"the illumination functions of plate {name} in {folder} are not those it was encoded with:"
            " encode it again into a new folder"
        )
    return Processing(record.projection, illumination)


def as_encoded(folder: Path, record: PlateRecord, plate: Plate) -> Plate:
    """Return a plate with its images made as when it was encoded: itself, if they are.

    Raises
    ------
    ScreenError
        If what is needed for that is lost or damaged.
    """
    if processing_key(record) == plate.processing.key:
        return plate
    return plate.with_processing(read_processing(folder, plate.name, record))


def processing_key(record: PlateRecord) -> str:
    """Compute what :attr:`Processing.key` was of a plate's images when it was encoded."""
    parts = [f"projection {record.projection}"] if record.projection != "max" else []
    if record.illumination is not None:
        parts.append(f"illumination {record.illumination.digest}")
    return ", ".join(parts)


def described(record: PlateRecord) -> str:
    """Say in words how the images of a plate were made; empty for the default."""
    parts = [f"{record.projection} projection"] if record.projection != "max" else []
    if record.illumination is not None:
        parts.append(f"illumination corrected ({record.illumination.source})")
    return ", ".join(parts)
