"""The Cell Painting Gallery: its folders, its tables, searching it and fetching from it."""
