"""Training from the terminal: settings in a file, options over it, several processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.model import load_model
from napari_cellclip.training.config import RunConfig
from tests.cli.cli_terminal import call, succeed

QUICK = ("--epochs", 1, "--device", "cpu")


def test_the_printed_settings_are_a_file_to_begin_with(tmp_path: Path) -> None:
    text = succeed("train", "--print-config", "--out", "m", "--epochs", 3, "--loss", "clip").stdout
    run = RunConfig.from_dict(tomllib.loads(text))
    assert (run.model.out, run.training.epochs, run.training.loss) == ("m", 3, "clip")
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    again = succeed("train", "--config", tmp_path / "run.toml", "--print-config", "--seed", 0, "--epochs", 5)
    found = RunConfig.from_dict(tomllib.loads(again.stdout))
    assert (found.training.epochs, found.training.loss, found.training.seed) == (5, "clip", 0)
    assert found.model.out == str(tmp_path / "m")


def test_a_run_from_its_file(screen_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        f"data: {{screens: ['{screen_folder}']}}\nmodel: {{out: mine, device: cpu}}\n"
        "split: {fractions: [0.6, 0.2, 0.2]}\ntraining: {epochs: 2, batch: 8, loss: clip}\n",
        encoding="utf-8",
    )
    done = succeed("train", "--config", tmp_path / "run.yaml", "--epochs", 1)
    assert done.stdout.strip() == str(tmp_path / "mine")
    folder = tmp_path / "mine"
    assert {"card.json", "run.toml", "log.csv"} <= {path.name for path in folder.iterdir()}
    card = load_model(folder, device="cpu").card
    assert card.training["training"]["epochs"] == 1
    assert card.training["training"]["loss"] == "clip"
    assert set(card.scores) == {"mechanisms-by-words", "retrieval-validation", "retrieval-test"}
    assert RunConfig.read(folder / "run.toml").training.epochs == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "name at least one screen"),
        (("--loss", "hinge", "--out", "m"), 1, "training.loss"),
        (("--split", "position", "--out", "m"), 1, "split.by"),
        (("--config", "absent.toml"), 2, "absent.toml"),
    ],
)
def test_wrong_commands(words: tuple[str, ...], code: int, says: str) -> None:
    refused = call("train", *words)
    assert refused.exit_code == code
    assert says in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr


def test_where_to_is_asked_for(screen_folder: Path) -> None:
    refused = call("train", screen_folder)
    assert refused.exit_code == 2
    assert "--out" in refused.stderr


# Without a GPU too: as ``--cpu`` accelerate starts several processes by MPI alone, and else one.
ACCELERATE = (
    "accelerate.commands.launch",
    "--multi_gpu",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
)
LAUNCHERS = {
    "accelerate": (*ACCELERATE, "--num_machines", "1", "--num_processes", "2", "--main_process_port", "PORT"),
    "accelerate on two machines": (
        *(*ACCELERATE, "--num_machines", "2", "--num_processes", "2", "--machine_rank", "RANK"),
        *("--main_process_ip", "127.0.0.1", "--main_process_port", "PORT"),
    ),
    "torchrun on two machines": (
        *("torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--node-rank", "RANK"),
        *("--master-addr", "127.0.0.1", "--master-port", "PORT"),
    ),
}
"""As the documentation says, two processes; the two machines are this one."""


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launched_twice_the_curve_is_that_of_one_process(
    screen_folder: Path, tmp_path: Path, launcher: str
) -> None:
    """With features on disk. A batch of 9 is 8 for two processes, so that one alone has another curve."""

    def verb(batch: int, out: str) -> list[str]:
        (tmp_path / f"{out}.toml").write_text(
            f'[data]\nscreens = ["{screen_folder}"]\nmemory = 0.0\n[model]\ndevice = "cpu"\n'
            f'[split]\nby = "none"\n[training]\nepochs = 3\nbatch = {batch}\n'
            'text = "frozen"\n',  # dropout of a tower differs between processes
            encoding="utf-8",
        )
        settings = ["--config", str(tmp_path / f"{out}.toml")]
        return ["-m", "napari_cellclip", "train", *settings, "--out", str(tmp_path / out)]

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launchers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m"),
                *({"RANK": str(rank), "PORT": port}.get(word, word) for word in LAUNCHERS[launcher]),
                *verb(9, "two"),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2 if "RANK" in LAUNCHERS[launcher] else 1)
    ]
    said = [one.communicate(timeout=400)[0].splitlines() for one in launchers]
    assert [one.returncode for one in launchers] == [0] * len(launchers)
    assert [lines.count(str(tmp_path / "two")) for lines in said] == [1, 0][: len(launchers)]
    assert "3 epochs" in load_model(tmp_path / "two", device="cpu").card.trained_on
    subprocess.run([sys.executable, *verb(8, "one")], env=environment, timeout=400, check=True)
    one, two = (pd.read_csv(tmp_path / name / "log.csv") for name in ("one", "two"))
    assert len(one) == len(two) > 3
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-5)
