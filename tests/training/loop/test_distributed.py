"""Two processes that share each batch train as one process alone does."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellclip.training.loop.batches import Batches
from napari_cellclip.training.loop.distributed import Processes, processes
from napari_cellclip.vocabulary import CellClipError
from tests.training.loop.two_processes import RUNS, run_all
from tests.training.toy_problem import CONFIG, losses, toy_bags

NOTHING_LEARNT = ("visual.transformer.resblocks.0.attn.in_proj_bias", "image_pool.attention.bias")
"""A softmax does not see what is added to all its inputs: the gradient of these (of the former, its part for the
keys) is zero but for rounding, and Adam makes steps of rounding."""


def test_processes_draw_what_one_alone_would() -> None:
    bags = toy_bags()
    whole = Batches(bags, CONFIG)
    shares = [Batches(bags, CONFIG, rank=rank, world=4) for rank in range(4)]
    for step in (0, 3, 4, 17):
        one, parts = whole(step), [share(step) for share in shares]
        assert [len(part.images) for part in parts] == [4] * 4
        assert np.concatenate([part.captions for part in parts]).tolist() == one.captions.tolist()
        assert np.concatenate([part.groups for part in parts]).tolist() == one.groups.tolist()
        for row, image in enumerate(one.images):  # padded each to its own largest bag
            share = parts[row // 4].images[row % 4]
            fields = min(len(image), len(share))
            np.testing.assert_array_equal(share[:fields], image[:fields])
            assert not image[fields:].any()
            assert not share[fields:].any()


def test_too_few_wells_for_so_many_processes() -> None:
    with pytest.raises(CellClipError, match=r"5 bags .* leave 6 processes nothing"):
        Batches(toy_bags(5), CONFIG, world=6)


def test_alone_is_a_team_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = processes("cpu")
    assert (team.rank, team.world, team.main) == (0, 1, True)
    values = torch.arange(3.0)
    assert torch.equal(team.gather(values), values)
    assert team.agree("x") == "x"


def test_several_processes_need_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(CellClipError, match=r"napari-cellclip\[train\]"):
        processes("cpu")


@pytest.mark.slow
def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    """For every loss; with chunks, adapters and a frozen tower. Dropout is off."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "tests.training.loop.two_processes"]
    both = [
        subprocess.Popen(
            [*command, str(rank), str(port), str(tmp_path / "two")], cwd=Path(__file__).parents[3]
        )
        for rank in range(2)
    ]
    run_all(tmp_path / "one", Processes(torch.device("cpu")))
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    for name in RUNS:
        one, two = tmp_path / "one" / name, tmp_path / "two" / name
        curve = losses(one / "log.csv")
        assert len(curve) == 8
        np.testing.assert_allclose(losses(two / "log.csv"), curve, rtol=1e-5, err_msg=name)
        judged = [
            [row["validation_mrr"] for row in csv.DictReader((folder / "log.csv").read_text().splitlines())]
            for folder in (one, two)
        ]
        assert judged[0] == judged[1]
        alone = torch.load(one / "weights-0.pt", weights_only=True)
        first, second = (torch.load(two / f"weights-{rank}.pt", weights_only=True) for rank in range(2))
        for key, value in alone.items():
            assert torch.equal(first[key], second[key]), (name, key)
            if key not in NOTHING_LEARNT:
                torch.testing.assert_close(
                    first[key], value, rtol=1e-3, atol=2e-4, msg=lambda m, k=key: f"{k}: {m}"
                )
    assert not (tmp_path / "two" / "clip" / "checkpoint.partial").exists()
