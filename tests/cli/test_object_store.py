"""A screen in an object store from the terminal: encoded, asked, verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cellclip.screen import Screen
from tests.cli.cli_terminal import call, succeed
from tests.plates.remote.conftest import moto_url, s3  # noqa: F401
from tests.screen.test_object_store import bucket  # noqa: F401
from tests.tiny import write_tiff_plate, write_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore", "ignore::ResourceWarning")


def test_encode_check_and_ask(bucket: str, tmp_path: Path) -> None:  # noqa: F811
    plate = write_tiff_plate(tmp_path / "P1")
    write_tiny_model(tmp_path / "model")
    command = ("encode", plate, "--model", tmp_path / "model", "--out", bucket, "--device", "cpu")
    done = succeed(*command)
    assert done.stdout.strip() == bucket
    assert "were encoded before" in succeed(*command).stderr, "the same command goes on"
    assert succeed("check", bucket).stdout.strip() == f"{bucket}: every file is whole"
    assert Screen.open(bucket).well_ids[0] in succeed("ask", bucket, "tubulin inhibitor").stdout
    assert call("ask", tmp_path / "absent", "x").exit_code == 2
    assert "no place for a screen" in call("ask", "https://host/screen", "x").stderr
