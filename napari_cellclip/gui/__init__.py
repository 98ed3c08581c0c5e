"""napari: Explorer, Text query, readers and sample data. The only room that knows Qt."""
