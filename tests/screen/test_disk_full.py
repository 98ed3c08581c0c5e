"""A full disk ends a run in a sentence that names the file; what is on disk stays whole and the run goes on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_cellclip.screen import Screen, check_screen, encode
from napari_cellclip.screen.storage import files
from napari_cellclip.vocabulary import CellClipError
from tests.tiny import write_tiff_plate, write_tiny_model

REPOSITORY = Path(__file__).parents[2]
LIMITED = """
import resource, signal, sys
from napari_cellclip.cli import app
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails as on a full disk, and is no signal
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
app()
"""


@pytest.mark.parametrize("when", ["write", "replace"])
@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_full_disk_is_a_sentence_and_nothing_is_half(
    tmp_path, make_plate, make_model, monkeypatch, when: str, after: int
) -> None:
    left = after

    def full(*arguments):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    name = {"write": "fsync", "replace": "replace"}[when]
    real = getattr(os, name)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, name, full)
        with pytest.raises(CellClipError, match=r"cannot be written .*No space left.*free some") as error:
            encode(make_plate(), None, make_model(), tmp_path / "s", shard_sites=2)
    assert str(tmp_path / "s") in str(error.value)
    assert not list((tmp_path / "s").rglob("*.tmp"))
    assert encode(make_plate(), None, make_model(), tmp_path / "s", shard_sites=2).complete
    assert check_screen(tmp_path / "s") == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on sizes of files are POSIX")
@pytest.mark.parametrize("limit", [1, 3000, 9000])
def test_a_real_write_that_fails_is_one_line_of_the_program(tmp_path: Path, limit: int) -> None:
    plate, model = write_tiff_plate(tmp_path / "P1"), write_tiny_model(tmp_path / "model")
    verb = ["encode", str(plate), "--model", str(model), "--device", "cpu", "--out", str(tmp_path / "s")]
    words = [sys.executable, "-c", LIMITED, str(limit), *verb]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be written" in done.stderr
    again = subprocess.run(
        [sys.executable, "-m", "napari_cellclip", *verb], cwd=REPOSITORY, capture_output=True
    )
    assert again.returncode == 0, again.stderr
    assert Screen.open(tmp_path / "s").complete
