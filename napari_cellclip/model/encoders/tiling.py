"""Cutting a field into the crops that a channel encoder sees, the same ones every time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class Tiling(BaseModel):
    """Crops of a field that are encoded; part of the model card.

    Attributes
    ----------
    mode : {"center", "grid", "random"}
        One crop in the middle; as many as cover the whole field, evenly spread; or `n` at places drawn from
        `seed`, the same places in every field of one size.
    size : int
        Side of a crop in pixels. A smaller field is filled up by reflection.
    n : int
        Number of crops in mode ``"random"``.
    seed : int
        Seed in mode ``"random"``.

    Examples
    --------
    >>> Tiling(mode="grid", size=224).corners(520, 696)[:3]
    [(0, 0), (0, 157), (0, 315)]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    mode: Literal["center", "grid", "random"] = "grid"
    size: int = Field(default=224, ge=4, le=4096)
    n: int = Field(default=1, ge=1, le=4096)
    seed: int = Field(default=0, ge=0)

    def corners(self, height: int, width: int, stride: int | None = None) -> list[tuple[int, int]]:
        """Upper left corner (row, column) of each crop of a field, after it was filled up to `size`.

        Parameters
        ----------
        height, width : int
            Of the field, pixels.
        stride : int, optional
            In mode ``"grid"``: crops overlap so that their corners lie at most so far apart.
        """
        free = (max(0, height - self.size), max(0, width - self.size))
        if self.mode == "center":
            return [(free[0] // 2, free[1] // 2)]
        if self.mode == "random":
            rng = np.random.default_rng(self.seed)
            rows, columns = (rng.integers(0, f + 1, self.n).tolist() for f in free)
            return list(zip(rows, columns, strict=True))
        rows, columns = (_spread(f, stride or self.size) for f in free)
        return [(row, column) for row in rows for column in columns]

    def crops(self, field: NDArray[np.generic]) -> NDArray[np.generic]:
        """Cut a field of [C, Y, X] into crops [n, C, size, size]; all stains share each window."""
        return np.stack(list(self.windows(field)))

    def windows(self, field: NDArray[np.generic], stride: int | None = None) -> Iterator[NDArray[np.generic]]:
        """Cut the crops [C, size, size] of a field one after the other, in the order of `corners`."""
        filled, size = _fill(field, self.size), self.size
        for row, column in self.corners(field.shape[1], field.shape[2], stride):
            yield filled[:, row : row + size, column : column + size]


def _spread(free: int, stride: int) -> list[int]:
    """Fewest starts from 0 to `free`, evenly spread and at most `stride` apart."""
    count = -(-free // stride) + 1
    return [round(free * i / (count - 1)) for i in range(count)] if count > 1 else [0]


def _fill(field: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    """Fill a small field up to `size` by reflection, evenly on both sides."""
    missing = [max(0, size - extent) for extent in field.shape[1:]]
    if not any(missing):
        return field
    # A single row or column has nothing to reflect: symmetric padding repeats it.
    return np.pad(field, [(0, 0), *((m // 2, m - m // 2) for m in missing)], mode="symmetric")
