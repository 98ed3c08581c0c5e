"""What is sampled of a piece of work, and how samples are counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.speed import profiles
from benchmarks.speed.profiles import shares

# In place of py-spy: tells the samples below once it is told to stop.
SAMPLER = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit())
try:
    signal.pause()
finally:
    out = pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
    out.write_text("main (x.py:3);ask (napari_cellclip/explore/ask.py:7);dot (numpy/core.py:1) 3\\\\n")
"""


def test_samples_count_for_a_function_and_for_those_that_called_it() -> None:
    raw = "\n".join(
        (
            "thread (123);f (a.py:1);g (b.py:2) 6",
            "thread (124);f (a.py:9);f (a.py:5) 1",
            "thread (123);f (a.py:1) 1",
            "thread (125);_worker (concurrent/futures/thread.py:81) 50",
            "thread (125);f (a.py:1);wait (threading.py:327) 50",
        )
    )
    alone, within = shares(raw)
    assert alone == {"g (b.py)": 0.75, "f (a.py)": 0.25}
    assert within == {"f (a.py)": 1.0, "g (b.py)": 0.75}
    assert shares("") == ({}, {})


@pytest.mark.skipif(sys.platform == "win32", reason="py-spy is told to stop by a signal")
def test_a_question_is_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    sampler = tmp_path / "sampler"
    sampler.write_text(f"#!{sys.executable}{SAMPLER}".replace("\\\\n", "\\n"), encoding="utf-8")
    sampler.chmod(0o755)
    monkeypatch.setattr(profiles, "WELLS", 384)
    monkeypatch.setattr(profiles, "DIM", 16)
    monkeypatch.setattr(profiles, "SECONDS", 0)
    monkeypatch.setattr(sys, "argv", ["profiles", "question", "--sampler", str(sampler)])
    profiles.main()
    assert capsys.readouterr().out.splitlines() == [
        "alone 100.0%  dot (numpy/core.py)",
        "with  100.0%  ask (napari_cellclip/explore/ask.py)",
    ]
