"""Every threat of ``docs/security.md`` has a test, and that test exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _rows() -> list[tuple[str, str]]:
    """Threat and last cell of each row of the table."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    return [(row[0], row[-1]) for row in rows[2:]]


def test_each_threat_names_a_test_that_exists():
    rows = _rows()
    assert len(rows) > 20
    for threat, cell in rows:
        named = re.findall(r"`(?:(tests/[\w/]+/)?)(test_\w+\.py)(?:::(\w+))?`", cell)
        assert named, threat
        folder = ""
        for place, file, function in named:
            folder = place or folder  # a file without a folder lies beside the one before it
            path = ROOT / folder / file
            assert path.is_file(), f"{threat}: {path} does not exist"
            text = path.read_text(encoding="utf-8")
            assert (
                function in re.findall(r"^def (\w+)", text, re.MULTILINE) if function else "def test_" in text
            ), threat
