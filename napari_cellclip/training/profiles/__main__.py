"""Run the recipe: ``python -m napari_cellclip.training.profiles``."""

from napari_cellclip.training.profiles.build import main

main()
