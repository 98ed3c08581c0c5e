"""The recipe of the bundled demo model."""
