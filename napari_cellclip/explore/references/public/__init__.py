"""Public reference sets: where their tables are, fetched, checked and installed."""
