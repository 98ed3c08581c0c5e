"""The gradient of a whole contrastive batch, a few wells at a time (Gao et al. 2021, arXiv 2101.06983).

Embeddings are first computed without a graph, chunk by chunk; the loss of all of them gives the gradient with
respect to each embedding; then every chunk is computed again, with the same random numbers, and its part of
that gradient is propagated. Memory is that of one chunk, the gradient that of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_cellclip.training.loop.distributed import Processes

Forward = Callable[[], tuple[Tensor, ...]]
"""Computes one chunk: any number of tensors with a row for each of its samples."""


class Chunk:
    """A chunk of a batch, computed now and differentiated later.

    Parameters
    ----------
    forward : callable
        Gives the chunk's outputs; called twice unless the graph is kept.
    keep : bool
        Keep the graph of the first pass, where all of the batch fits.
    device : torch.device
        Whose random numbers are replayed besides the CPU's.

    Attributes
    ----------
    outputs : tuple of Tensor
        Detached.
    """

    def __init__(self, forward: Forward, *, keep: bool, device: torch.device) -> None:
        self._forward, self._device = forward, device
        self._state = None if keep else _random_state(device)
        with torch.set_grad_enabled(keep):
            found = forward()
        self._graph = found if keep else None
        self.outputs = tuple(tensor.detach() for tensor in found)

    def backward(self, gradients: Sequence[Tensor | None]) -> None:
        """Propagate gradients with respect to the outputs; ``None`` where nothing depends on one."""
        if self._graph is not None:
            _backward(self._graph, gradients)
            self._graph = None
            return
        assert self._state is not None
        with _replayed(self._state, self._device):
            outputs = self._forward()
        _backward(outputs, gradients)


def batch_backward(
    image: Sequence[Chunk],
    text: Sequence[Chunk],
    text_order: Tensor,
    loss_of: Callable[[Tensor, Tensor, Tensor], Tensor],
    shared: Sequence[nn.Parameter],
    processes: Processes,
    *,
    gather_pooled: bool = True,
    scale: Callable[[Tensor], Tensor] = lambda loss: loss,
) -> float:
    """Add the gradient of a contrastive batch to the weights; over all processes it is the whole one.

    Parameters
    ----------
    image : sequence of Chunk
        Outputs are unit embeddings [b, E] and pooled features [b, C, D].
    text : sequence of Chunk
        Outputs are unit embeddings [b, E], in any order of the samples.
    text_order : Tensor of int64, shape (n,)
        Where in the concatenated text outputs each sample of this process is.
    loss_of : callable
        Image and text embeddings and pooled features of all processes to the loss.
    shared : sequence of Parameter
        Weights the loss uses itself, such as the temperature.
    processes : Processes
        Whose embeddings belong to the batch.
    gather_pooled : bool
        Whether the loss looks at the pooled features.
    scale : callable
        Of the loss before differentiation, as fp16 wants it.

    Returns
    -------
    float
        The loss, not scaled.
    """
    own_image = torch.cat([chunk.outputs[0] for chunk in image])
    own_pooled = torch.cat([chunk.outputs[1] for chunk in image])
    own_text = torch.cat([chunk.outputs[0] for chunk in text])[text_order]
    n = len(own_image)
    leaves = [
        processes.gather(own_image).requires_grad_(),
        processes.gather(own_text).requires_grad_(),
        (processes.gather(own_pooled) if gather_pooled else own_pooled).requires_grad_(),
    ]
    with torch.enable_grad():
        loss = loss_of(*leaves)
        gradients = torch.autograd.grad(scale(loss), [*leaves, *shared], allow_unused=True)
    mine = slice(processes.rank * n, (processes.rank + 1) * n)
    d_image, d_text = (_of(gradient, mine) for gradient in gradients[:2])
    d_pooled = _of(gradients[2], mine) if gather_pooled else gradients[2]
    for parameter, gradient in zip(shared, gradients[3:], strict=True):
        if gradient is not None:  # every process has found the whole of it
            part = gradient / processes.world
            parameter.grad = part if parameter.grad is None else parameter.grad + part
    start = 0
    for chunk in image:
        rows = slice(start, start + len(chunk.outputs[0]))
        chunk.backward([_of(d_image, rows), _of(d_pooled, rows)])
        start = rows.stop
    if d_text is not None:
        in_chunks = torch.empty_like(d_text)
        in_chunks[text_order] = d_text
        start = 0
        for chunk in text:
            rows = slice(start, start + len(chunk.outputs[0]))
            chunk.backward([in_chunks[rows]])
            start = rows.stop
    return float(loss.detach())


def _of(gradient: Tensor | None, rows: slice) -> Tensor | None:
    return None if gradient is None else gradient[rows]


def _backward(outputs: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    pairs = [
        (output, gradient)
        for output, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and output.requires_grad
    ]
    if pairs:
        torch.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    own = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), own


@contextmanager
def _replayed(state: tuple[Tensor, Tensor | None], device: torch.device) -> Iterator[None]:
    """Random numbers from this state on; those outside go on as if nothing had been drawn."""
    cpu, own = state
    with torch.random.fork_rng([device] if own is not None else []):
        torch.set_rng_state(cpu)
        if own is not None:
            torch.cuda.set_rng_state(own, device)
        yield
