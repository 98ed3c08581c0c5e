"""``gallery search`` and ``fetch``, ``info`` and ``encode`` of addresses, with a stand-in for S3 on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_cellclip.cli import app
from napari_cellclip.screen import Screen
from tests.plates.remote.conftest import gallery, moto_url, phenix_folder, s3  # noqa: F401
from tests.plates.remote.faulty_server import FaultyServer
from tests.plates.remote.made_gallery import BATCH, PLATE, PROJECT, SOURCE, MadeGallery

ADDRESS = f"cpg://{PROJECT}/{SOURCE}/{BATCH}/{PLATE}"


@pytest.fixture
def run():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_search(gallery: MadeGallery, run) -> None:  # noqa: F811
    assert run("gallery", "search").stdout == f"{PROJECT}\n"
    found = run("gallery", "search", "--project", PROJECT, "--gene", "NAMPT")
    well = gallery.plate.wells[3].name
    assert found.stdout == f"{ADDRESS}  {well}  (FK-866)\n"
    (one,) = json.loads(run("gallery", "search", "--project", PROJECT, "--json").stdout)
    assert one["address"] == ADDRESS
    nothing = run("gallery", "search", "--project", PROJECT, "--gene", "TP53")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    refused = run("gallery", "search", "--gene", "TP53")
    assert refused.exit_code == 1
    assert "name a project" in refused.stderr


def test_fetch(gallery: MadeGallery, run, tmp_path: Path) -> None:  # noqa: F811
    well = gallery.plate.wells[0].name
    done = run(
        "gallery",
        "fetch",
        ADDRESS,
        "--wells",
        f"{well}:{well}",
        "--sites",
        "1",
        "--stain",
        "dna",
        "--out",
        tmp_path / "p",
    )
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "p")
    assert len(list((tmp_path / "p").rglob("*.tiff"))) == 1
    assert "DNA" in run("info", tmp_path / "p").stdout
    assert run("gallery", "fetch", ADDRESS, "--stain", "GFP", "--out", tmp_path / "q").exit_code == 2


def test_info_of_an_address(gallery: MadeGallery, run) -> None:  # noqa: F811
    shown = run("info", ADDRESS)
    assert f"Plate {PLATE}  ({ADDRESS})" in shown.stdout
    assert run("info", "s3://cellpainting-gallery/nothing").exit_code == 1
    assert run("info", "no-such-folder").exit_code == 2


def test_encode_goes_on(gallery: MadeGallery, s3: FaultyServer, run, tmp_path: Path) -> None:  # noqa: F811
    """A file the store will not give fails its site alone; the same command with --retry-failed makes it good."""
    s3.fault = lambda method, path, count: "error" if "r01c02f01p01-ch3" in path else None
    first = run("encode", ADDRESS, "--out", tmp_path / "screen", "--model", "demo", "--device", "cpu")
    assert first.exit_code == 0, first.stderr
    assert "1 site could not be used" in first.stderr
    screen = Screen.open(tmp_path / "screen")
    assert json.loads((tmp_path / "screen" / "screen.json").read_text())["plates"][PLATE]["path"] == ADDRESS
    assert "nocodazole" in set(screen.wells["Metadata_treatment"])
    s3.fault = lambda method, path, count: None
    again = run("encode", ADDRESS, "--out", tmp_path / "screen", "--device", "cpu", "--retry-failed")
    assert again.exit_code == 0, again.stderr
    assert len(Screen.open(tmp_path / "screen").failures) == 0
