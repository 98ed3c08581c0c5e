"""Protocols that score a model or its verdicts."""
