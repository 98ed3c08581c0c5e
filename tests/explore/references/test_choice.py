"""Which evidence answers: a model of simulated cells says nothing about real ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from napari_cellclip import ask
from napari_cellclip.model.card import UNTRAINED
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError
from tests.tiny import encode_tiny_screen, load_tiny_model, write_tiny_plate


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("choice")
    model = load_tiny_model(folder / "tiny", simulated=True)
    return encode_tiny_screen(write_tiny_plate(folder / "plate", wells=96, sites=1), model, folder / "screen")


@pytest.fixture
def real(simulated: Screen, tmp_path: Path) -> Screen:
    """The same wells, of a plate that no simulation left its mark on."""
    plate = Path(next(iter(simulated.plates.values())).path)
    marker = next(at for at in (plate, plate.parent) if (at / "simulated.json").is_file()) / "simulated.json"
    kept = shutil.move(marker, tmp_path / "simulated.json")
    yield Screen.open(simulated.path)
    shutil.move(kept, marker)


def test_simulated_cells_are_asked_in_words(simulated: Screen) -> None:
    assert simulated.simulated is True
    answer = ask(simulated, "tubulin polymerisation inhibitor")
    assert answer.evidence == "words"
    assert "trained on simulated cells" in answer.evidence_reason


def test_real_cells_are_compared_with_references_instead(real: Screen) -> None:
    assert real.simulated is False
    answer = ask(real, "tubulin polymerisation inhibitor")
    assert answer.evidence == "look-alikes"
    assert "says nothing about real ones" in answer.evidence_reason


def test_without_references_nothing_is_said_about_real_cells(real: Screen) -> None:
    with pytest.raises(CellClipError, match=r"says nothing about real ones, and no reference treatment"):
        ask(real, "beta-lactamase inhibitor")
    with pytest.raises(CellClipError, match="says nothing about real ones, and"):
        ask(real, "tubulin polymerisation inhibitor", use_platemap=False)


def test_it_can_be_asked_in_words_all_the_same(real: Screen) -> None:
    assert ask(real, "tubulin polymerisation inhibitor", evidence="words").evidence_reason == "Asked for."


def test_a_head_that_has_learnt_nothing_is_not_asked_in_words(tmp_path: Path) -> None:
    """It was: every question that no reference carried got the same ranking, whatever it said."""
    model = load_tiny_model(tmp_path / "tiny", simulated=False, trained_on=UNTRAINED)
    screen = encode_tiny_screen(
        write_tiny_plate(tmp_path / "plate", wells=96, sites=1), model, tmp_path / "s"
    )
    answer = ask(screen, "tubulin polymerisation inhibitor")
    assert answer.evidence == "look-alikes"
    assert "has learnt nothing" in answer.evidence_reason
    with pytest.raises(CellClipError, match=r"has learnt nothing.*no reference treatment carries"):
        ask(screen, "beta-lactamase inhibitor")


def test_plates_that_are_gone_are_not_known(simulated: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert simulated.simulated is None
