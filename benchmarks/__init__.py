"""Studies of accuracy and timings; not part of the package."""
