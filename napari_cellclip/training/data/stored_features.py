"""Features of bags that stay in the screen's shards, and are read when a batch draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Read = Callable[[Sequence[str]], NDArray[np.floating]]
"""Takes site ids, and returns their features, (n, stains, D)."""


class StoredFeatures:
    """The features of a bag's fields, float16 (fields, stains, D), on disk until somebody asks for some.

    It stands where an array would, for the little that training asks of one: its shape, some of its rows, all
    of it. Rows picked by numbers are read and are an array; a slice is again a `StoredFeatures`.

    Parameters
    ----------
    read : callable
        Such as :meth:`Screen.features`.
    sites : sequence of str
        Ids of the fields.
    shape : (int, int)
        Stains and D.
    """

    ndim = 3
    dtype = np.dtype(np.float16)

    def __init__(
        self,
        read: Callable[[Sequence[str]], NDArray[np.floating]],
        sites: Sequence[str],
        shape: tuple[int, int],
    ) -> None:
        self._read, self._sites, self._shape = read, tuple(sites), shape

    @property
    def shape(self) -> tuple[int, int, int]:
        """Fields, stains, D."""
        return len(self._sites), *self._shape

    def __len__(self) -> int:
        return len(self._sites)

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> Any:
        if isinstance(rows, slice):
            return StoredFeatures(self._read, self._sites[rows], self._shape)
        return self._read([self._sites[int(row)] for row in rows]).astype(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("features on disk have to be read into a new array")
        return self._read(self._sites).astype(dtype or self.dtype)

    @staticmethod
    def joined(parts: Sequence[StoredFeatures]) -> StoredFeatures:
        """Join the fields of several wells of one screen."""
        sites = [site for part in parts for site in part._sites]
        return StoredFeatures(parts[0]._read, sites, parts[0]._shape)
