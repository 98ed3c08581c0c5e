"""Which weights of a run are kept, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class Best:
    """The best validation so far, with its weights.

    Parameters
    ----------
    patience : int
        Validations without a better one after which a run is over; 0: never.
    every : int
        Epochs between validations.
    saved : mapping
        What `state` gave earlier in the run.

    Attributes
    ----------
    epoch : int or None
        Of the best validation.
    score : float or None
        What it reached.

    Examples
    --------
    >>> best = Best(patience=2)
    >>> network = nn.Linear(1, 1)
    >>> [best.see(network, epoch, score) for epoch, score in enumerate((0.1, 0.3, 0.2, 0.3), start=1)]
    [True, True, False, False]
    >>> best.epoch, best.over(4)
    (2, True)
    """

    def __init__(self, patience: int, every: int = 1, saved: Mapping[str, Any] | None = None) -> None:
        self._patience, self._every = patience, every
        saved = saved or {}
        self.epoch: int | None = saved.get("epoch")
        self.score: float | None = saved.get("score")
        self._model: dict[str, Tensor] = dict(saved.get("model", {}))

    def see(self, network: nn.Module, epoch: int, score: float) -> bool:
        """Take the weights if they are better than all before; of equal ones the earlier stay."""
        if self.score is not None and score <= self.score:
            return False
        self.epoch, self.score = epoch, score
        self._model = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
        return True

    def over(self, epoch: int) -> bool:
        """Tell whether patience is at its end after this many epochs."""
        return bool(self._patience and self.epoch is not None) and (
            epoch - (self.epoch or 0) >= self._patience * self._every
        )

    def restore(self, network: nn.Module) -> None:
        """Put the best weights into the network."""
        if self._model:
            network.load_state_dict(self._model)

    @property
    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"epoch": self.epoch, "score": self.score, "model": self._model} if self._model else {}
