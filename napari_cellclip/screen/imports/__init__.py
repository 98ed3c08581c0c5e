"""Importing measured profiles and published features as screens."""
