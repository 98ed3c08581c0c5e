"""Parts of a plate's shards, encoded by processes that know of each other only by the files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, check_screen, encode, iter_encode
from napari_cellclip.screen.storage.lock import WRITER
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import write_tiff_plate, write_tiny_model

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "clusters.md"
PARTS = 3
WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")


def files(folder: Path) -> dict[str, bytes]:
    """Everything that a run leaves, but who held the lock."""
    found = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in {WRITER, ".lock"}
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def take(steps) -> list[str]:
    return [step.message for step in steps]


@pytest.fixture
def whole(tmp_path, make_plate, make_model) -> Path:
    encode(make_plate(broken=["P1/A02/1"]), None, make_model(), tmp_path / "whole", shard_sites=2)
    return tmp_path / "whole"


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 2, 3, 1, 1)])
def test_parts_in_any_order_make_the_screen_of_one_run(
    tmp_path, whole, make_plate, make_model, order
) -> None:
    out = tmp_path / "parts"
    for turn, number in enumerate(order):
        model = make_model()
        take(iter_encode(make_plate(broken=["P1/A02/1"]), None, model, out, shard_sites=2, part=(number, 3)))
        missing = set(order) - set(order[: turn + 1])
        assert list(out.glob("wells/*/*.parquet")) == [] if missing else Screen.open(out).complete
        if number in order[:turn]:
            assert not model.encoded, "run again, a part encodes nothing"
    assert files(out) == files(whole)


def test_plates_in_any_order_make_the_same_screen(tmp_path, make_plate, make_model) -> None:
    """Of plates that are encoded at once, no one knows which takes the lock first."""
    names = ("P1", "P2", "P10")
    for out, order in (("a", names), ("b", names[::-1])):
        for name in order:
            take(iter_encode(make_plate(name, broken=[f"{name}/A02/1"]), None, make_model(), tmp_path / out))
    assert files(tmp_path / "b") == files(tmp_path / "a")
    assert tuple(Screen.open(tmp_path / "b").plates) == names


def test_a_part_reads_its_own_sites_alone(tmp_path, make_plate, make_model) -> None:
    take(iter_encode(make_plate(), None, make_model(), tmp_path, shard_sites=2, part=(1, 3)))
    second = make_plate()
    take(iter_encode(second, None, make_model(), tmp_path, shard_sites=2, part=(2, 3)))
    plan = Screen.open(tmp_path)._tables.plans["P1"]
    assert set(second.reads) == set(plan.index[plan["Metadata_shard"] % 3 == 1])


def test_what_another_part_is_writing_is_left(tmp_path, make_plate, make_model) -> None:
    """A part that begins takes the lock, whose remains of killed runs are no files of running ones."""
    take(iter_encode(make_plate(), None, make_model(), tmp_path, shard_sites=2, part=(1, 3)))
    folder = next(tmp_path.glob("fields/*/P1"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        names = {"running": other.pid, "ended": 2**22 + 1}
        from napari_cellclip.screen.storage.files import _host

        paths = {n: folder / f".shard-00001.parquet.{_host()}-{pid}-0badcafe.tmp" for n, pid in names.items()}
        far = folder / ".shard-00001.parquet.00000000-1-0badcafe.tmp"
        old = folder / ".shard-00002.parquet.00000000-1-0badcafe.tmp"
        for path in (*paths.values(), far, old):
            path.touch()
        os.utime(old, (0, 0))
        take(iter_encode(make_plate(), None, make_model(), tmp_path, shard_sites=2, part=(3, 3)))
        assert (paths["running"].exists(), paths["ended"].exists()) == (True, False)
        assert (far.exists(), old.exists()) == (True, False)
        other.communicate(b"\n")


def test_a_damaged_shard_is_made_again_by_its_part(tmp_path, whole, make_plate, make_model) -> None:
    shard = next(whole.glob("fields/*/P1/shard-00001.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content[:-9])
    again = {"shard_sites": 2, "previews": True}
    said = take(iter_encode(make_plate(broken=["P1/A02/1"]), None, make_model(), whole, part=(1, 3), **again))
    assert not any("making again" in text for text in said)
    said = take(iter_encode(make_plate(broken=["P1/A02/1"]), None, make_model(), whole, part=(2, 3), **again))
    assert any("making again" in text for text in said)
    assert shard.read_bytes() == content


def test_check_names_a_plate_whose_last_part_was_killed_before_its_wells(
    tmp_path, whole, make_plate, make_model
) -> None:
    for wells in whole.glob("wells/*/*.parquet"):
        wells.unlink()
    (finding,) = check_screen(whole)
    assert "it is missing" in finding.what
    take(iter_encode(make_plate(broken=["P1/A02/1"]), None, make_model(), whole, shard_sites=2, part=(3, 3)))
    assert check_screen(whole) == []


@pytest.mark.parametrize("part", [(0, 3), (4, 3), (1, 0)])
def test_parts_that_do_not_exist_are_refused(tmp_path, make_plate, make_model, part) -> None:
    with pytest.raises(ScreenError, match="there is no part"):
        take(iter_encode(make_plate(), None, make_model(), tmp_path / "s", part=part))
    with pytest.raises(ScreenError, match="leave out the other engine"):
        take(iter_encode(make_plate(), None, make_model(), tmp_path / "s", part=(1, 2), engine="ray"))


def recipe(language: str) -> str:
    """Text of the recipe in the documentation."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


PROGRAM = f'#!/bin/sh\nexec {sys.executable} -m napari_cellclip.cli "$@"\n'


def started(command: list[str], folder: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start a shell that finds our program, a thread for each process."""
    program = folder / "bin" / "napari-cellclip"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(PROGRAM)
        program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(command, env=environment, start_new_session=True)


def placed(script: str, folder: Path) -> str:
    """A script with the folders of a test in place of those of the documentation."""
    for name in ("plates", "my-model", "my-screen"):
        script = script.replace(f"/data/{name}", str(folder / name))
    return script


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SLURM is")
def test_the_slurm_recipe_run_by_processes_of_which_one_is_killed(tmp_path) -> None:
    """The script of the documentation itself; a shell in place of sbatch gives each task its variables."""
    plate = write_tiff_plate(tmp_path / "plates" / "P1", wells=WELLS, sites=12)
    (plate / "B02_s3_ER.tiff").write_bytes(b"no image")
    write_tiny_model(tmp_path / "my-model")
    encode(open_plate(plate), None, str(tmp_path / "my-model"), tmp_path / "local")
    script, screen = tmp_path / "encode.sh", tmp_path / "my-screen"
    script.write_text(placed(recipe("bash"), tmp_path))

    def task(number: int) -> subprocess.Popen[bytes]:
        numbers = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": str(PARTS)}
        return started(["bash", str(script), "P1"], tmp_path, **numbers)

    tasks = [task(number) for number in range(1, PARTS + 1)]
    deadline = time.monotonic() + 240
    while not (screen / "plates").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(tasks[1].pid, signal.SIGKILL)
    assert [t.wait(timeout=240) for t in tasks] == [0, -signal.SIGKILL, 0]
    assert task(2).wait(timeout=240) == 0
    assert task(1).wait(timeout=240) == 0, "a task may be run twice"
    assert Screen.open(screen).complete
    assert files(screen) == files(tmp_path / "local")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Nextflow is")
def test_the_command_of_the_nextflow_recipe_for_many_plates_at_once(tmp_path) -> None:
    """The script block of the process, its inputs put in, for each pair that the workflow combines."""
    write_tiny_model(tmp_path / "my-model")
    for name in ("P1", "P2"):
        plate = write_tiff_plate(tmp_path / "plates" / name, wells=WELLS, sites=6)
        encode(open_plate(plate), None, str(tmp_path / "my-model"), tmp_path / "local")
    text = placed(recipe("groovy"), tmp_path)
    block = re.search(r'"""(.*?)"""', text, re.DOTALL)
    pattern = re.search(r"params\.plates = '(.*)'", text)
    assert block
    assert pattern
    inputs = re.findall(r"val(?:\((\w+)\)| (\w+))", text)
    assert ["".join(one) for one in inputs] == ["plate", "shard", "shards"]
    plates, shards = sorted(tmp_path.glob(str(Path(pattern[1]).relative_to(tmp_path)))), 2
    tasks = []
    for plate, shard in product(plates, range(1, shards + 1)):
        values = {"plate": plate, "shard": shard, "shards": shards}
        command = re.sub(r"\$\{(\w+)\}", lambda found, values=values: str(values[found[1]]), block[1])
        tasks.append(started(["bash", "-ue", "-c", command], tmp_path))
    assert [task.wait(timeout=240) for task in tasks] == [0] * 4
    assert Screen.open(tmp_path / "my-screen").complete
    assert files(tmp_path / "my-screen") == files(tmp_path / "local")
