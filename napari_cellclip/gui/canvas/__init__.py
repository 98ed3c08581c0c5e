"""Layers on the napari canvas."""
