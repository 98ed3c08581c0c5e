"""Every command that the documentation tells to type exists and explains itself, in one process."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
import typer
import typer.main

from napari_cellclip.cli import app
from tests.cli.cli_terminal import succeed

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BENCHMARKS = sorted(
    f"benchmarks.{path.parent.name}.{path.stem}"
    for kind in ("accuracy", "speed")
    for path in (ROOT / "benchmarks" / kind).glob("*.py")
    if "__main__" in path.read_text(encoding="utf-8")
)


def documented(pattern: str) -> list[tuple[str, ...]]:
    """Words that follow a pattern in any document, once each."""
    found = {
        tuple(match.group(1).split())
        for path in DOCUMENTS
        for match in re.finditer(pattern, path.read_text(encoding="utf-8"))
    }
    return sorted(found)


def verb_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """Verb and sub-verb at the start of a command line."""
    group, verb = typer.main.get_command(app), []
    for word in words:
        commands = getattr(group, "commands", None)
        if commands is None:
            break
        assert word in commands, f"no such command: napari-cellclip {' '.join(words)}"
        group, verb = commands[word], [*verb, word]
    return tuple(verb)


TYPED = documented(r"(?m)^(?:\$ )?napari-cellclip ((?:[a-z][a-z-]*\s?)+)")
MODULES = sorted({words[0] for words in documented(r"python -m (benchmarks(?:\.[a-z_0-9]+)+)")})


def test_there_are_documented_commands() -> None:
    assert len(TYPED) > 10
    assert len(MODULES) > 4


@pytest.mark.parametrize("verb", sorted({verb_of(words) for words in TYPED}), ids=" ".join)
def test_documented_verbs_explain_themselves(verb: tuple[str, ...]) -> None:
    assert "Usage:" in succeed(*verb, "--help").stdout


@pytest.mark.parametrize("module", sorted({*MODULES, *BENCHMARKS}))
def test_benchmarks_explain_themselves(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module in BENCHMARKS, f"{module} is documented and is no benchmark"
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out.lower()


def test_every_benchmark_is_documented() -> None:
    assert set(BENCHMARKS) <= set(MODULES)
