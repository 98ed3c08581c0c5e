"""Likeness in numbers: sphered profiles, votes, and scores for a set of references."""
