"""The Explorer opened, used and closed again and again leaves nothing behind."""

from __future__ import annotations

import pytest

from benchmarks.speed.made_window import made_screen, write_plate
from benchmarks.speed.window_leaks import count, cycle
from napari_cellclip.gui.work.controller import controller_of

CYCLES = 20


@pytest.mark.slow
def test_cycles_with_a_plate_and_an_answer_leave_no_widget_object_or_thread(
    make_napari_viewer, tmp_path, monkeypatch
):
    """Fifty of them, with the memory they take, are measured by ``benchmarks.speed.window_leaks``."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    viewer = make_napari_viewer(show=True)
    plate, screen = write_plate(tmp_path), made_screen(96, tmp_path)
    for number in range(2):  # what is made once is made: bar of the canvas, caches, menus
        cycle(viewer, screen, plate, number)
    before = count()
    for number in range(CYCLES):
        cycle(viewer, screen, plate, number)
    after = count()
    assert after.widgets <= before.widgets
    assert after.objects <= before.objects
    assert after.threads <= before.threads
    controller_of(viewer).close()
