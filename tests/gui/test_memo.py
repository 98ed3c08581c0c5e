"""What several panels need is computed once."""

from __future__ import annotations

from napari_cellclip.gui.memo import Memo
from napari_cellclip.gui.palette import well_colours
from tests.gui.toy_screens import answer_for


def test_it_is_computed_anew_only_where_what_it_rests_on_is_another_object():
    memo, made = Memo(), []
    one, other = [], []

    def compute() -> int:
        made.append(None)
        return len(made)

    assert [memo.of("a", (one,), compute) for _ in range(3)] == [1, 1, 1]
    assert memo.of("a", (other,), compute) == 2, "equal, but not the same"
    assert memo.of("b", (other,), compute) == 3
    assert memo.of("a", (other, one), compute) == 4


def test_an_answer_colours_the_wells_once_for_all_views(full_session, monkeypatch):
    made = []
    from napari_cellclip.gui import palette

    whole = palette._all_coloured
    monkeypatch.setattr(palette, "_all_coloured", lambda *a: made.append(None) or whole(*a))
    wells = full_session.wells.index
    dark = (20, 20, 20)
    first = well_colours(full_session, wells, dark)
    assert well_colours(full_session, wells, dark) is first
    assert (well_colours(full_session, wells[::-1], dark).rgb == first.rgb[::-1]).all()
    assert len(made) == 1
    full_session.answer = answer_for(full_session.screen, {"toy/E07": 9.0})
    assert (well_colours(full_session, full_session.wells.index, dark).rgb != first.rgb).any()
    full_session.look(colour_by="rank")
    well_colours(full_session, full_session.wells.index, dark)
    assert len(made) == 3
