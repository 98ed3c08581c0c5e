"""Pixels and labels in: plates with their wells, sites and stains, and plate maps."""

from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.opening import detect_layout, open_plate
from napari_cellclip.plates.plate import Plate
from napari_cellclip.plates.platemaps.finding import find_platemap
from napari_cellclip.plates.platemaps.platemap import PlateMap
from napari_cellclip.plates.remote.fetching import FetchProgress, fetch_plate, iter_fetch_plate
from napari_cellclip.plates.remote.gallery.search import (
    Found,
    SearchProgress,
    iter_search_gallery,
    search_gallery,
)
from napari_cellclip.plates.remote.stores.addresses import remote_address
from napari_cellclip.plates.site import Site
from napari_cellclip.plates.stain_mapping import StainMapping
from napari_cellclip.plates.well import Well

__all__ = [
    "FetchProgress",
    "Found",
    "Plate",
    "PlateMap",
    "Problem",
    "SearchProgress",
    "Site",
    "StainMapping",
    "Well",
    "detect_layout",
    "fetch_plate",
    "find_platemap",
    "iter_fetch_plate",
    "iter_search_gallery",
    "open_plate",
    "remote_address",
    "search_gallery",
]
