"""Two time points of a plate are not mixed in one screen: the second is refused, or has a name of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, encode, iter_repair
from napari_cellclip.vocabulary import ScreenError
from tests.plates.hostile_plates import write_ome_zarr
from tests.tiny import load_tiny_model


def test_a_second_time_point_is_refused_or_named_otherwise(tmp_path: Path) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr", shape=(2, 5, 1, 40, 52))
    model, out = load_tiny_model(tmp_path / "model"), tmp_path / "screen"
    encode(open_plate(root), None, model, out)
    encode(open_plate(root, time=1), None, model, out)
    with pytest.raises(ScreenError, match="time point 1 of it was encoded, and this is time point 2"):
        encode(open_plate(root, time=2), None, model, out)
    both = encode(open_plate(root, time=2, name="P1 second"), None, model, out)
    assert sorted(both.plates) == ["P1", "P1 second"]
    assert [plate.time for plate in both.plates.values()] == [1, 2]


def test_repair_makes_the_same_time_point_again(tmp_path: Path) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr", shape=(2, 5, 1, 40, 52))
    out = tmp_path / "screen"
    before = encode(open_plate(root, time=2), None, load_tiny_model(tmp_path / "model"), out).embeddings
    next(out.glob("fields/*/P1/shard-*")).write_bytes(b"")
    list(iter_repair(out))
    np.testing.assert_array_equal(Screen.open(out).embeddings, before)
