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


@pytest.mark.slow
def test_launched_in_two_processes(screen_folder: Path, tmp_path: Path) -> None:
    """As the documentation says, on the CPU; only the first process writes and reports."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    more = ["--dynamo_backend", "no", "--mixed_precision", "no", "--main_process_port", str(port)]
    verb = ["-m", "napari_cellclip", "train", str(screen_folder), "--out", str(tmp_path / "mine")]
    done = subprocess.run(
        [sys.executable, *launcher, *more, *verb, "--split", "none", *map(str, QUICK)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count(str(tmp_path / "mine")) == 1
    model = load_model(tmp_path / "mine", device="cpu")
    assert "1 epochs" in model.card.trained_on
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


@pytest.mark.slow
def test_launched_on_two_machines_with_features_on_disk(screen_folder: Path, tmp_path: Path) -> None:
    """As the documentation says, both machines being this one: the curve is that of one process alone."""
    (tmp_path / "run.toml").write_text(
        f'[data]\nscreens = ["{screen_folder}"]\nmemory = 0.0\n[model]\ndevice = "cpu"\n[split]\nby = "none"\n'
        '[training]\nepochs = 3\nbatch = 8\ntext = "frozen"\n',  # dropout of a tower differs between processes
        encoding="utf-8",
    )
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    verb = ["-m", "napari_cellclip", "train", "--config", str(tmp_path / "run.toml"), "--out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            [
                # accelerate starts processors only by MPI; on GPUs it starts this very launcher.
                *[sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"],
                *["--node-rank", str(rank), "--master-addr", "127.0.0.1", "--master-port", str(port)],
                *[*verb, str(tmp_path / "two")],
            ],
            env=environment,
        )
        for rank in range(2)
    ]
    assert [machine.wait(timeout=400) for machine in both] == [0, 0]
    subprocess.run([sys.executable, *verb, str(tmp_path / "one")], env=environment, timeout=400, check=True)
    one, two = (pd.read_csv(tmp_path / name / "log.csv") for name in ("one", "two"))
    assert len(one) == len(two) > 3
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-5)
