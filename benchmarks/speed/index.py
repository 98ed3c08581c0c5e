"""Finding 100 wells among a million and among ten millions by an index, against a product in memory.

Vectors around some directions are coded block by block, as for a screen on disk, into files in a temporary
folder (15 GB for ten millions); only a million of them are also held in memory, for the product. What is
found is compared with the largest cosines in double precision, which are noted while vectors are made:
questions are random directions, as texts are, and wells. A verdict is asked of the index of a million, in a
process of its own, whose memory is watched: first with the calibration to be made, then with the one that is
kept.
``python -m benchmarks.speed.index [--quick]``
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from benchmarks.speed.figures import Figure, compare, peak_memory, script
from benchmarks.speed.questions import TOP, MemoryScreen, labels, memory_card, memory_screen
from napari_cellclip.explore import ask
from napari_cellclip.explore.vectors.well_index import WellIndex
from napari_cellclip.model.unit_vectors import unit_rows

BLOCK = 1 << 16
QUESTIONS = 20


class MadeScreen:
    """What an index needs of a screen, its embeddings made when they are asked for."""

    correction = None
    name = card_hash = "made"

    def __init__(self, path: Path, n: int, dim: int) -> None:
        self.tables = self
        (path / "screen.json").touch()
        self.path, self.wells, self.card = path, range(n), SimpleNamespace(embed_dim=dim)
        rng = np.random.default_rng(0)
        self.centres = rng.normal(size=(40, dim)).astype(np.float32)
        self.noise = 0.7 * rng.standard_normal((min(n, BLOCK), dim), dtype=np.float32)
        drawn = unit_rows(rng.normal(size=(QUESTIONS // 2, dim)))
        self.questions = np.concatenate([drawn, unit_rows(self.block(0)[: QUESTIONS // 2])])
        self.best = np.zeros((0, QUESTIONS))
        self.rows = np.zeros((0, QUESTIONS), np.intp)

    def embeddings_state(self) -> str:
        return "made"

    def block(self, start: int) -> np.ndarray:
        """Vectors from one on; the noise of a block serves all, in an order and with signs of its own."""
        rng = np.random.default_rng([1, start])
        m = min(BLOCK, len(self.wells) - start)
        signs = rng.choice(np.array([-1, 1], np.float32), len(self.centres[0]))
        return self.noise[rng.permutation(len(self.noise))[:m]] * signs + self.centres[rng.integers(0, 40, m)]

    def embeddings_by_plate(self) -> Iterator[np.ndarray]:
        """Yield vectors, and note the best for each question."""
        for start in range(0, len(self.wells), BLOCK):
            block = self.block(start)
            cosines = unit_rows(block).astype(float) @ self.questions.T.astype(float)
            rows = np.broadcast_to(np.arange(start, start + len(block))[:, None], cosines.shape)
            cosines, rows = np.concatenate([self.best, cosines]), np.concatenate([self.rows, rows])
            order = np.argsort(-cosines, axis=0)[:TOP]
            self.best, self.rows = (np.take_along_axis(x, order, axis=0) for x in (cosines, rows))
            yield block


def asking(n: int, dim: int, rounds: int, folder: Path) -> Figure:
    """Make an index and ask it."""
    screen: Any = MadeScreen(folder, n, dim)
    start = time.perf_counter()
    index = WellIndex.of(screen)
    made = time.perf_counter() - start
    found = [set(index.nearest(question, TOP)[0].tolist()) for question in screen.questions]
    recall = np.mean([len(a & set(b)) for a, b in zip(found, screen.rows.T.tolist(), strict=True)]) / TOP
    some = np.concatenate([screen.block(at) for at in range(0, min(n, 1_000_320), BLOCK)])
    text = screen.questions[0]
    peak = peak_memory()

    def product() -> np.ndarray:
        cosines = some @ text
        top = np.argpartition(cosines, len(cosines) - TOP)[-TOP:]
        return top[np.argsort(-cosines[top])]

    return compare(
        f"the {TOP} nearest of {n:,} wells x {dim} by an index: recall {recall:.4f} ({QUESTIONS} asked), "
        f"{index.coarse.nbytes / 1e9:.1f} + {index.fine.nbytes / 1e9:.1f} GB on disk, made in {made:.0f} s, "
        f"peak memory with mapped pages {peak:.1f} GB",
        lambda: index.nearest(text, TOP),
        product,
        against=f"product and top {TOP} of {len(some):,} wells in memory",
        rounds=rounds,
        limit=f"{index.coarse.nbytes / some.nbytes:.2g}: bytes read",
    )


class Tables:
    """Embeddings as `benchmarks.speed.questions` draws them, written to a file, read in blocks."""

    excluded: ClassVar[dict[str, str]] = {}

    def __init__(self, file: Path) -> None:
        self.file = file

    def embeddings_state(self) -> str:
        return "made"

    def embeddings_by_plate(self) -> Iterator[np.ndarray]:
        rows = np.load(self.file, mmap_mode="r")
        for start in range(0, len(rows), BLOCK):
            yield np.array(rows[start : start + BLOCK])


class StoredScreen(MemoryScreen):
    """A screen whose embeddings are in a file."""

    def __init__(self, n: int, dim: int, folder: Path) -> None:
        (folder / "screen.json").touch()
        super().__init__(np.zeros((0, dim)), labels(n), memory_card(dim), folder)
        self._tables = Tables(folder / "embeddings.npy")


def watched(n: int, dim: int, folder: Path) -> dict[str, Any]:
    """Ask for a verdict, and note the time and the memory of this process in MiB, mapped pages apart."""
    most, over = [0, 0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for line in Path("/proc/self/status").read_text().splitlines():
                for i, name in enumerate(("RssAnon:", "RssFile:")):
                    if line.startswith(name):
                        most[i] = max(most[i], int(line.split()[1]) // 1024)

    screen = StoredScreen(n, dim, folder)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    times = []
    for _ in range(4):
        start = time.perf_counter()
        answer = ask(screen, "what", prompts=["x"], top=TOP, index=True)
        times.append(time.perf_counter() - start)
    over.set()
    watcher.join()
    return {
        "times": times,
        "anonymous": most[0],
        "mapped": most[1],
        "verdict": answer.verdict,
        "wells": answer.scores.index.tolist(),
    }


def verdicts(n: int, dim: int, folder: Path) -> list[Figure]:
    """A verdict from the index against one from memory, each in a process of its own."""
    memory = memory_screen(n, dim)
    np.save(folder / "embeddings.npy", memory.embeddings)
    exact = ask(memory, "what", prompts=["x"], top=TOP)
    again = []
    for _ in range(3):
        start = time.perf_counter()
        ask(memory, "what", prompts=["x"], top=TOP)
        again.append(time.perf_counter() - start)
    del memory
    code = (
        "import json, sys; from pathlib import Path; from benchmarks.speed.index import watched;"
        f"json.dump(watched({n}, {dim}, Path({str(folder)!r})), sys.stdout)"
    )
    figures = []
    for what in ("index and calibration made", "index and calibration kept"):
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        found = json.loads(run.stdout)
        recall = len(set(found["wells"]) & set(exact.scores.index)) / TOP
        same = "equal" if found["verdict"] == exact.verdict else "DIFFERENT"
        name = (
            f"{n:,} wells x {dim}, from the index, {what}: recall {recall:.2f} of the {TOP} best scores, "
            f"verdict {same}, at most {found['anonymous']:,} MiB of memory and {found['mapped']:,} mapped"
        )
        figures += [
            Figure(f"first verdict of {name}", found["times"][:1], again[:1], "a verdict from memory, again"),
            Figure(f"verdict again of {name}", found["times"][1:], again, "a verdict from memory, again"),
        ]
    return figures


def measure(quick: bool) -> list[Figure]:
    """Ask among a million wells and among ten."""
    sizes, dim, rounds = ((2_000,), 32, 1) if quick else ((1_000_320, 10_000_320), 512, 7)
    figures = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            figures.append(asking(n, dim, rounds, Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        figures += verdicts(sizes[0], dim, Path(folder))
    return figures


if __name__ == "__main__":
    script(measure, __doc__)
