"""What a fresh process takes until the first answer, the first map, the first import.

Each round starts processes of Python in turns: ours, and one that only imports what cannot be avoided
(torch for a question, umap-learn for a map, numpy for an import). Seconds are wall time of the whole
process, start of the interpreter included. What is compiled and kept on disk is compiled before the first
round.
``python -m benchmarks.speed.start [--quick]``
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.speed.figures import Figure, compare, script
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import encode
from napari_cellclip.simulation import simulate_plate

ASK = "from napari_cellclip.screen import Screen; from napari_cellclip.explore import ask; "
MAP = """
import numpy as np
unit = np.random.default_rng(0).normal(size=({wells}, 512)).astype(np.float32)
unit /= np.linalg.norm(unit, axis=1, keepdims=True)
"""


def process(code: str) -> None:
    """Run code in a fresh process."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, stdout=subprocess.DEVNULL)


def fresh(name: str, ours: str, partner: str, *, against: str, wanted: str, rounds: int) -> Figure:
    """Compare two programs, each in a process of its own."""
    return compare(
        name,
        lambda: process(ours),
        lambda: process(partner),
        against=against,
        wanted=wanted,
        rounds=rounds,
        warm_up=rounds > 1,
    )


def measure(quick: bool) -> list[Figure]:
    """Import, first question and first map."""
    rounds, wells = (1, 48) if quick else (5, 384)
    # What umap-learn compiles takes ten seconds, however small the map.
    uncompiled = "import os\nos.environ['NUMBA_DISABLE_JIT'] = '1'\n" if quick else ""
    epochs = 2 if quick else None
    with tempfile.TemporaryDirectory() as made:
        plate = simulate_plate(Path(made) / "plate", wells=6 if quick else 96, sites=1, size=(64, 64), seed=1)
        screen = Path(made) / "screen"
        encode(open_plate(plate), PlateMap.read(plate / "platemap.csv"), "demo", screen)
        unit = MAP.format(wells=wells)
        own_map = "from napari_cellclip.explore.maps.umap_projection import layout\n"
        return [
            fresh(
                "import napari_cellclip",
                "import napari_cellclip",
                "pass",
                against="an interpreter that imports nothing",
                wanted="< 150 ms",
                rounds=rounds,
            ),
            fresh(
                "first question of a fresh process",
                f"{ASK}ask(Screen.open({str(screen)!r}), 'tubulin inhibitor')",
                "import torch, pandas, pyarrow.parquet",
                against="importing torch, pandas and pyarrow",
                wanted="< 3 s",
                rounds=rounds,
            ),
            fresh(
                f"first map of a fresh process, {wells} wells",
                f"{own_map}{unit}layout(unit, seed=0, n_neighbors=15, min_dist=0.1)",
                f"{uncompiled}{unit}from umap import UMAP\n"
                f"UMAP(metric='cosine', random_state=0, n_jobs=1, n_epochs={epochs}).fit(unit)",
                against="umap-learn as shipped, in a fresh process too",
                wanted="< 5 s",
                rounds=rounds,
            ),
        ]


if __name__ == "__main__":
    script(measure, __doc__)
