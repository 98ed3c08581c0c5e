"""Recognise files of microscopes that are not read here, and say what to do with them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from napari_cellclip.plates.layouts.files import first_files

LOOKED_AT = 2000
"""Entries of a folder that are looked at."""

_FORMATS = {
    ".czi": "Zeiss",
    ".zvi": "Zeiss",
    ".lsm": "Zeiss",
    ".nd2": "Nikon",
    ".lif": "Leica",
    ".lof": "Leica",
    ".flex": "Opera",
    ".c01": "Cellomics",
    ".dib": "Cellomics",
    ".vsi": "Olympus",
    ".oir": "Olympus",
    ".oib": "Olympus",
    ".oif": "Olympus",
    ".ims": "Imaris",
    ".mvd2": "Volocity",
    ".stk": "MetaMorph",
    ".frm": "IN Cell 3000",
    ".dv": "DeltaVision",
    ".bmp": "bitmap",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".jxl": "JPEG XL",
}


def foreign_format(path: Path) -> str:
    """Name the files at a path that need another program first, as a sentence; empty if there are none."""
    names = [path.name] if path.is_file() else first_files(path, LOOKED_AT)[0]
    found = [name for name in names if Path(name).suffix.lower() in _FORMATS]
    if not found:
        return ""
    suffix = Counter(Path(name).suffix.lower() for name in found).most_common(1)[0][0]
    first = next(name for name in found if Path(name).suffix.lower() == suffix).rpartition("/")[2]
    return (
        f"{path} holds {_FORMATS[suffix]} files ({first}), which are not read: export the plate as TIFF, one "
        "file for each channel, with the microscope's program, or convert it to an OME-Zarr plate with "
        "bioformats2raw or NGFF-Converter"
    )
