"""The verbs of the program without a screen: ``napari-cellclip VERB --help`` explains each."""

from napari_cellclip.cli.program import app

__all__ = ["app"]
