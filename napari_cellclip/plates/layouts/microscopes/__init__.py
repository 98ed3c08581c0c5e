"""Layouts that instruments and their software write."""
