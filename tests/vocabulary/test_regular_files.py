"""Only files are read, and no more of them than was agreed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_cellclip.vocabulary.regular_files import read_json, read_regular, require_regular


def test_a_file_is_read_up_to_its_limit_and_not_beyond(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert require_regular(file) == file
    assert read_regular(file, 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(file, 4)


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no regular file, but a pipe, a device or a folder"):
        require_regular(tmp_path)
    for name in ("absent", "a\0b"):
        with pytest.raises(FileNotFoundError):
            require_regular(tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="no regular file"):
            read_regular(tmp_path / "pipe", 5)


def test_json_that_cannot_be_read_is_a_value_error(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"one": [1, 2]}')
    assert read_json(file) == {"one": [1, 2]}
    for content in (b"[" * 200_000, b"{", b"\xff\xfe\xfd"):
        file.write_bytes(content)
        with pytest.raises(ValueError):
            read_json(file)
