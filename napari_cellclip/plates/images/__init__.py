"""Reading planes of pixels from TIFF, zarr and npz files."""
