"""``python -m napari_cellclip`` is ``napari-cellclip``; launchers of several processes start it so."""

from napari_cellclip.cli.program import app

if __name__ == "__main__":  # a process spawned by this one imports it again
    app(prog_name="napari-cellclip")
