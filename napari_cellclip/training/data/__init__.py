"""Bags, captions and splits to train on."""
