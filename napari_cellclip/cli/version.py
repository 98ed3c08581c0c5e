"""``napari-cellclip version``."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> None:
    """Print the versions for a bug report.

    Example: napari-cellclip version
    """
    from napari_cellclip import __version__

    print(f"napari-cellclip {__version__}")
    print(f"python {platform.python_version()} on {sys.platform}")
    for name in ("napari", "torch", "transformers", "zarr", "numpy"):
        try:
            print(f"{name} {installed(name)}")
        except PackageNotFoundError:
            print(f"{name} not installed")
