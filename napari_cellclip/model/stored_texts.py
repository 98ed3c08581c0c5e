"""Embeddings of texts, kept on disk between processes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST_TEXTS = 32_768
"""Texts kept, over all models: those written last. 64 MB of embeddings of 512 numbers."""

PATIENCE = 1.0
"""Seconds to wait for another process that writes; then it is as if nothing were kept."""

TABLE = (
    "CREATE TABLE IF NOT EXISTS texts"
    " (number INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, vector BLOB NOT NULL, digest BLOB NOT NULL)"
)


class StoredTexts:
    """Embeddings in a file of the user's cache folder, one for all models.

    Nothing depends on it: a file that is damaged is made anew, one that cannot be read or written is left
    alone.

    Parameters
    ----------
    path : Path
        The file, an SQLite database.
    weights : str
        What identifies all that turns token ids into an embedding; part of every key.
    dim : int
        Numbers of an embedding.
    """

    def __init__(self, path: Path, weights: str, dim: int) -> None:
        self.path, self.dim = path, dim
        self._weights = weights.encode()

    def key(self, tokens: NDArray[np.integer]) -> bytes:
        """Hash the token ids of a text, without padding: what prompt template and tokenizer made of it."""
        return hashlib.sha256(self._weights + b"\0" + np.asarray(tokens, "<i8").tobytes()).digest()

    def read(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Find the embeddings that are kept, float32 (E,) each."""
        if not self.path.exists():
            return {}
        find = "SELECT vector, digest FROM texts WHERE key = ?"
        try:
            with closing(self._open()) as file:
                rows = {key: file.execute(find, (key,)).fetchone() for key in keys}
        except sqlite3.Error as error:
            self._mend(error)
            return {}
        return {
            key: np.frombuffer(row[0], "<f4").astype(np.float32)
            for key, row in rows.items()
            if row is not None and self._whole(key, *row)
        }

    def write(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keep embeddings, and forget the oldest where there are too many."""
        rows = [(key, data := v.astype("<f4").tobytes(), _digest(key, data)) for key, v in vectors.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as file, file:
                file.executemany("INSERT OR REPLACE INTO texts (key, vector, digest) VALUES (?, ?, ?)", rows)
                newest = "SELECT number FROM texts ORDER BY number DESC LIMIT ?"
                file.execute(f"DELETE FROM texts WHERE number NOT IN ({newest})", (MOST_TEXTS,))
        except sqlite3.Error as error:
            self._mend(error)
        except OSError:
            return

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(self.path, timeout=PATIENCE)
        try:
            file.execute("PRAGMA synchronous = OFF")  # what a crash may damage is made anew
            file.execute(TABLE)
        except sqlite3.Error:
            file.close()
            raise
        return file

    def _whole(self, key: bytes, data: object, digest: object) -> bool:
        return isinstance(data, bytes) and len(data) == 4 * self.dim and digest == _digest(key, data)

    def _mend(self, error: sqlite3.Error) -> None:
        """Remove a damaged file; one that is locked, or where nothing may be written, is left alone."""
        if isinstance(error, sqlite3.OperationalError) and "no such column" not in str(error):
            return
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _digest(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(key + data, digest_size=8).digest()
