"""The bar on stderr and the virtual display."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from napari_cellclip.cli.progress import follow
from napari_cellclip.cli.virtual_display import virtual_display
from napari_cellclip.vocabulary import CellClipError

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux draws through X")


@dataclass(frozen=True)
class Step:
    done: int
    total: int
    message: str


def test_follow_returns_the_last_step_and_prints_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    last = follow((Step(i, 3, f"well {i}") for i in (1, 2, 3)), "encoding")
    assert last == Step(3, 3, "well 3")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "encoding" in printed.err
    assert "3/3" in printed.err


def test_follow_of_nothing_is_none() -> None:
    assert follow(iter(()), "encoding") is None


def test_follow_closes_the_generator_when_interrupted() -> None:
    closed = []

    def steps() -> Iterator[Step]:
        try:
            yield Step(1, 2, "")
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        follow(steps(), "encoding")
    assert closed == [True]


@LINUX
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_virtual_display_lives_as_long_as_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":before")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-before")
    with virtual_display() as display:
        assert display is not None
        assert os.environ["DISPLAY"] == display != ":before"
        assert "WAYLAND_DISPLAY" not in os.environ
        socket = Path("/tmp/.X11-unix") / f"X{display[1:]}"
        assert socket.exists()
    assert os.environ["DISPLAY"] == ":before"
    assert os.environ["WAYLAND_DISPLAY"] == "wayland-before"
    assert not socket.exists()


@LINUX
def test_without_any_display_the_missing_thing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CellClipError, match="xvfb"), virtual_display():
        pass
    monkeypatch.setenv("DISPLAY", ":7")
    with virtual_display() as display:
        assert display is None, "a screen of its own will do"
