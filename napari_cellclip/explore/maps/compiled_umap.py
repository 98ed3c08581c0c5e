"""Import umap-learn so that its compiled functions are kept on disk between processes."""

from __future__ import annotations

import warnings
from functools import cache
from types import ModuleType

from napari_cellclip.explore.compiled import keep_compiled


@cache
def compiled_umap() -> ModuleType:
    """Import umap-learn, and let numba store what umap-learn compiles anew in every process.

    umap-learn marks some of its functions to be stored; the others, on which a first layout spends five
    seconds, are compiled by every process. Numba stores them beside the package, or in the user's cache
    folder where that cannot be written (``NUMBA_CACHE_DIR`` chooses another), and compiles them anew when
    umap-learn changes. Results are the same to the last bit.
    """
    with warnings.catch_warnings():
        # umap-learn looks for tensorflow, which only its parametric variant needs.
        warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
        import umap
        from umap import layouts, umap_  # also where an import that failed before left them behind
    for module in (layouts, umap_):
        for function in vars(module).values():
            keep_compiled(function)
    return umap
