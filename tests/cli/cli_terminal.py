"""Running the program in the test's own process."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from napari_cellclip.cli import app


def call(*words: object) -> Result:
    """Run the program."""
    return CliRunner().invoke(app, [str(word) for word in words])


def succeed(*words: object) -> Result:
    """Run the program and insist that it succeeds."""
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    return result
