"""Files that the window writes: what is selected, with all that says how it came about."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from napari_cellclip import ask
from napari_cellclip.explore import pca_map
from napari_cellclip.gui.state.export_requests import ExportRequest
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.gui.work.files.exports import export_work
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import encode_tiny_screen, load_tiny_model, write_tiny_plate


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    return encode_tiny_screen(
        write_tiny_plate(folder / "P1"), load_tiny_model(folder / "model"), folder / "screen"
    )


@pytest.fixture
def chosen(screen):
    """A session with an answer, a map and three wells selected."""
    session = Session()
    session.set_screen(screen)
    session.show_answer(ask(screen, "tubulin inhibitor"), AskRequest("tubulin inhibitor"))
    session.add_map(pca_map(screen))
    session.selection.replace([str(i) for i in screen.wells.index[[1, 4, 7]]])
    return session


def test_selected_wells_go_into_an_anndata_file_with_map_query_and_model(chosen, tmp_path):
    """All wells were written, whatever was selected."""
    anndata = pytest.importorskip("anndata")
    path = tmp_path / "selected.h5ad"
    assert export_work(chosen, path, selected_only=True)() == f"Written: 3 selected wells to {path}"
    written = anndata.read_h5ad(path)
    assert set(written.obs_names) == chosen.selection.ids
    rows = [chosen.screen.well_ids.index(i) for i in written.obs_names]
    np.testing.assert_allclose(written.X, chosen.screen.embeddings[rows])
    np.testing.assert_allclose(written.obsm["X_cellclip"], chosen.screen.embeddings[rows])
    made = chosen.maps.by_method["pca"]
    places = [list(made.ids).index(i) for i in written.obs_names]
    np.testing.assert_allclose(written.obsm["X_pca"], np.asarray(made.xy)[places])
    about = written.uns["cellclip"]
    assert about["query"] == "tubulin inhibitor"
    assert about["model"] == chosen.screen.card.name
    assert about["verdict"] == chosen.answer.verdict
    assert "ask(screen, 'tubulin inhibitor'" in about["script"]
    scores = chosen.answer.scores["score"].reindex(written.obs_names)
    np.testing.assert_allclose(written.obs["Metadata_query_score"], scores)


def test_selected_wells_go_into_a_parquet_file(chosen, tmp_path):
    path = tmp_path / "selected.parquet"
    assert "3 selected wells" in export_work(chosen, path, selected_only=True)()
    written = pd.read_parquet(path)
    assert set(written["Metadata_Well_id"]) == chosen.selection.ids
    assert {"Metadata_pca_x", "Metadata_pca_y", "Metadata_query_score"} <= set(written)
    assert sum(c.startswith("CellCLIP_") for c in written) == chosen.screen.embeddings.shape[1]
    about = json.loads(pq.read_schema(path).metadata[b"cellclip"])
    assert about["query"] == "tubulin inhibitor"
    assert about["card_hash"] == chosen.screen.card_hash


def test_selected_wells_go_into_a_workbook_best_first_with_question_and_script(chosen, tmp_path):
    """Excel was promised, and refused as a name."""
    path = tmp_path / "selected.xlsx"
    assert export_work(chosen, path, selected_only=True)() == f"Written: 3 selected wells to {path}"
    read = pd.read_excel(path, sheet_name=None, index_col=0)
    best_first = (
        chosen.answer.scores["score"].reindex(sorted(chosen.selection.ids)).sort_values(ascending=False)
    )
    assert list(read["Wells"].index) == list(best_first.index)
    np.testing.assert_allclose(read["Wells"]["score"], best_first)
    about = read["About"].iloc[:, 0]
    assert about["query"] == "tubulin inhibitor"
    assert about["verdict"] == chosen.answer.verdict
    assert about["model"] == chosen.screen.card.name
    assert "ask(screen, 'tubulin inhibitor'" in about["script"]


def test_the_whole_screen_is_counted(chosen, tmp_path):
    path = tmp_path / "all.parquet"
    assert export_work(chosen, path)() == f"Written: {len(chosen.screen.wells)} wells to {path}"
    assert len(pd.read_parquet(path)) == len(chosen.screen.wells)


def test_an_empty_selection_writes_no_file(chosen, tmp_path):
    chosen.selection.clear()
    for name in ("x.csv", "x.parquet"):
        with pytest.raises(ScreenError, match="No well is selected"):
            export_work(chosen, tmp_path / name, selected_only=True)()
        assert not (tmp_path / name).exists()


def test_the_window_says_what_it_wrote(chosen, tmp_path, qtbot):
    controller, told = Controller(chosen), []
    chosen.message.connect(lambda _task, text: told.append(text))
    chosen.request(ExportRequest(tmp_path / "hits.csv", selected_only=True))
    qtbot.waitUntil(lambda: chosen.work(Task.EXPORT) is None)
    controller.close()
    assert told == [f"Written: 3 selected wells to {tmp_path / 'hits.csv'}"]
