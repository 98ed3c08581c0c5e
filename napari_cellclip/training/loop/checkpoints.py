"""Where a run stands, on disk: written whole or not at all, read without executing anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_cellclip.vocabulary import CellClipError


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if it had not been stopped.

    Random numbers need no state of their own: those of each step follow from the seed and the step.

    Attributes
    ----------
    run : dict
        What the run depends on, named for a reader; continued only where all of it is the same.
    epoch, step : int
        Finished so far; the learning rate follows from the step.
    model, optimiser, scaler : dict
        State dicts.
    best : dict
        ``epoch``, ``score``, ``model`` of the best validation; empty where there was none.
    log : int
        Bytes of the log that belong to the steps done.
    """

    run: Mapping[str, Any]
    epoch: int
    step: int
    model: Mapping[str, Any]
    optimiser: Mapping[str, Any]
    scaler: Mapping[str, Any]
    best: Mapping[str, Any]
    log: int = 0

    def write(self, path: Path) -> None:
        """Replace the checkpoint at `path`; killed at any moment, the former one is still there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_of(path)
        with partial.open("wb") as file:
            torch.save(dict(vars(self)), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    @classmethod
    def read(cls, path: Path, run: Mapping[str, Any]) -> Checkpoint | None:
        """Read a checkpoint; ``None`` where there is none.

        Raises
        ------
        CellClipError
            If the file is no checkpoint, or that of another run.
        """
        if not path.exists():
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            found = cls(**state)
            parts = (found.run, found.model, found.optimiser, found.scaler, found.best)
            if not all(isinstance(part, Mapping) for part in parts):
                raise TypeError("a part is no mapping")
        except Exception as error:  # torch fails on damaged bytes in whatever way they lead it
            raise CellClipError(
                f"{path} cannot be read as a checkpoint of a training: remove it to start anew"
            ) from error
        if others := [name for name, value in run.items() if found.run.get(name) != value]:
            raise CellClipError(
                f"{path} belongs to a training with other {', '.join(others)}: remove this file to start"
                " anew, or train into another folder"
            )
        return found


def partial_of(path: Path) -> Path:
    """Name the file in which a checkpoint lies while it is written."""
    return path.with_suffix(".partial")
