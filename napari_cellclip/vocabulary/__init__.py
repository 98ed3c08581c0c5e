"""The words everybody in this package uses: stains, ids, perturbations, mechanisms, errors."""

from napari_cellclip.vocabulary.errors import (
    CellClipError,
    ModelError,
    PlateError,
    PlateMapError,
    ScreenError,
    StainError,
)
from napari_cellclip.vocabulary.ids import (
    PLATE_SHAPES,
    normalise_well,
    parse_well,
    plate_shape,
    row_letters,
    site_id,
    split_id,
    well_id,
    well_name,
    wells_in,
)
from napari_cellclip.vocabulary.perturbations import Control, Kind, Perturbation, is_gene_symbol
from napari_cellclip.vocabulary.stains import STAINS, Stain, is_unstained

__all__ = [
    "PLATE_SHAPES",
    "STAINS",
    "CellClipError",
    "Control",
    "Kind",
    "ModelError",
    "Perturbation",
    "PlateError",
    "PlateMapError",
    "ScreenError",
    "Stain",
    "StainError",
    "is_gene_symbol",
    "is_unstained",
    "normalise_well",
    "parse_well",
    "plate_shape",
    "row_letters",
    "site_id",
    "split_id",
    "well_id",
    "well_name",
    "wells_in",
]
