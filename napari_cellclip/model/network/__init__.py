"""The CellCLIP network: towers, attention pooling, heads, tokenizers."""
