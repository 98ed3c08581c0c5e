"""Questions asked of a screen: maps of its wells, and wells that answer a text."""

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.describe import Description, annotate_all, describe
from napari_cellclip.explore.explanation.contributions import StainContributions
from napari_cellclip.explore.explanation.explain import (
    field_attention,
    iter_stain_contributions,
    stain_contributions,
)
from napari_cellclip.explore.explanation.heat import FieldExplanation, Heat, iter_explain_field
from napari_cellclip.explore.explanation.tile_scores import ControlTile, TileScores, nearest_control_tiles
from napari_cellclip.explore.maps.map_labels import NamedCluster, name_clusters, place_labels
from napari_cellclip.explore.maps.projection import Projection, pca_map
from napari_cellclip.explore.maps.umap_projection import umap_map
from napari_cellclip.explore.query import ask, like

__all__ = [
    "Answer",
    "ControlTile",
    "Description",
    "FieldExplanation",
    "Heat",
    "NamedCluster",
    "Projection",
    "StainContributions",
    "TileScores",
    "annotate_all",
    "ask",
    "describe",
    "field_attention",
    "iter_explain_field",
    "iter_stain_contributions",
    "like",
    "name_clusters",
    "nearest_control_tiles",
    "pca_map",
    "place_labels",
    "stain_contributions",
    "umap_map",
]
