"""What README and docs promise is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from napari_cellclip.cli import app

REPOSITORY = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")),
)


def code_lines(text: str) -> list[str]:
    """Lines of the shell blocks of a page."""
    blocks = re.findall(r"```(?:sh|bash|shell)\n(.*?)```", text, flags=re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


def test_first_commands_are_demo_and_test(readme: str) -> None:
    assert code_lines(readme)[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str, repository: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", " ".join(code_lines((repository / page).read_text()))))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES)
def test_shown_commands_parse(page: str, repository: Path) -> None:
    """Every napari-cellclip line of the pages uses a verb and options that exist, and leaves out none it needs."""
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in code_lines((repository / page).read_text()):
        words = shlex.split(line, comments=True)
        if words[:1] != ["napari-cellclip"] or len(words) < 2 or words[1].startswith("-"):
            continue
        assert words[1] in verbs, line
        verb = verbs[words[1]]
        if hasattr(verb, "commands") and len(words) > 2 and not words[2].startswith("-"):
            assert words[2] in verb.commands, line
            verb = verb.commands[words[2]]
        options = [parameter for parameter in verb.params if parameter.param_type_name == "option"]
        known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        given = {word for word in words[2:] if word.startswith("-")}
        assert given <= known | {"--help", "-h"}, line
        needed = [option for option in options if option.required]
        assert all(given & set(option.opts) for option in needed) or given & {"--help", "-h"}, line


def anchors(page: Path) -> set[str]:
    """Names that headings of a page are linked by, as GitHub makes them of their text."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_point_at_files_and_headings(page: str, repository: Path) -> None:
    file = repository / page
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        if target.startswith(("http:", "https:")):
            continue
        there = (file.parent / target) if target else file
        assert there.exists(), f"{page} points at {target}, which is not there"
        assert not anchor or anchor in anchors(there), f"{page} points at {target}#{anchor}: no such heading"


def test_cli_page_has_every_verb(repository: Path) -> None:
    page = (repository / "docs" / "cli.md").read_text()
    help_text = CliRunner().invoke(app, ["--help"]).output
    for verb in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"napari-cellclip {verb}" in page
        assert verb in help_text


def every_verb(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for verb, child in getattr(command, "commands", {}).items():
        yield from every_verb(child, f"{name} {verb}")


VERBS = dict(every_verb(typer.main.get_command(app), "napari-cellclip"))


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_of_options_is_that_of_the_program(verb: str, repository: Path) -> None:
    """Whatever the version of the library that wrote it; `make options` writes it anew."""
    page = (repository / "docs" / "options.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"# `{verb}`\n")
    section = " ".join(re.split(r"^#+ `", section, flags=re.MULTILINE)[0].split())
    assert " ".join(str(VERBS[verb].help).split()) in section
    known = {"--help"}
    for parameter in VERBS[verb].params:
        assert " ".join(str(parameter.help).split()) in section, parameter.name
        if parameter.param_type_name == "option":
            known |= {*parameter.opts, *parameter.secondary_opts}
    listed = " ".join(re.findall(r"\* `(-[^`<]*)", section))
    assert set(re.findall(r"(?<!\S)--?\w[\w-]*", listed)) == known - {"-h"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_of_verbs_cuts_no_description_short(verb: str) -> None:
    assert "..." not in VERBS[verb].get_short_help_str(45)
