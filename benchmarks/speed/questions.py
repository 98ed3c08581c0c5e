"""Asking a screen: scores, verdict and the best wells against the plain product with its top 100.

The screen lies in memory, random unit vectors around some directions, so that a million wells need no
minutes of writing files; a sixteenth of its wells are negative controls, treatments have four replicates.
The question is of one prompt. The first question of a screen also pays for its calibration, which is kept
on disk; both, to compute it and to read it, are figures of their own.
``python -m benchmarks.speed.questions [--quick]``
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.speed.figures import Figure, compare, script
from napari_cellclip.explore import ask
from napari_cellclip.model import EncoderCard, FileCard, ModelCard
from napari_cellclip.screen import Screen
from napari_cellclip.screen.storage.screen_json import CardRecord, ScreenRecord

TOP = 100
BLOCK = 1 << 16
REST = 0.2
"""Seconds before each: nobody asks within 30 ms of a product of somebody else."""


def vectors(n: int, dim: int, clusters: int = 40) -> np.ndarray:
    """Vectors around some directions; the noise of a block of wells serves the other blocks, too."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(clusters, dim)).astype(np.float32)
    noise = 0.7 * rng.standard_normal((min(n, BLOCK), dim), dtype=np.float32)
    out = np.empty((n, dim), np.float32)
    for start in range(0, n, BLOCK):
        part = out[start : start + BLOCK]
        np.take(centres, rng.integers(0, clusters, len(part)), axis=0, out=part)
        part += noise[: len(part)]
    return out


@dataclass(eq=False)
class TextModel:
    """A model that embeds a text as a vector drawn by its letters."""

    card: ModelCard

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        draws = [np.random.default_rng(zlib.crc32(text.encode())) for text in texts]
        return np.stack([rng.normal(size=self.card.embed_dim) for rng in draws]).astype(np.float32)


class MemoryScreen(Screen):
    """A screen of embeddings in memory."""

    def __init__(self, embeddings: np.ndarray, wells: pd.DataFrame, card: ModelCard, path: Path) -> None:
        own = CardRecord(card=card.model_dump(mode="json"), origin="", encoder_hash=card.encoder_hash)
        record = ScreenRecord(version="0", card_hash=card.card_hash, cards={card.card_hash: own})
        super().__init__(path, record, wells)
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


def labels(n: int) -> pd.DataFrame:
    """Wells of plates of 384."""
    number = np.arange(n)
    control = number % 16 == 0
    plate_names = np.array([f"P{i}" for i in range(-(-n // 384))], object)
    treatments = np.array([f"t{i}" for i in range(-(-n // 4))], object)
    plates = plate_names[number // 384]
    return pd.DataFrame(
        {
            "Metadata_Plate": plates,
            "Metadata_control_type": np.where(control, "negcon", "").astype(object),
            "Metadata_treatment": np.where(control, "DMSO", treatments[number // 4]),
            "Metadata_cell_line": "U2OS",
        },
        index=pd.Index([f"{plate}/{i % 384}" for i, plate in enumerate(plates.tolist())], name="well_id"),
    )


def memory_card(dim: int) -> ModelCard:
    """Card of a model of such embeddings."""
    return ModelCard(
        name="memory",
        encoder=EncoderCard(kind="profile", name="none", dim=dim),
        embed_dim=dim,
        weights=FileCard(file="none"),
    )


def memory_screen(n: int, dim: int, path: Path = Path("memory")) -> MemoryScreen:
    """Embeddings in memory; what is made of them is kept in a folder, if there is one."""
    return MemoryScreen(vectors(n, dim), labels(n), memory_card(dim), path)


def asking(n: int, dim: int, rounds: int, folder: Path) -> list[Figure]:
    """First question of a screen, and the next ones."""
    (folder / "screen.json").touch()
    screen = memory_screen(n, dim, folder)
    embeddings = screen.embeddings
    text = screen.model.embed_texts(["x"])[0]

    def product() -> np.ndarray:
        cosines = embeddings @ text
        top = np.argpartition(cosines, len(cosines) - TOP)[-TOP:]
        return top[np.argsort(-cosines[top])]

    def again() -> object:
        answer = ask(screen, "what", prompts=["x"], top=TOP)
        return answer.verdict, answer.scores

    def tables() -> object:
        return ask(screen, "what", prompts=["x"])

    def first() -> object:
        return ask(screen, "what", prompts=["x"], top=TOP)

    def opened() -> object:
        return ask(
            MemoryScreen(embeddings, screen.wells, screen.card, folder), "what", prompts=["x"], top=TOP
        )

    rate = embeddings.nbytes / 1e9
    against = f"product and top {TOP} ({rate:.2f} GB read once)"
    unasked = compare(
        f"first question of a screen, with its calibration, {n:,} wells x {dim}",
        first,
        product,
        against=against,
        rounds=1,
        warm_up=False,
    )
    (kept,) = folder.rglob("*.safetensors")
    return [
        unasked,
        compare(
            f"first question of a screen, calibration kept on disk ({kept.stat().st_size / 1e6:.0f} MB), "
            f"{n:,} wells x {dim}",
            opened,
            product,
            against=against,
            rounds=min(rounds, 3),
        ),
        compare(
            f"ask again, verdict and {TOP} best, {n:,} wells x {dim}",
            again,
            product,
            against=against,
            rounds=rounds,
            rest=REST,
            wanted="< 10 ms" if n <= 384 else "<= 1.3",
            limit="1: memory bandwidth, every embedding is read once",
        ),
        compare(
            f"ask again, all wells and treatments in the tables, {n:,} wells x {dim}",
            tables,
            product,
            against=against,
            rounds=min(rounds, 3),
            rest=REST,
        ),
    ]


def measure(quick: bool) -> list[Figure]:
    """Ask screens of a plate, of 261 plates and of 2,605."""
    sizes = (384, 2_000) if quick else (384, 100_224, 1_000_320)
    dim, rounds = (32, 1) if quick else (512, 9)
    figures = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            figures += asking(n, dim, rounds, Path(folder))
    return figures


if __name__ == "__main__":
    script(measure, __doc__)
