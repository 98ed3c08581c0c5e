"""Explaining a score: stain contributions, match heat maps, tiles."""
