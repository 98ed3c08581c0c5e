"""The recipe of the bundled model of real profiles: ``python -m napari_cellclip.training.profiles``."""
