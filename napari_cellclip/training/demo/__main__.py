"""Run the recipe: ``python -m napari_cellclip.training.demo``."""

from napari_cellclip.training.demo.build import main

main()
