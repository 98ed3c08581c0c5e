"""Maps and queries against the obvious other ways, in one run.

- UMAP from exact neighbours against umap-learn's own (approximate above 4096 points).
- ``ask`` on a million wells against normalising all embeddings each time and against pandas' groupby.

``python -m benchmarks.speed.explore_maps_and_queries [--wells 5000] [--million 1000000]``
"""

from __future__ import annotations

import argparse
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_cellclip.explore import ask
from napari_cellclip.explore.maps.neighbours import nearest
from napari_cellclip.explore.maps.projection import principal_plane
from napari_cellclip.explore.maps.umap_projection import layout
from napari_cellclip.explore.unit_vectors import unit_rows
from napari_cellclip.model import EncoderCard, FileCard, ModelCard
from napari_cellclip.screen import Screen
from napari_cellclip.screen.storage.screen_json import CardRecord, ScreenRecord


def timed(work: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Best time of some runs, and the last result."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return float(best), result


def vectors(n: int, dim: int, clusters: int = 40) -> np.ndarray:
    """Unit vectors around some directions."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(clusters, dim)).astype(np.float32)
    out = centres[rng.integers(0, clusters, n)]
    out += 0.7 * rng.standard_normal(out.shape, dtype=np.float32)
    return out


@dataclass(eq=False)
class TextModel:
    """A model that embeds a text as a vector drawn by its letters."""

    card: ModelCard

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        draws = [np.random.default_rng(zlib.crc32(text.encode())) for text in texts]
        return np.stack([rng.normal(size=self.card.embed_dim) for rng in draws]).astype(np.float32)


class MemoryScreen(Screen):
    """A screen of embeddings in memory: a million wells need no minutes of writing files first."""

    def __init__(self, embeddings: np.ndarray, wells: pd.DataFrame, card: ModelCard) -> None:
        own = CardRecord(card=card.model_dump(mode="json"), origin="", encoder_hash=card.encoder_hash)
        record = ScreenRecord(version="0", card_hash=card.card_hash, cards={card.card_hash: own})
        super().__init__(Path("memory"), record, wells)
        self._table, self._rows, self._texts = wells, embeddings, TextModel(card)

    @property
    def wells(self) -> pd.DataFrame:
        return self._table

    @property
    def embeddings(self) -> np.ndarray:
        return self._rows

    @property
    def model(self) -> TextModel:
        return self._texts


def maps(n: int, dim: int) -> None:
    unit = unit_rows(vectors(n, dim))
    layout(unit[:64], seed=0, n_neighbors=10, min_dist=0.1)  # compile

    def plain() -> Any:
        from umap import UMAP

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return UMAP(metric="cosine", random_state=0, n_jobs=1).fit(unit)

    timed(lambda: plain())  # compiles the approximate search too
    exact_time, _ = timed(lambda: layout(unit, seed=0, n_neighbors=15, min_dist=0.1))
    plain_time, fitted = timed(plain)
    neighbour_time, (indices, _) = timed(lambda: nearest(unit, unit, 15, same=True))
    graph = fitted.graph_.tolil()
    recall = np.mean([len(set(indices[i]) & set(graph.rows[i])) / 14 for i in range(0, n, max(1, n // 500))])
    pca_time, _ = timed(lambda: principal_plane(unit), 3)
    print(f"maps of {n} wells x {dim}")
    print(f"  principal components                       {pca_time * 1000:9.0f} ms")
    print(f"  exact 15 neighbours                        {neighbour_time:9.2f} s")
    print(f"  UMAP, exact neighbours, PCA start          {exact_time:9.2f} s")
    print(f"  UMAP, umap-learn's own neighbours          {plain_time:9.2f} s")
    print(f"  ratio of the two                           {exact_time / plain_time:9.2f}")
    print(f"  exact neighbours found in its graph        {recall:9.1%}")


def queries(n: int, dim: int) -> None:
    embeddings = vectors(n, dim)
    norms = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings))
    control = np.where(np.arange(n) % 12 == 0, "negcon", "")
    plates = np.repeat([f"P{i}" for i in range(-(-n // 384))], 384)[:n]
    index = pd.Index([f"{p}/{i % 384}" for i, p in enumerate(plates)], name="well_id")
    wells = pd.DataFrame(
        {
            "Metadata_Plate": plates,
            "Metadata_control_type": control,
            "Metadata_treatment": "t",
            "Metadata_cell_line": "U2OS",
        },
        index=index,
    )
    card = ModelCard(
        name="memory",
        encoder=EncoderCard(kind="profile", name="none", dim=dim),
        embed_dim=dim,
        weights=FileCard(file="none"),
    )
    screen = MemoryScreen(embeddings, wells, card)
    text = screen.model.embed_texts(["x"])[0]
    unit_text = text / np.linalg.norm(text)

    def product() -> Any:
        return (embeddings @ unit_text) / norms

    def normalising() -> Any:
        return unit_rows(embeddings) @ unit_text

    def grouped() -> Any:
        table = wells.assign(cosine=product())
        controls = table[table["Metadata_control_type"] == "negcon"].groupby("Metadata_Plate")["cosine"]
        median = controls.median()
        spread = controls.agg(lambda v: np.median(np.abs(v - np.median(v)))) * 1.4826
        plate = table["Metadata_Plate"]
        return (table["cosine"] - plate.map(median)) / plate.map(spread)

    ours, answer = timed(lambda: ask(screen, "what", prompts=["x"]), 3)
    found = answer.scores.reindex(index)
    np.testing.assert_allclose(found["cosine"], product(), atol=1e-5)
    # The spread of each plate is moderated by that of the others: a factor a plate apart from plain robust z.
    factor = (found["score"] / grouped()).groupby(plates)
    np.testing.assert_allclose(factor.max(), factor.min(), rtol=1e-2)
    product_time, _ = timed(product, 3)
    normalising_time, _ = timed(normalising)
    grouped_time, _ = timed(grouped)
    print(f"queries over {n} wells x {dim}, {len(set(plates))} plates")
    print(f"  ask (cosine, robust z, ranked table)       {ours * 1000:9.0f} ms")
    print(f"  of it the product                          {product_time * 1000:9.0f} ms")
    print(f"  normalising all embeddings each time       {normalising_time * 1000:9.0f} ms")
    print(f"  product and pandas groupby, unranked       {grouped_time * 1000:9.0f} ms")
    print(f"  ratio ask / that                           {ours / grouped_time:9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, default=5000)
    parser.add_argument("--million", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    given = parser.parse_args()
    queries(384, given.dim)
    queries(given.million, given.dim)
    maps(384, given.dim)
    maps(given.wells, given.dim)


if __name__ == "__main__":
    main()
