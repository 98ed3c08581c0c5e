"""A Ray cluster writes the screen that one process writes, though a machine of it dies."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, encode, iter_encode
from napari_cellclip.screen.engines.ray_engine import PlateWork, ShardActor
from napari_cellclip.screen.storage.files import screen_folder
from napari_cellclip.vocabulary import ScreenError
from tests.plates.remote.conftest import moto_url, s3  # noqa: F401
from tests.screen.test_object_store import bucket  # noqa: F401
from tests.tiny import write_tiff_plate, write_tiny_model

ENCODE = sys.modules["napari_cellclip.screen.encode"]  # the package has a function of this name
ROOT = Path(__file__).parents[3]
WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")


def files(folder: Path) -> dict[str, bytes]:
    """Everything that a run computed; ``screen.json`` and labels are the driver's."""
    found = sorted(path for path in folder.rglob("*") if path.suffix == ".parquet")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def tables(folder) -> dict[str, bytes]:
    """The same as `files` of a place in an object store, too."""
    found = [path for path in folder.rglob("*") if path.suffix == ".parquet"]
    return {str(path).removeprefix(f"{folder}/"): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of a plate with a file that is no image, a model on disk, and the screen that one process makes."""
    folder = tmp_path_factory.mktemp("ray")
    plate = write_tiff_plate(folder / "P1", wells=WELLS, sites=4)
    (plate / "B02_s3_ER.tiff").write_bytes(b"no image")
    write_tiny_model(folder / "model")
    encode(open_plate(plate), None, str(folder / "model"), folder / "local", shard_sites=2)
    return folder


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Two machines on loopback, each processes of its own, to which this process is connected."""
    ray = pytest.importorskip("ray")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RAY_TMPDIR": "/tmp",  # names of sockets must be short
    }
    common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=100000000", "--block"]

    def start(*words: str) -> subprocess.Popen[bytes]:
        command = [
            str(Path(sys.executable).with_name("ray")),
            "start",
            *words,
            *common,
            "--disable-usage-stats",
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env=environment, start_new_session=True, **quiet)

    def nodes(wanted: int) -> None:
        deadline = time.monotonic() + 120
        while sum(node["Alive"] for node in ray.nodes()) != wanted:
            assert time.monotonic() < deadline, ray.nodes()
            time.sleep(0.5)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    machines = [start("--head", f"--port={port}", "--include-dashboard=false")]
    address = f"127.0.0.1:{port}"
    monkeypatch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("RAY_ADDRESS", address)  # for drivers in processes of their own
    try:
        connect(ray, address)
        machines.append(start(f"--address={address}"))
        nodes(2)
        yield lambda: kill(machines[1]), nodes
    finally:
        ray.shutdown()
        for machine in machines:
            kill(machine)


def connect(ray, address: str) -> None:
    """Connect to a cluster that is just being started."""
    deadline = time.monotonic() + 120
    while True:
        try:
            ray.init(address=address, log_to_driver=False, _node_ip_address="127.0.0.1")
        except (ConnectionError, RuntimeError, ValueError):
            assert time.monotonic() < deadline
            time.sleep(1)
        else:
            return


def kill(machine: subprocess.Popen[bytes]) -> None:
    """End all processes of a machine at once, as when its power goes."""
    for process in descendants(machine.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    machine.wait(timeout=60)


def descendants(parent: int) -> list[int]:
    """List a process and all that it started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [parent]
    for process in found:
        found += children.get(process, [])
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own modules, and of the processes that are killed
def test_a_cluster_that_loses_a_machine_writes_what_one_process_writes(made, tmp_path, cluster) -> None:
    lose_one, _ = cluster
    steps = iter_encode(
        open_plate(made / "P1"), None, str(made / "model"), tmp_path / "s", shard_sites=2, engine="ray"
    )
    done = []
    for step in steps:
        if step.stage == "fields":
            done.append(step.done)
            if len(done) == 1:
                lose_one()
    assert done == sorted(done)
    assert done[-1] == 24
    assert files(tmp_path / "s") == files(made / "local")
    screen = Screen.open(tmp_path / "s")
    assert len(screen.failures) == 1

    # A driver that is started again finds everything done, and one shard that is lost is made again.
    lost = next((tmp_path / "s" / "fields").rglob("shard-00003.parquet"))
    lost.unlink()
    again = [step.done for step in iter_encode(
        open_plate(made / "P1"), None, str(made / "model"), tmp_path / "s", engine="ray"
    ) if step.stage == "fields"]  # fmt: skip
    assert again == [22, 24]
    assert files(tmp_path / "s") == files(made / "local")


DRIVER = """
import sys
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
encode(open_plate(sys.argv[1]), None, sys.argv[2], sys.argv[3], shard_sites=2, engine="ray")
"""


def driver(*words: Path) -> subprocess.Popen[bytes]:
    """Start a run on the cluster in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", DRIVER, *map(str, words)], env=environment)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_driver_that_was_killed_goes_on_beside_that_of_another_plate(made, tmp_path, cluster) -> None:
    """Many plates are a command each, into one screen; what a killed one left is taken up by the next."""
    out, model = tmp_path / "s", made / "model"
    plate, other = (write_tiff_plate(tmp_path / n, wells=WELLS, sites=s) for n, s in (("P1", 20), ("P2", 4)))
    for one in (plate, other):
        encode(open_plate(one), None, str(model), tmp_path / "local", shard_sites=2)
    first = driver(plate, model, out)
    deadline = time.monotonic() + 240
    while not (before := sorted(out.glob("fields/*/P1/shard-*.parquet"))):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kept = {path: path.stat().st_mtime_ns for path in before}
    first.kill()
    first.wait(timeout=60)
    assert not list(out.glob("wells/*/P1*")), "it was killed in the middle"
    drivers = [driver(plate, model, out), driver(other, model, out)]
    assert [one.wait(timeout=300) for one in drivers] == [0, 0]
    assert files(out) == files(tmp_path / "local")
    assert {path: path.stat().st_mtime_ns for path in before} == kept, "what was there is not made again"
    assert Screen.open(out).complete


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_writes_into_an_object_store(made, bucket, cluster) -> None:  # noqa: F811
    """The store is asked for by the driver and by the workers, which find it by their environment."""
    # Ray writes its settings as a debug message that cannot be formatted, which pytest takes for a failure.
    logging.getLogger("ray.data._internal.execution.streaming_executor").setLevel(logging.INFO)
    for _ in iter_encode(
        open_plate(made / "P1"), None, str(made / "model"), bucket, shard_sites=2, engine="ray"
    ):
        pass
    assert tables(screen_folder(bucket)) == files(made / "local")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore", "ignore::ResourceWarning")
@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_any_worker_writes_the_same_shard_twice_without_harm(
    made, tmp_path, monkeypatch, place, request
) -> None:
    """The function that workers run, without a cluster."""
    out = tmp_path / "s" if place == "folder" else request.getfixturevalue("bucket")
    works: list[PlateWork] = []

    def run(work: PlateWork, model) -> list:
        works.append(pickle.loads(pickle.dumps(work)))  # as it reaches a worker
        actors = [ShardActor(works[0], "cpu") for _ in range(2)]
        for shard in work.todo():
            for actor in actors:
                actor({"shard": [shard]})
        return []

    monkeypatch.setattr(ENCODE, "run_on_ray", run)
    encode(open_plate(made / "P1"), None, str(made / "model"), out, shard_sites=2, engine="ray")
    assert works[0].todo() == list(range(12))
    assert tables(screen_folder(out)) == files(made / "local")


def test_a_worker_with_another_encoder_is_refused(made, tmp_path, monkeypatch) -> None:
    refused: list[Path] = []

    def run(work: PlateWork, model) -> list:
        other = tmp_path / "other"
        write_tiny_model(other, seed=1)
        with pytest.raises(ScreenError, match="another channel encoder on a worker"):
            ShardActor(PlateWork(**{**vars(work), "model": str(other)}), "cpu")
        refused.append(other)
        return []

    monkeypatch.setattr(ENCODE, "run_on_ray", run)
    for _ in iter_encode(open_plate(made / "P1"), None, str(made / "model"), tmp_path / "s", engine="ray"):
        pass
    assert refused


def test_without_ray_it_says_what_to_install(made, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ScreenError, match=r"napari-cellclip\[ray\]"):
        encode(open_plate(made / "P1"), None, str(made / "model"), tmp_path / "s", engine="ray")
