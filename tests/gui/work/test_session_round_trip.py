"""A session file brings back everything that is seen: a property of all sessions."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.gui.state.canvas_view import CanvasState
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.view import View
from napari_cellclip.gui.work.files.session_file import (
    SessionFile,
    SessionFileError,
    StoredCanvas,
    StoredView,
    read_session_file,
    write_session_file,
)
from napari_cellclip.gui.work.files.session_files import Found, restore, stored
from napari_cellclip.gui.work.opening import Opened
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.vocabulary import STAINS
from tests.gui.toy_screens import AnsweringSession, FakeScreen

WELLS = [f"toy/{row}{column:02d}" for row in "CE" for column in range(4, 8)]
IDS = st.frozensets(st.sampled_from(WELLS))
STAIN = st.sampled_from(STAINS)
VIEWS = st.fixed_dictionaries(
    {
        "colour_by": st.sampled_from(["score", "treatment", "site:Quality_cells"]),
        "clip": st.booleans(),
        "thumbnails": st.booleans(),
        "map_thumbnails": st.booleans(),
        "side_by_side": st.booleans(),
        "threshold": st.floats(-50, 500),
        "fdr": st.floats(0.001, 0.5),
        "structures": st.booleans(),
        "use_platemap": st.booleans(),
        "filter": st.text(max_size=9),
        "tab": st.none() | st.sampled_from(["Hits", "Why", "Set-up"]),
        **{
            name: st.sampled_from(get_args(StoredView.model_fields[name].annotation))
            for name in ("statistic", "highlight", "map_method", "evidence", "hits")
        },
    }
)
CANVASES = st.fixed_dictionaries(
    {
        "composite": st.lists(STAIN, min_size=1, unique=True).map(tuple),
        "solo": st.none() | STAIN,
        "contrast": st.sampled_from(["plate", "well"]),
        "arranged": st.sampled_from(["field", "mosaic", "versus"]),
        "beside": st.lists(st.sampled_from(WELLS), max_size=3).map(tuple),
        "count": st.sampled_from([2, 4]),
    }
)
PROMPTS = st.lists(
    st.builds(Prompt, st.text(min_size=1, max_size=9), st.floats(-2, 2), st.just("typed"), on=st.booleans()),
    max_size=3,
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    from tests.gui.toy_screens import write_plate

    folder = write_plate(tmp_path_factory.mktemp("plates") / "toy")
    plate = open_plate(folder)
    return Opened(
        plate=plate,
        platemap=PlateMap.read(folder / "platemap.csv"),
        screen=FakeScreen.of(plate),
        request=OpenRequest(folder),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    view=VIEWS,
    canvas=CANVASES,
    selected=IDS,
    saved=st.dictionaries(st.text("ab", min_size=1, max_size=2), IDS, max_size=3),
    text=st.none() | st.sampled_from(["tubulin", "BRD4 knockout"]),
    ticked=st.lists(st.sampled_from(["taxol", "nocodazole"]), unique=True).map(tuple),
    prompts=st.none() | PROMPTS,
    shown=st.none() | st.sampled_from(WELLS),
)
def test_everything_that_is_seen_comes_back(
    opened, tmp_path, view, canvas, selected, saved, text, ticked, prompts, shown
):
    first = AnsweringSession()
    restore(first, Found(SessionFile(), opened, None))
    first.setup.choose_model("profiles", quiet=True)
    first.look(**view)
    first.canvas.look(**canvas)
    first.selection.replace(selected)
    first.named_selections.replace(saved)
    if text is not None:
        from dataclasses import replace

        first.request(replace(first.questions.of(text), ticked_off=ticked))
        if prompts is not None:
            first.prompts.edit(prompts)
    if shown is not None:
        first.show(shown)
    first.look(**view)  # an answer suggests a threshold
    path = tmp_path / "a.cellclip"
    write_session_file(path, stored(first))
    second = AnsweringSession()
    restore(second, Found(read_session_file(path), opened, None))
    assert second.view == first.view
    assert second.canvas.state == first.canvas.state
    assert second.prompts.value == first.prompts.value
    assert second.shown == first.shown
    assert stored(second) == stored(first)
    assert second.edits.to_undo is None, "what was opened is where undo begins"


def test_files_hold_every_field_of_the_view_and_of_the_canvas():
    assert set(StoredView.model_fields) == {f.name for f in fields(View)} - {"plate"}
    assert set(StoredCanvas.model_fields) == {f.name for f in fields(CanvasState)}
    assert View(**StoredView().model_dump()) == View()
    assert CanvasState(**StoredCanvas().model_dump()) == CanvasState()


@pytest.mark.parametrize(
    "part",
    [
        '{"view": {"evidence": "hearsay"}}',
        '{"view": {"fdr": 7}}',
        '{"view": {"threshold": NaN}}',
        '{"canvas": {"composite": []}}',
        '{"canvas": {"count": 3}}',
    ],
)
def test_values_that_no_window_can_show_are_refused(tmp_path, part):
    path = Path(tmp_path / "a.cellclip")
    path.write_text(part)
    with pytest.raises(SessionFileError, match="no session file"):
        read_session_file(path)
