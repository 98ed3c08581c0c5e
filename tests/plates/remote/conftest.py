from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_cellclip.plates.remote.stores import retries, store
from tests.plates.remote.faulty_server import FaultyServer, serving
from tests.plates.remote.made_gallery import MadeGallery

pytest.importorskip("s3fs", reason="needs the extra 'remote'")
pytest.importorskip("moto", reason="needs moto, a stand-in for S3")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A stand-in for S3 on loopback."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """S3 behind a server that can be told to fail; the environment leads there and nowhere else."""
    with serving(FaultyServer(behind=moto_url)) as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
            "NAPARI_CELLCLIP_CACHE": str(tmp_path / "cache"),
            "NAPARI_CELLCLIP_JUMP_METADATA": str(tmp_path / "jump"),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
        # On a busy computer an answer may take longer than a test that counts requests allows for.
        monkeypatch.setattr(store, "READ_SECONDS", 60)
        yield server


@pytest.fixture(scope="session")
def phenix_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated plate as a Phenix exports it."""
    from napari_cellclip.simulation import simulate_plate

    folder = tmp_path_factory.mktemp("remote") / "BR00123947"
    return simulate_plate(folder, wells=6, sites=2, seed=3, size=(64, 64), workers=1)


@pytest.fixture
def gallery(s3: FaultyServer, moto_url: str, phenix_folder: Path, tmp_path: Path) -> MadeGallery:
    """The gallery's bucket with one plate, in the real layout."""
    made = MadeGallery(moto_url, phenix_folder, tmp_path / "jump")
    made.fill()
    return made
