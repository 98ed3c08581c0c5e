"""Tiles of a field, encoded on demand for explanations."""
