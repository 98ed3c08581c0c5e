"""Likeness in numbers: sphered profiles, agreement of replicates, and votes of references."""
