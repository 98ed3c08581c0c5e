"""What has been encoded: the run from plate and model to disk, and the screen that opens without either.

On top lies what users call: `screen` (open, look at, export; what it reads is in `screen_tables`, the model
it loads in `screen_model`), `encode` (a plate is begun and finished in `plate_run`), `derive` (wells from
stored features), `wells`, `correct` (batch effects), `check`, `repair` (damaged files), `export` (formats),
`progress` (what long work yields). Files on disk are in `storage/`, what other programs measured comes in by
`imports/`, tiles of one field are in `tiles/`, and `engines/` do the work of an encode.
"""

from napari_cellclip.screen.check import Finding, check_screen
from napari_cellclip.screen.encode import encode, iter_encode
from napari_cellclip.screen.imports.profiles import import_profiles
from napari_cellclip.screen.imports.published_features import import_published_features
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.repair import iter_repair
from napari_cellclip.screen.screen import Screen

__all__ = [
    "Finding",
    "Progress",
    "Screen",
    "check_screen",
    "encode",
    "import_profiles",
    "import_published_features",
    "iter_encode",
    "iter_repair",
]
