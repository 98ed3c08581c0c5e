"""The user's cache folder, and the small JSON files kept in it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from napari_cellclip.vocabulary.user_folders import cache_folder


def read_notes(name: str) -> dict[str, Any]:
    """Content of a JSON file of the cache folder; empty where it is absent or damaged, for it only repeats
    what can be asked again.
    """
    try:
        content = json.loads((cache_folder() / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def add_note(name: str, key: str, value: dict[str, Any]) -> None:
    """Set one key of a JSON file of the cache folder; the file is replaced whole.

    A cache folder that may not be written to is no reason to refuse a model: the note is then not kept.
    """
    path = cache_folder() / name
    part = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({**read_notes(name), key: value}, indent=2) + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
