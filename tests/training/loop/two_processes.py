"""What each of two processes runs: the same trainings as one process alone, the batch shared."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.loop.distributed import Processes, processes
from tests.training.toy_problem import CONFIG, fit, network, toy_bags

SHORT = replace(CONFIG, epochs=2, word_dropout=0.2)
RUNS: dict[str, TrainingConfig] = {
    **{
        loss: replace(SHORT, loss=loss)  # type: ignore[arg-type]
        for loss in ("clip", "cwcl", "cloob", "sigclip", "s2l", "bi_cwcl", "cwcl_ma")
    },
    "cwcl as published": replace(
        SHORT, loss_options={"reference_quirks": True}, same_perturbation="negative"
    ),
    "cwcl in chunks": replace(SHORT, micro_batch=3),
    "frozen text": replace(SHORT, text="frozen", word_dropout=0.0),
    "adapters": replace(SHORT, text="lora"),
}
"""Name of a run to its settings; dropout is off, for two processes draw other masks than one."""


def run_all(out: Path, team: Processes) -> None:
    """Train all of `RUNS`, leaving a log and weights of each in `out` (the first process's)."""
    for name, config in RUNS.items():
        net = network(dropout=False, bias=config.loss in ("sigclip", "s2l"))
        folder = out / name
        fit(
            net,
            toy_bags(),
            config,
            unknown_token=2,
            validation=toy_bags(8, seed=5),
            log=folder,
            checkpoint=folder / "checkpoint.pt",
            processes=team,
        )
        torch.save(net.state_dict(), folder / f"weights-{team.rank}.pt")


def start(rank: int, port: int, out: str) -> None:
    """One of two processes on this computer."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    team = processes("cpu")
    assert (team.rank, team.world, team.main) == (rank, 2, rank == 0)
    run_all(Path(out), team)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    start(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
