"""Questions asked of a screen: maps of its wells, and wells that answer a text."""

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.contributions import StainContributions
from napari_cellclip.explore.explain import field_attention, iter_stain_contributions, stain_contributions
from napari_cellclip.explore.heat import FieldExplanation, Heat, iter_explain_field
from napari_cellclip.explore.projection import Projection, pca_map
from napari_cellclip.explore.query import ask, like
from napari_cellclip.explore.tile_scores import ControlTile, TileScores, nearest_control_tiles
from napari_cellclip.explore.umap_projection import umap_map

__all__ = [
    "Answer",
    "ControlTile",
    "FieldExplanation",
    "Heat",
    "Projection",
    "StainContributions",
    "TileScores",
    "ask",
    "field_attention",
    "iter_explain_field",
    "iter_stain_contributions",
    "like",
    "nearest_control_tiles",
    "pca_map",
    "stain_contributions",
    "umap_map",
]
