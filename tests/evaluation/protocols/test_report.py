"""Reports: three files, the same bytes each time, and figures in a card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.evaluation.protocols.plots import bars, new_figure
from napari_cellclip.evaluation.protocols.report import to_plain, write_report
from napari_cellclip.model import load_model
from napari_cellclip.model.card import CARD_FILE, read_card
from napari_cellclip.vocabulary import CellClipError, ModelError


def picture() -> object:
    figure = new_figure(4, 3)
    axes = figure.subplots()
    bars(axes, ["a", "b"], {"x": [0.2, 0.4]}, intervals={"x": [(0.1, 0.3), (0.3, 0.6)]}, baseline=0.1)
    return figure


SUMMARY = {
    "data": {"source": "toy", "wells": np.int64(3)},
    "figures": {"mAP": {"value": np.float32(0.5), "low": 0.25, "high": np.nan}, "n": np.array([1, 2])},
    "path": Path("somewhere"),
    "flag": np.bool_(True),
}
TABLE = pd.DataFrame({"x": [0.5, np.nan]}, index=pd.Index(["a", "b"], name="group"))


def test_three_files_and_nothing_else(tmp_path: Path) -> None:
    report = write_report(tmp_path / "new" / "out", "toy-protocol", SUMMARY, TABLE, picture())
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == [
        "toy-protocol.csv",
        "toy-protocol.json",
        "toy-protocol.png",
    ]
    read = json.loads(report.figures.read_text())
    assert read["evaluation"] == "toy-protocol"
    assert read["figures"] == {"mAP": {"value": 0.5, "low": 0.25, "high": None}, "n": [1, 2]}
    assert (read["path"], read["flag"]) == ("somewhere", True)
    pd.testing.assert_frame_equal(pd.read_csv(report.table, index_col="group"), TABLE)
    assert report.picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one = write_report(tmp_path / "1", "toy", SUMMARY, TABLE, picture())
    two = write_report(tmp_path / "2", "toy", SUMMARY, TABLE, picture())
    for name in ("figures", "table", "picture"):
        assert getattr(one, name).read_bytes() == getattr(two, name).read_bytes()


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / CARD_FILE).write_text(load_model("demo", device="cpu").card.to_json(), encoding="utf-8")
    return folder


def test_figures_go_into_the_card_and_leave_its_hashes(tmp_path: Path, model_folder: Path) -> None:
    before = read_card(model_folder)
    made_by = {"model": {"name": before.name, "card": before.card_hash}}
    write_report(tmp_path, "toy", SUMMARY | made_by, TABLE, picture(), update_card=model_folder)
    write_report(tmp_path, "other", SUMMARY, TABLE, picture(), update_card=model_folder)
    after = read_card(model_folder)
    assert (after.card_hash, after.encoder_hash) == (before.card_hash, before.encoder_hash)
    assert set(after.scores) == {*before.scores, "toy", "other"}
    assert after.scores["toy"]["figures"]["n"] == [1, 2]
    assert after.scores["toy"]["data"] == {"source": "toy", "wells": 3}
    assert len(after.scores["toy"]["date"]) == 10
    assert after.model_copy(update={"scores": before.scores}) == before


def test_figures_of_another_model_are_refused_and_nothing_is_written(
    tmp_path: Path, model_folder: Path
) -> None:
    card = (model_folder / CARD_FILE).read_bytes()
    with pytest.raises(ModelError, match="measured on embeddings of 'x'"):
        write_report(
            tmp_path / "out",
            "toy",
            SUMMARY | {"model": {"name": "x", "card": "0" * 16}},
            TABLE,
            picture(),
            update_card=model_folder,
        )
    assert (model_folder / CARD_FILE).read_bytes() == card
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="no model folder"):
        write_report(tmp_path / "out", "toy", SUMMARY, TABLE, picture(), update_card=tmp_path)


def test_reports_that_say_nothing_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="figures"):
        write_report(tmp_path, "toy", {"data": {}}, TABLE, picture())
    with pytest.raises(ValueError, match="not the name"):
        write_report(tmp_path, "../toy", SUMMARY, TABLE, picture())


def test_plain_values() -> None:
    assert to_plain({1: (np.inf, None, "a")}) == {"1": [None, None, "a"]}


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(CellClipError, match=r"napari-cellclip\[evaluate\]"):
        new_figure()
