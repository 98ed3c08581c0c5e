"""Help, exit codes and messages of the program as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
import typer.main

from napari_cellclip.cli import app
from napari_cellclip.cli.options import channel_mapping
from napari_cellclip.vocabulary import PlateError
from tests.cli.cli_terminal import call, succeed

VERBS = (
    "demo",
    "simulate",
    "info",
    "encode",
    "import-profiles",
    "import-published-features",
    "ask",
    "train",
    "ablate",
    "derive",
    "quality",
    "correct",
    "check",
    "repair",
    "version",
    "gallery",
    "models",
    "annotations",
    "references",
    "evaluate",
)


def test_verbs_are_these() -> None:
    group = typer.main.get_command(app)
    assert tuple(group.list_commands(typer.Context(group))) == VERBS  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    text = succeed(verb, "--help").stdout
    assert f"Example: napari-cellclip {verb}" in text
    assert "Traceback" not in text


def test_help_is_fast() -> None:
    """A look at the help must not wait for torch: counted in modules, since seconds depend on the machine."""
    code = "import sys, napari_cellclip.cli; print(len(sys.modules), 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, pandas = done.stdout.split()
    assert int(modules) < 900
    assert pandas == "False"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("info",),
        ("info", "no/such/plate"),
        ("info", ".", "--channel", "DNA"),
        ("info", ".", "--channel", "GFP=ch1"),
        ("info", ".", "--channel", "DNA=ch1", "--channel", "dna=ch2"),
        ("simulate", "out", "--wells", "7"),
        ("simulate", "out", "--layout", "png"),
        ("simulate", "out", "--sites", "0"),
        ("encode", "."),
        ("ask", ".", "   "),
        ("ask", ".", "DNA damage", "--top", "0"),
        ("train", "--out", "model"),
        ("demo", "--screenshot", "window.jpg"),
    ],
)
def test_wrong_command_lines_leave_with_2(words: tuple[str, ...]) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_refusal_is_one_sentence_on_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAPARI_CELLCLIP_DEBUG", raising=False)
    result = call("info", tmp_path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("napari-cellclip: ")
    assert result.stderr.count("\n") == 1


def test_debug_lets_the_traceback_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_DEBUG", "1")
    result = call("info", tmp_path)
    assert isinstance(result.exception, PlateError)


def test_not_a_screen_is_refused(tmp_path: Path) -> None:
    result = call("ask", tmp_path, "DNA damage")
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr


def test_channel_pairs_are_read() -> None:
    assert channel_mapping(["DNA=ch5", " mito = MitoTracker = deep "]) == {
        "DNA": "ch5",
        "Mito": "MitoTracker = deep",
    }
    assert channel_mapping([]) is None
    with pytest.raises(typer.BadParameter, match="GFP"):
        channel_mapping(["GFP=ch1"])


def test_version_names_this_package_and_torch() -> None:
    lines = succeed("version").stdout.splitlines()
    assert lines[0].startswith("napari-cellclip ")
    assert any(line.startswith("torch ") for line in lines)


@pytest.mark.skipif(os.name != "posix", reason="signals to process groups are POSIX")
def test_interrupt_leaves_with_130_and_says_what_next(tmp_path: Path) -> None:
    out = tmp_path / "plate"
    # A shell that runs the tests in the background has them ignore Ctrl-C, and children inherit that.
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from napari_cellclip.cli import app; app()"
    )
    words = [sys.executable, "-c", start, "simulate", str(out), "--wells", "384", "--size", "128"]
    # A terminal sends Ctrl-C to the whole group: to the workers too, which must not chatter.
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 240
        while not list(out.rglob("*.tif*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 130
    assert not out.exists(), "half a plate would open as a whole one"
    assert "stopped; no plate was written" in said
    assert "Traceback" not in said
