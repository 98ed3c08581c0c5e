"""A plate is encoded in one number format, chosen once and recorded."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellclip.model.encoders import precision
from napari_cellclip.screen import Screen, encode, iter_encode
from napari_cellclip.screen.progress import finished
from napari_cellclip.screen.tiles.tiles import iter_field_tiles
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import tiny_model

EXACT = {"rtol": 1e-3, "atol": 1e-4}


@pytest.fixture
def bfloat16_gains(monkeypatch):
    """Let bfloat16 seem twice as fast, and the tiny encoder large enough to be probed."""
    monkeypatch.setattr(precision, "MIN_PARAMETERS", 1)
    monkeypatch.setattr(precision, "MIN_COSINE", 0.9)
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: True)
    monkeypatch.setattr(
        precision, "timed", lambda network, crops: 1 if type(network) is precision._Bfloat16 else 2
    )


def test_float32_where_nothing_is_gained(tmp_path, make_plate) -> None:
    screen = encode(make_plate(), None, tiny_model(), tmp_path / "s")
    assert screen.plates["P1"].precision == "float32"


def test_the_measured_choice_is_told_recorded_and_kept(tmp_path, make_plate, bfloat16_gains) -> None:
    plate, model = make_plate(), tiny_model()
    said = [step.message for step in iter_encode(plate, None, model, tmp_path / "s")]
    assert sum(message.startswith("computing in bfloat16: bfloat16 is 2.00 times") for message in said) == 1
    screen = Screen.open(tmp_path / "s")
    assert screen.plates["P1"].precision == "bfloat16"
    stored = screen.features([plate.sites[0].id])[0]
    fields = [plate.sites[0].read()]
    stats = screen.plates["P1"].intensity_stats()
    half, full = (model.fields_features(fields, stats, p)[0] for p in ("bfloat16", "float32"))
    np.testing.assert_allclose(stored, half.astype(np.float16), **EXACT)
    assert np.abs(half - full).max() > 0  # it did make a difference

    other = make_plate("P2")
    assert not any("times as fast" in s.message for s in iter_encode(other, None, model, tmp_path / "s"))
    assert Screen.open(tmp_path / "s").plates["P2"].precision == "bfloat16"


def test_tiles_are_computed_as_their_field_was(tmp_path, make_plate, bfloat16_gains) -> None:
    plate, model = make_plate(), tiny_model()
    screen = encode(plate, None, model, tmp_path / "s")
    site = plate.sites[0].id
    found = finished(iter_field_tiles(screen, plate, site, model))
    np.testing.assert_allclose(found.features.mean(axis=0), screen.features([site])[0], **EXACT)


def test_a_run_is_not_continued_in_another_format(tmp_path, make_plate) -> None:
    plate, model = make_plate(), tiny_model()
    encode(plate, None, model, tmp_path / "s", precision="float32")
    encode(plate, None, model, tmp_path / "s", precision="float32")
    with pytest.raises(ScreenError, match="was begun in float32, not bfloat16"):
        encode(plate, None, model, tmp_path / "s", precision="bfloat16")


def test_the_format_can_be_demanded(tmp_path, make_plate) -> None:
    screen = encode(make_plate(), None, tiny_model(), tmp_path / "s", precision="bfloat16")
    assert screen.plates["P1"].precision == "bfloat16"


def test_fields_that_cannot_be_read_are_passed_over(tmp_path, make_plate, bfloat16_gains) -> None:
    plate = make_plate()
    screen = encode(make_plate(broken=[plate.sites[0].id]), None, tiny_model(), tmp_path / "s")
    assert screen.plates["P1"].precision == "bfloat16"
    assert len(screen.failures) == 1
