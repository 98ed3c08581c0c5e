"""Pixels and labels in: plates with their wells, sites and stains, and plate maps."""

from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.opening import detect_layout, open_plate
from napari_cellclip.plates.plate import Plate, Well
from napari_cellclip.plates.platemaps.finding import find_platemap
from napari_cellclip.plates.platemaps.platemap import PlateMap
from napari_cellclip.plates.site import Site
from napari_cellclip.plates.stain_mapping import StainMapping

__all__ = [
    "Plate",
    "PlateMap",
    "Problem",
    "Site",
    "StainMapping",
    "Well",
    "detect_layout",
    "find_platemap",
    "open_plate",
]
