"""What has been encoded: the run from plate and model to disk, and the screen that opens without either."""

from napari_cellclip.screen.encode import encode, iter_encode
from napari_cellclip.screen.imports.profiles import import_profiles
from napari_cellclip.screen.imports.published_features import import_published_features
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.screen import Screen

__all__ = [
    "Progress",
    "Screen",
    "encode",
    "import_profiles",
    "import_published_features",
    "iter_encode",
]
