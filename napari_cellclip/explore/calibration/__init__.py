"""Calibrating scores: null distributions, p and q values, verdicts."""
