"""Names out of files do nothing to a terminal, and Ctrl-C pressed three times ends without a traceback."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.cli.program import Verbs
from napari_cellclip.cli.terminal import PrintableStream, printable
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError
from tests.cli.cli_terminal import call
from tests.tiny import write_tiff_plate, write_tiny_model

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\rP1\u202eelohw"


@given(st.text())
def test_no_control_character_is_left_and_nothing_else_is_changed(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]
    if text.isprintable():
        assert shown == text


def test_names_not_in_the_terminals_characters_are_still_printed() -> None:
    raw = io.BytesIO()
    stream = PrintableStream(io.TextIOWrapper(raw, encoding="ascii"))
    print("5 µM of \udcff", file=stream, flush=True)
    assert raw.getvalue() == b"5 \\xb5M of \\udcff\n"


def test_bars_are_drawn_over_themselves_and_names_are_not() -> None:
    out = io.StringIO()
    PrintableStream(out).write("\r 50 %|# | encoded P1\rP2")
    assert out.getvalue() == "\r 50 %|# | encoded P1\\rP2"


@pytest.mark.parametrize("fails", [False, True])
def test_whatever_a_verb_prints_is_harmless(fails: bool) -> None:
    app = typer.Typer(cls=Verbs)

    @app.command()
    def shown() -> None:
        print(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        if fails:
            raise CellClipError(f"{HOSTILE} is no plate")

    app.command("other")(lambda: None)
    result = typer.testing.CliRunner().invoke(app, ["shown"])
    assert result.exit_code == fails
    for printed in (result.stdout, result.stderr):
        assert "owned" in printed
        assert not set(printed) & set("\x1b\x07\x9b\r\u202e")


@pytest.mark.skipif(os.name != "posix", reason="file names with control characters are POSIX")
def test_a_plate_named_to_clear_the_screen_does_not(tmp_path: Path) -> None:
    plate = write_tiff_plate(tmp_path / "\x1b[2Jplate", wells=("A01",))
    result = call("info", plate)
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert "[2Jplate" in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals to processes are POSIX")
@pytest.mark.parametrize("pauses", [(0.0, 0.0), (0.05, 0.3)], ids=["at once", "one after the other"])
def test_ctrl_c_three_times_leaves_with_130_and_a_screen_that_goes_on(tmp_path: Path, pauses) -> None:
    wells = tuple(f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13))
    plate, out = write_tiff_plate(tmp_path / "P1", wells=wells), tmp_path / "screen"
    model = write_tiny_model(tmp_path / "model")
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from napari_cellclip.screen.engines import local as run; import time; "
        "old = run._encode; run._encode = lambda *a: (time.sleep(0.2), old(*a))[1]; "
        "from napari_cellclip.cli import app; app()"
    )
    verb = ["encode", str(plate), "--model", str(model), "--device", "cpu", "--out", str(out)]
    with subprocess.Popen([sys.executable, "-c", start, *verb], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 240
        while not list(out.glob("fields/*/*/shard-*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pause in (*pauses, 0.0):
            process.send_signal(signal.SIGINT)
            time.sleep(pause)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "stopped" in said
    assert not Screen.open(out).complete
    assert call(*verb).exit_code == 0
    assert Screen.open(out).complete
