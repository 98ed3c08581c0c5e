"""The curves of a run: a CSV always, TensorBoard where asked for."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG_FILE = "log.csv"
TENSORBOARD_FOLDER = "tensorboard"

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "learning_rate",
    "temperature",
    "gradient_norm",
    *(f"validation_{name}" for name in ("mrr", "r@1", "r@5", "r@10", "map")),
)
"""One row a step; validation figures (means of both directions) stand in the last row of their epoch, and in
row 0 what they were before the first step."""


class Curves:
    """Writes the curves; without a folder it does nothing.

    Parameters
    ----------
    folder : Path or None
        Where ``log.csv`` goes.
    tensorboard : bool
        Also write TensorBoard events.
    position : int
        Bytes of an earlier part of the run's log that stay; what a killed run wrote after its last checkpoint
        is cut off, and written again.
    step : int
        Steps done before.

    Raises
    ------
    CellClipError
        If TensorBoard is asked for and not installed.
    """

    def __init__(
        self, folder: Path | None, *, tensorboard: bool = False, position: int = 0, step: int = 0
    ) -> None:
        self._file: io.BufferedRandom | None = None
        self._events: SummaryWriter | None = None
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if tensorboard:
            self._events = _events(folder / TENSORBOARD_FOLDER, step)
        path = folder / LOG_FILE
        path.touch()
        position = position if path.stat().st_size >= position else 0
        self._file = path.open("r+b")
        self._file.truncate(position)
        self._file.seek(position)
        if position == 0:
            self._write(COLUMNS)

    @property
    def position(self) -> int:
        """Bytes written, all of them on disk."""
        if self._file is None:
            return 0
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def add(self, step: int, epoch: int, figures: Mapping[str, float]) -> None:
        """Write the figures of a step; what is not known stays empty."""
        row = {"step": step, "epoch": epoch, **figures}
        if self._file is not None:
            self._write([_plain(row[name]) if name in row else "" for name in COLUMNS])
            self._file.flush()
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(name.replace("validation_", "validation/"), value, step)

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()

    def _write(self, row: tuple[str, ...] | list[str]) -> None:
        assert self._file is not None
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(row)
        self._file.write(text.getvalue().encode())


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8g}"


def _events(folder: Path, step: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise CellClipError(
            'TensorBoard is not installed: pip install "napari-cellclip[train]", or set log.tensorboard ='
            " false"
        ) from error
    return SummaryWriter(str(folder), purge_step=step or None)
