"""Each threat that docs/security.md lists has the test it names."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_tests_named_in_the_table_of_threats_exist() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for threat, happens, tests in rows:
        assert threat.strip()
        assert happens.strip()
        named = re.findall(r"`([^`]+\.py)`", tests)
        assert named, threat
        folder = REPOSITORY
        for name in named:
            path = REPOSITORY / name if "/" in name else folder / name
            assert path.is_file(), f"{threat.strip()}: {name}"
            assert "def test_" in path.read_text(encoding="utf-8"), name
            folder = path.parent
