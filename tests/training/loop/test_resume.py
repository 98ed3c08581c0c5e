"""A killed training goes on where it was; what is no checkpoint of it is refused and never executed."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_cellclip.training.config_sections import ValidationConfig
from napari_cellclip.training.loop.curves import Curves
from napari_cellclip.vocabulary import CellClipError
from tests.training.loop.killed_training import KILLED_AT
from tests.training.toy_problem import CONFIG, losses, network, run, toy_bags


@pytest.mark.slow
def test_killed_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    """Adapters, dropped words, dropout, validation and log included.

    All runs are processes of their own: libraries that other tests load may change how floats are rounded.
    """

    def trained(folder: str, seed: int, *more: str) -> int:
        words = [
            sys.executable,
            "-m",
            "tests.training.loop.killed_training",
            tmp_path / folder,
            str(seed),
            *more,
        ]
        return subprocess.run(words, cwd=Path(__file__).parents[3], check=False, timeout=300).returncode

    assert trained("whole", 0) == 0
    assert trained("parts", 0, "--die") == -signal.SIGKILL
    assert len(losses(tmp_path / "parts" / "log.csv")) == KILLED_AT
    found = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)
    assert (found["epoch"], found["step"]) == (2, 8)

    assert trained("parts", 17) == 0  # its own weights must not matter
    assert (tmp_path / "parts" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
    whole, continued = (
        torch.load(tmp_path / folder / "weights.pt", weights_only=True) for folder in ("whole", "parts")
    )
    assert continued.keys() == whole.keys()
    assert all(torch.equal(whole[name], value) for name, value in continued.items())


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    options = {"checkpoint": tmp_path / "checkpoint.pt", "log": tmp_path, "validation": toy_bags(8, seed=5)}
    first = run(network(), toy_bags(), replace(CONFIG, epochs=2), **options).state_dict()
    log = (tmp_path / "log.csv").read_text()
    again = run(network(4), toy_bags(), replace(CONFIG, epochs=2), **options).state_dict()
    assert all(torch.equal(first[name], value) for name, value in again.items())
    assert (tmp_path / "log.csv").read_text() == log


def test_patience_counts_over_an_interruption(tmp_path: Path) -> None:
    """With a rate of nothing no epoch is better than the first."""
    config = replace(CONFIG, epochs=9, rate=1e-12, warmup=0)
    options = {
        "checkpoint": tmp_path / "checkpoint.pt",
        "validation": toy_bags(8, seed=5),
        "validating": ValidationConfig(patience=3),
    }
    from napari_cellclip.training.loop.fit import iter_fit
    from tests.training.toy_problem import fit, tokenise

    steps = iter_fit(network(), toy_bags(), tokenise, config, **options)  # type: ignore[arg-type]
    assert [next(steps).done for _ in range(3)] == [1, 2, 3]
    steps.close()
    fitted = fit(network(), toy_bags(), config, **options)
    assert (fitted.best_epoch, fitted.epochs, fitted.stopped_early) == (1, 4, True)


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(
    "kind", ["pickle", "torch", "text", "hello", "other dict", "run as a list", "half", "cut"]
)
def test_what_is_no_checkpoint_is_refused_and_not_executed(kind: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "checkpoint.pt", tmp_path / "executed"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Harmful(mark), protocol=2))
    elif kind == "torch":
        torch.save({"run": {}, "epoch": Harmful(mark)}, path)
    elif kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "hello":
        path.write_bytes(b"hello world")
    elif kind == "run as a list":
        names = ("epoch", "step", "model", "optimiser", "scaler", "best")
        torch.save({name: {} for name in names} | {"run": ["loss", "clip"]}, path)
    elif kind == "other dict":
        torch.save({"model": {}}, path)
    else:
        run(network(), toy_bags(16), replace(CONFIG, epochs=1), checkpoint=path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if kind == "half" else whole[:-200])
    with pytest.raises(CellClipError, match=r"cannot be read as a checkpoint .*: remove it"):
        run(network(), toy_bags(16), replace(CONFIG, epochs=1), checkpoint=path)
    assert not mark.exists()


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path, config = tmp_path / "checkpoint.pt", replace(CONFIG, epochs=1)
    run(network(), toy_bags(16), config, checkpoint=path)
    for other in (network(layers=2), network(pooling="mean"), network(bias=True)):
        with pytest.raises(CellClipError, match="other architecture"):
            run(other, toy_bags(16), config, checkpoint=path)


def test_a_lost_log_is_begun_anew(tmp_path: Path) -> None:
    curves = Curves(tmp_path, position=1000, step=9)
    curves.add(10, 3, {"loss": 1.5})
    curves.close()
    header, row = (tmp_path / "log.csv").read_text().splitlines()
    assert header.startswith("step,epoch,loss")
    assert row.startswith("10,3,1.5,")


def test_tensorboard_gets_the_curves_where_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(network(), toy_bags(16), replace(CONFIG, epochs=1), log=tmp_path / "a", tensorboard=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "a" / "tensorboard"))
    events.Reload()
    assert [e.value for e in events.Scalars("loss")] == pytest.approx(losses(tmp_path / "a" / "log.csv"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(CellClipError, match=r"napari-cellclip\[train\]"):
        run(network(), toy_bags(16), replace(CONFIG, epochs=1), log=tmp_path / "b", tensorboard=True)
