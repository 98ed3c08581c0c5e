"""Which commit of a repository was fetched, and which bytes: noted once, and meant from then on."""

from __future__ import annotations

import re
from typing import Any

from napari_cellclip.model.card import FileCard
from napari_cellclip.model.weights.cache import add_note, read_notes

FILE = "hub.json"
"""In the cache folder: for each repository and revision the commit fetched, and the hashes of its files."""

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def pinned(file: FileCard) -> FileCard:
    """The file as it was fetched before: its commit, and its hash; unchanged where it never was."""
    notes = _mapping(read_notes(FILE).get(_key(file)))
    known = _mapping(_mapping(notes.get("files")).get(file.file))
    commit, sha256, size = str(notes.get("commit")), str(known.get("sha256")), known.get("size")
    update = {
        "revision": commit if COMMIT.fullmatch(commit) else file.revision,
        "sha256": file.sha256 or (sha256 if SHA256.fullmatch(sha256) else ""),
        "size": size if isinstance(size, int) and size > 0 else file.size,
    }
    return FileCard.model_validate({**file.model_dump(), **update})


def pin(asked: FileCard, found: FileCard) -> None:
    """Note the commit and the hash that a file was found with, so that later loads mean just these."""
    if not COMMIT.fullmatch(found.revision):
        return
    notes = _mapping(read_notes(FILE).get(_key(asked)))
    files = _mapping(notes.get("files")) if notes.get("commit") == found.revision else {}
    entry = {"size": found.size, "sha256": found.sha256}
    if files.get(found.file) != entry:
        add_note(FILE, _key(asked), {"commit": found.revision, "files": {**files, found.file: entry}})


def pin_commit(file: FileCard, commit: str) -> None:
    """Let a file's repository and revision mean a commit from now on; another one's notes are dropped."""
    if _mapping(read_notes(FILE).get(_key(file))).get("commit") != commit:
        add_note(FILE, _key(file), {"commit": commit, "files": {}})


def _mapping(value: object) -> dict[str, Any]:
    """What was noted, if it is a table: somebody may have edited the file."""
    return value if isinstance(value, dict) else {}


def _key(file: FileCard) -> str:
    return f"{file.repo}@{file.revision or 'main'}"
