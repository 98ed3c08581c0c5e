"""Heads on measured profiles that are fitted in closed form, and fitted anew to the features a table has."""
