"""Questions asked of a screen: maps of its wells, and wells that answer a text."""

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.projection import Projection, pca_map
from napari_cellclip.explore.query import ask
from napari_cellclip.explore.umap_projection import umap_map

__all__ = ["Answer", "Projection", "ask", "pca_map", "umap_map"]
