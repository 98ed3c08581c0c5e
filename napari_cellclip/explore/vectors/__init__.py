"""Embeddings of wells as a question reads them: from memory, or from files mapped into it."""
