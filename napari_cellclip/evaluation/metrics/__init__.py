"""Metrics: average precision, ranking, pairs, bootstrap intervals."""
