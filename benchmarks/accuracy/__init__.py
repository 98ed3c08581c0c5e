"""Studies behind the figures of the documentation."""
