"""Ask Cell Painting plates in words: CellCLIP in napari, notebooks and the terminal.

The names below are loaded on first use, so that ``import napari_cellclip`` costs milliseconds and
brings in neither torch nor Qt nor napari.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer, ask, like
    from napari_cellclip.explore.describe import annotate_all, describe
    from napari_cellclip.model import load_model
    from napari_cellclip.plates import Plate, PlateMap, fetch_plate, open_plate, search_gallery
    from napari_cellclip.screen import Screen, import_profiles
    from napari_cellclip.screen.encode import encode, iter_encode
    from napari_cellclip.vocabulary import CellClipError, Perturbation, Stain

try:
    __version__ = version("napari-cellclip")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_SUBPACKAGE_OF = {
    "Answer": "explore",
    "annotate_all": "explore",
    "ask": "explore",
    "describe": "explore",
    "like": "explore",
    "load_model": "model",
    "Plate": "plates",
    "PlateMap": "plates",
    "fetch_plate": "plates",
    "open_plate": "plates",
    "search_gallery": "plates",
    "Screen": "screen",
    "encode": "screen",
    "import_profiles": "screen",
    "iter_encode": "screen",
    "CellClipError": "vocabulary",
    "Perturbation": "vocabulary",
    "Stain": "vocabulary",
}

__all__ = [
    "Answer",
    "CellClipError",
    "Perturbation",
    "Plate",
    "PlateMap",
    "Screen",
    "Stain",
    "__version__",
    "annotate_all",
    "ask",
    "describe",
    "encode",
    "fetch_plate",
    "import_profiles",
    "iter_encode",
    "like",
    "load_model",
    "open_plate",
    "search_gallery",
]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGE_OF:
        return getattr(import_module(f"{__name__}.{_SUBPACKAGE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
