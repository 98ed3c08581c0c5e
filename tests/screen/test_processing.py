"""Images made in another way than by default: kept with the screen, and never mixed up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cellclip.plates.images.illumination import Illumination
from napari_cellclip.plates.images.processing import Processing
from napari_cellclip.screen import Screen, encode
from napari_cellclip.screen.storage.processing import as_encoded, illumination_path
from napari_cellclip.vocabulary import STAINS, ScreenError
from tests.screen.conftest import FakeModel, MemoryPlate, card


def shade(value: float = 2.0) -> Illumination:
    functions = {stain: np.full((20, 24), value, np.float32) for stain in STAINS}
    return Illumination(functions, "test functions")


def test_corrected_pixels_are_what_is_encoded(tmp_path):
    """A field divided by two everywhere has half the mean that the encoder sees."""
    raw, halved = FakeModel(card()), FakeModel(card())
    encode(MemoryPlate(), None, raw, tmp_path / "raw", workers=0)
    encode(MemoryPlate().with_illumination(shade()), None, halved, tmp_path / "halved", workers=0)
    assert [round(2 * mean) for mean in halved.encoded] == pytest.approx(
        [round(mean) for mean in raw.encoded], abs=1
    )


def test_the_screen_keeps_how_its_images_were_made(tmp_path):
    plate = MemoryPlate().with_processing(Processing("mean", shade()))
    encode(plate, None, FakeModel(card()), tmp_path / "s", workers=0)
    record = Screen.open(tmp_path / "s").plates["P1"]
    assert record.projection == "mean"
    assert record.illumination is not None
    assert record.illumination.source == "test functions"
    again = as_encoded(tmp_path / "s", record, MemoryPlate())
    assert again.processing.key == plate.processing.key
    np.testing.assert_array_equal(again.sites[0].read(), plate.sites[0].read())
    same = encode(plate, None, FakeModel(card()), tmp_path / "s", workers=0)
    assert same.complete


@pytest.mark.parametrize("now", [Processing(), Processing("mean"), Processing("max", shade(3.0))])
def test_a_run_does_not_go_on_with_other_pixels(tmp_path, now):
    before = Processing("max", shade())
    encode(MemoryPlate().with_processing(before), None, FakeModel(card()), tmp_path / "s", workers=0)
    with pytest.raises(ScreenError, match="its images are made in another way than before"):
        encode(MemoryPlate().with_processing(now), None, FakeModel(card()), tmp_path / "s", workers=0)


def test_corrected_and_uncorrected_plates_do_not_share_a_screen(tmp_path):
    encode(MemoryPlate(), None, FakeModel(card()), tmp_path / "s", workers=0)
    other = MemoryPlate(name="P2").with_illumination(shade())
    with pytest.raises(ScreenError, match="of plate P2 is corrected and that of plate P1 is not"):
        encode(other, None, FakeModel(card()), tmp_path / "s", workers=0)


def test_other_functions_in_the_folder_are_not_used(tmp_path):
    plate = MemoryPlate().with_illumination(shade())
    encode(plate, None, FakeModel(card()), tmp_path / "s", workers=0)
    record = Screen.open(tmp_path / "s").plates["P1"]
    np.save(illumination_path(tmp_path / "s", "P1", "ER"), np.full((20, 24), 5, np.float32))
    with pytest.raises(ScreenError, match="are not those it was encoded with"):
        as_encoded(tmp_path / "s", record, MemoryPlate())
    illumination_path(tmp_path / "s", "P1", "ER").unlink()
    with pytest.raises(ScreenError, match="are damaged"):
        as_encoded(tmp_path / "s", record, MemoryPlate())


def test_a_record_without_the_fields_reads_as_before(tmp_path):
    """Screens of earlier versions had maximum projections, uncorrected."""
    encode(MemoryPlate(), None, FakeModel(card()), tmp_path / "s", workers=0)
    record = Screen.open(tmp_path / "s").plates["P1"]
    old = type(record).model_validate(record.model_dump(exclude={"projection", "illumination"}))
    assert old == record


def test_keys_name_what_differs():
    assert Processing().key == ""
    assert Processing("focus").key == "projection focus"
    assert replace(Processing("focus"), illumination=shade()).key.startswith(
        "projection focus, illumination "
    )
