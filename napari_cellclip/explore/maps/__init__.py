"""Maps of wells (PCA, UMAP) and the names of their clusters."""
