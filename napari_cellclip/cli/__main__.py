"""``python -m napari_cellclip.cli`` is the same program as ``napari-cellclip``."""

from napari_cellclip.cli.program import app

app(prog_name="napari-cellclip")
