"""napari: Explorer, Text query, readers and sample data. The only subpackage that imports napari and Qt."""
