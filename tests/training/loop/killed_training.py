"""A training in a process of its own: python -m tests.training.loop.killed_training FOLDER SEED [--die].

With --die it is killed in the middle of its third epoch; else its weights are in FOLDER/weights.pt.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from napari_cellclip.training.config_sections import ValidationConfig
from napari_cellclip.training.loop.curves import Curves
from tests.training.toy_problem import CONFIG, fit, network, toy_bags

SETTINGS = replace(CONFIG, epochs=5, word_dropout=0.1, text="lora")
VALIDATING = ValidationConfig(patience=3)
KILLED_AT = 10
"""Of 4 steps an epoch: the third is half done."""


def train(folder: Path, seed: int = 0) -> dict[str, object]:
    """Run it, or what is left of it, and return the weights."""
    net = network(seed)
    fit(
        net,
        toy_bags(),
        SETTINGS,
        unknown_token=2,
        validation=toy_bags(12, seed=5),
        validating=VALIDATING,
        checkpoint=folder / "checkpoint.pt",
        log=folder,
    )
    return dict(net.state_dict())


if __name__ == "__main__":
    add = Curves.add

    def add_and_die(self: Curves, step: int, epoch: int, figures: Mapping[str, float]) -> None:
        add(self, step, epoch, figures)
        if step == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)

    if "--die" in sys.argv:
        Curves.add = add_and_die  # type: ignore[method-assign]
    into = Path(sys.argv[1])
    torch.save(train(into, int(sys.argv[2])), into / "weights.pt")
