"""Notes about the hub on this computer: licences accepted, commits and hashes of what was fetched."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from napari_cellclip.model.card import FileCard, ModelCard
from napari_cellclip.vocabulary.regular_files import read_json
from napari_cellclip.vocabulary.user_folders import cache_folder

LICENCES = "licences.json"
"""In the cache folder: the licence texts that were accepted."""

FETCHED = "hub.json"
"""In the cache folder: for each repository and revision the commit fetched, and the hashes of its files."""

COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def is_accepted(card: ModelCard) -> bool:
    """Tell whether this licence text was accepted on this computer; a changed text asks again.

    A model that is whole in its folder asks for nothing: whoever brought it here had it from somebody.
    """
    from_hub = any(file.repo for file in (card.weights, card.encoder.weights, card.tokenizer))
    return not from_hub or _licence_key(card) in _read(LICENCES)


def accept(card: ModelCard) -> None:
    """Remember that the user accepted the card's licence text."""
    if not is_accepted(card):
        when = datetime.now(UTC).isoformat(timespec="seconds")
        _set(LICENCES, _licence_key(card), {"model": card.name, "licence": card.licence, "accepted": when})


def pinned(file: FileCard) -> FileCard:
    """Complete a file's card by the commit and hash of its first fetch; unchanged where there was none."""
    notes = _table(_read(FETCHED).get(_file_key(file)))
    known = _table(_table(notes.get("files")).get(file.file))
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
    notes = _table(_read(FETCHED).get(_file_key(asked)))
    files = _table(notes.get("files")) if notes.get("commit") == found.revision else {}
    entry = {"size": found.size, "sha256": found.sha256}
    if files.get(found.file) != entry:
        _set(FETCHED, _file_key(asked), {"commit": found.revision, "files": {**files, found.file: entry}})


def pin_commit(file: FileCard, commit: str) -> None:
    """Let a file's repository and revision mean a commit from now on; another one's notes are dropped."""
    if _table(_read(FETCHED).get(_file_key(file))).get("commit") != commit:
        _set(FETCHED, _file_key(file), {"commit": commit, "files": {}})


def _licence_key(card: ModelCard) -> str:
    return hashlib.sha256(f"{card.licence}\n{card.licence_text}".encode()).hexdigest()


def _file_key(file: FileCard) -> str:
    return f"{file.repo}@{file.revision or 'main'}"


def _table(value: object) -> dict[str, Any]:
    """What was noted, if it is a table: somebody may have edited the file."""
    return value if isinstance(value, dict) else {}


def _read(name: str) -> dict[str, Any]:
    """Content of a file of notes; empty where it is absent or damaged, for it only repeats what can be asked
    again.
    """
    try:
        return _table(read_json(cache_folder() / name))
    except (OSError, ValueError):
        return {}


def _set(name: str, key: str, value: dict[str, Any]) -> None:
    """Set one key of a file of notes; the file is replaced whole.

    A cache folder that may not be written to is no reason to refuse a model: the note is then not kept.
    """
    path = cache_folder() / name
    part = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({**_read(name), key: value}, indent=2) + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
