"""Texts that are written like gene symbols."""

from __future__ import annotations

import pytest

from napari_cellclip.vocabulary import is_gene_symbol


@pytest.mark.parametrize("text", ["TP53", "HLA-A", "MT-CO1", "C9orf72", "TUBB4B"])
def test_genes(text):
    assert is_gene_symbol(text)


@pytest.mark.parametrize("text", ["taxol", "Nocodazole", "HDAC inhibitor", "A", "ABCDEFGHIJKLM", ""])
def test_not_genes(text):
    assert not is_gene_symbol(text)
