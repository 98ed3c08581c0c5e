"""Screens and models in memory, with embeddings that are known."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import ScreenError
from tests.explore.cards import memory_card


class KnownTexts:
    """Embeds texts as given vectors, all others as vectors drawn by their letters; counts its calls."""

    def __init__(self, vectors: dict[str, list[float]], dim: int = 2, **settings):
        self.vectors, self.asked = vectors, 0
        self.dim = len(next(iter(vectors.values()))) if vectors else dim
        self.card = memory_card(embed_dim=self.dim, **settings)

    def embed_texts(self, texts):
        self.asked += 1
        return np.array([self.vectors.get(t, self.other(t)) for t in texts], np.float32)

    def other(self, text):
        return np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dim)


class MemoryScreen:
    """What explore needs of a screen: wells, embeddings, card and model."""

    def __init__(
        self,
        embeddings,
        controls=(),
        plates=None,
        path: Path | None = None,
        texts=None,
        cell_line="A549",
        model=None,
        **settings,
    ):
        self.embeddings = np.asarray(embeddings, np.float32)
        n = len(self.embeddings)
        plates = plates or ["P"] * n
        ids = [f"{plate}/{chr(65 + i // 24)}{i % 24 + 1:02d}" for i, plate in enumerate(plates)]
        self.name, self.path = "memory", path
        self.wells = pd.DataFrame(
            {
                "Metadata_Plate": plates,
                "Metadata_treatment": [f"t{i}" for i in range(n)],
                "Metadata_mechanism": [f"m{i % 3}" for i in range(n)],
                "Metadata_kind": "compound",
                "Metadata_smiles": "",
                "Metadata_genes": "",
                "Metadata_dose": np.nan,
                "Metadata_cell_line": cell_line,
                "Metadata_control_type": ["negcon" if i in controls else "" for i in range(n)],
            },
            index=pd.Index(ids, name="well_id"),
        )
        self.model = model or KnownTexts(texts or {}, self.embeddings.shape[1], **settings)

    @property
    def card(self):
        return self.model.card

    @property
    def card_hash(self):
        return self.card.card_hash

    excluded: ClassVar[dict[str, str]] = {}
    cell_lines = property(Screen.cell_lines.func)
    correction = None
    has_head = True
    """Texts are embedded by the model."""

    def require_head(self):
        """Nothing to refuse."""

    @property
    def fields(self):
        """No site has features: there is nothing to compare with reference treatments."""
        return pd.DataFrame({"Metadata_Well_id": [], "Metadata_Plate": []})

    @property
    def well_ids(self):
        return tuple(self.wells.index)

    @property
    def norms(self):
        return np.linalg.norm(self.embeddings, axis=1)

    @property
    def plate_codes(self):
        codes, names = pd.factorize(self.wells["Metadata_Plate"])
        return codes, tuple(names)

    @property
    def negative_controls(self):
        return (self.wells["Metadata_control_type"] == "negcon").to_numpy()

    def require_model(self, model):
        if model is not self.model:
            raise ScreenError("another model")
