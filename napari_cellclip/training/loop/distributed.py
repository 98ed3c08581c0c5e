"""Several processes as one: embeddings gathered, gradients summed, decisions shared."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from napari_cellclip.model import resolve_device
from napari_cellclip.vocabulary import CellClipError

T = TypeVar("T")

_AT_ONCE = 1 << 25
"""Numbers of a gradient sent together (128 MB)."""


class Processes:
    """One process working alone; the others' work is nothing.

    Attributes
    ----------
    rank, world : int
        Which process this is, and of how many.
    device : torch.device
        What it computes on.
    """

    rank = 0
    world = 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @property
    def main(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def gather(self, values: Tensor) -> Tensor:
        """Rows of all processes in their order: [b, ...] to [world * b, ...], without gradient."""
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in place."""

    def agree(self, value: T) -> T:
        """Share the main process's value with every process."""
        return value

    def wait(self) -> None:
        """Until all processes are here."""


class Launched(Processes):
    """A process among those that ``accelerate launch`` or ``torchrun`` started.

    The loss of a contrastive batch needs all its embeddings, and its gradient with respect to a process's own
    ones is all that this process has to propagate: so embeddings are gathered as plain numbers, every process
    computes the same whole loss, and the gradients of the weights are summed at the end. Wrapping the network
    (as data-parallel training usually does) is not needed, and chunked batches need no special care.

    Parameters
    ----------
    device : str
        ``"cpu"`` to compute there, else whatever accelerate gives this process.

    Raises
    ------
    CellClipError
        If accelerate is not installed.
    """

    def __init__(self, device: str = "auto") -> None:
        try:
            from accelerate import Accelerator
        except ImportError as error:
            raise CellClipError(
                'training in several processes needs accelerate: pip install "napari-cellclip[train]"'
            ) from error
        self._accelerator = Accelerator(cpu=device == "cpu")
        super().__init__(self._accelerator.device)
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes

    def gather(self, values: Tensor) -> Tensor:
        """Rows of all processes in their order."""
        return self._accelerator.gather(values.detach().contiguous())

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, many small ones in one message."""
        waiting: list[Tensor] = []
        for gradient in [p.grad for p in parameters if p.grad is not None]:
            waiting.append(gradient)
            if sum(g.numel() for g in waiting) >= _AT_ONCE:
                self._sum(waiting)
                waiting = []
        if waiting:
            self._sum(waiting)

    def _sum(self, gradients: list[Tensor]) -> None:
        flat = self._accelerator.reduce(torch.cat([g.reshape(-1) for g in gradients]), reduction="sum")
        for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def agree(self, value: T) -> T:
        """Send the main process's value to every process."""
        from accelerate.utils import broadcast_object_list

        box: list[Any] = [value]
        broadcast_object_list(box, from_process=0)
        return box[0]

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()


def processes(device: str = "auto") -> Processes:
    """Return the processes this one belongs to: alone, unless a launcher started several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return Launched(device)
    return Processes(resolve_device(device))
