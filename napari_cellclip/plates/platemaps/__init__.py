"""Plate maps: what was done to each well, read from tables."""
