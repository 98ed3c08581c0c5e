"""Questions asked of a screen: maps of its wells, and wells that answer a text."""

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.by_index import ask_index
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.explore.describe import Description, annotate_all, describe
from napari_cellclip.explore.explanation.field_attention import field_attention
from napari_cellclip.explore.explanation.match_heat_map import (
    FieldExplanation,
    MatchHeatMap,
    iter_explain_field,
)
from napari_cellclip.explore.explanation.stain_contributions import (
    StainContributions,
    iter_stain_contributions,
    stain_contributions,
)
from napari_cellclip.explore.explanation.tile_scores import ControlTile, TileScores, nearest_control_tiles
from napari_cellclip.explore.maps.cluster_names import NamedCluster, name_clusters
from napari_cellclip.explore.maps.label_placement import place_labels
from napari_cellclip.explore.maps.projection import Projection, pca_map
from napari_cellclip.explore.maps.umap_projection import umap_map
from napari_cellclip.explore.query import ask, like
from napari_cellclip.explore.references.building import build_references, recognisable_mechanisms
from napari_cellclip.explore.references.files import read_references, write_references
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from napari_cellclip.explore.vectors.well_index import WellIndex

__all__ = [
    "Answer",
    "ControlTile",
    "Description",
    "FieldExplanation",
    "MatchHeatMap",
    "NamedCluster",
    "Projection",
    "ReferenceSet",
    "ReferenceSource",
    "StainContributions",
    "TileScores",
    "Verdict",
    "WellIndex",
    "annotate_all",
    "ask",
    "ask_index",
    "build_references",
    "describe",
    "field_attention",
    "iter_explain_field",
    "iter_stain_contributions",
    "like",
    "name_clusters",
    "nearest_control_tiles",
    "pca_map",
    "place_labels",
    "read_references",
    "recognisable_mechanisms",
    "stain_contributions",
    "umap_map",
    "write_references",
]
