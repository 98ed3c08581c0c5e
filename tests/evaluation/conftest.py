"""Embeddings with a known truth, as a table anybody could hand in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable, read_embeddings

WIDTH = 24
GENES = tuple(f"G{letter}" for letter in "ABCDEF")


def toy_plates(*, noise: float = 0.4, seed: int = 0, plates: int = 3, controls: int = 12) -> pd.DataFrame:
    """Compounds c0…c11 and two guides a gene, on plates that differ by a shift.

    Each gene has a direction; compounds c(i) and c(i+6) act on gene i, the second in the opposite way, and
    guides of a gene share its direction.
    """
    rng = np.random.default_rng(seed)
    direction = {gene: rng.normal(size=WIDTH) for gene in GENES}
    rows, vectors = [], []
    for p in range(plates):
        shift = rng.normal(size=WIDTH)
        wells = [("DMSO", "control", "", "negcon", "")] * controls
        for i in range(12):
            wells.append((f"c{i}", "compound", GENES[i % 6], "", f"mechanism {i % 6}"))
        for gene in GENES:
            wells += [(f"{gene}_guide_{k}", "crispr", gene, "", "") for k in (1, 2)]
        for number, (name, kind, gene, control, mechanism) in enumerate(wells):
            signal = direction.get(gene, np.zeros(WIDTH))
            if kind == "compound":
                sign = 1 if int(name[1:]) < 6 else -1
                own = np.random.default_rng([9, int(name[1:])]).normal(size=WIDTH)
                signal = sign * signal + 0.5 * own
            rows.append(
                {
                    "Metadata_Plate": f"P{p}",
                    "Metadata_Well": f"{'ABCDEFGH'[number // 12]}{number % 12 + 1:02d}",
                    "Metadata_treatment": name,
                    "Metadata_kind": kind,
                    "Metadata_genes": gene,
                    "Metadata_control_type": control,
                    "Metadata_mechanism": mechanism,
                    "Metadata_dose": 1.0 if kind == "compound" else None,
                }
            )
            vectors.append(signal + 0.3 * shift + noise * rng.normal(size=WIDTH))
    features = pd.DataFrame(np.stack(vectors), columns=[f"feature_{i}" for i in range(WIDTH)])
    return pd.concat([pd.DataFrame(rows), features], axis=1)


@pytest.fixture
def plates_frame() -> pd.DataFrame:
    return toy_plates()


@pytest.fixture
def as_table(tmp_path: Path) -> Callable[[pd.DataFrame], EmbeddingTable]:
    """Write a frame and read it as the programs do."""

    def read(frame: pd.DataFrame) -> EmbeddingTable:
        path = tmp_path / "embeddings.parquet"
        frame.to_parquet(path)
        return read_embeddings(path)

    return read


@pytest.fixture
def table(as_table: Callable[[pd.DataFrame], EmbeddingTable], plates_frame: pd.DataFrame) -> EmbeddingTable:
    return as_table(plates_frame)
