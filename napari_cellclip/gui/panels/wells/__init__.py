"""Views of wells: plate, map and table of hits."""
