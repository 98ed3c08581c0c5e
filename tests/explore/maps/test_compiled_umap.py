"""What umap-learn compiles is stored, and gives the same map."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from napari_cellclip.explore.maps.compiled_umap import compiled_umap, keep_compiled

LAYOUT = """
import sys
import numpy as np
from napari_cellclip.explore.maps.umap_projection import layout
unit = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
unit /= np.linalg.norm(unit, axis=1, keepdims=True)
sys.stdout.buffer.write(layout(unit, seed=3, n_neighbors=8, min_dist=0.1).tobytes())
"""


@pytest.mark.slow
def test_the_second_process_reads_what_the_first_compiled(tmp_path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    places, stored = [], []
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", LAYOUT], capture_output=True, check=True, env=environment)
        places.append(run.stdout)
        stored.append({file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb[ci]")})
    assert any("_optimize_layout_euclidean_single_epoch" in file.name for file in stored[0])
    assert stored[0] == stored[1]  # nothing was compiled again
    assert places[0] == places[1]
    assert len(places[0]) == 40 * 2 * 4


def test_an_import_that_was_broken_off_and_made_again_does(monkeypatch) -> None:
    """As where a warning of umap-learn was an error in one thread: its parts are there, the names are not."""
    umap = compiled_umap()
    monkeypatch.delattr(umap, "layouts")
    compiled_umap.cache_clear()
    assert compiled_umap() is umap


def test_only_compiled_functions_are_touched() -> None:
    keep_compiled(len)
    keep_compiled(None)


def test_without_a_folder_to_write_it_is_compiled_as_before(monkeypatch) -> None:
    from numba.core.dispatcher import Dispatcher

    umap = compiled_umap()

    def refuse(self) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(Dispatcher, "enable_caching", refuse)
    keep_compiled(umap.layouts.rdist)
    assert umap.layouts.rdist.py_func is not None
