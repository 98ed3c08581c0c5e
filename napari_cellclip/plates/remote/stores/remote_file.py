"""What a store says of a file: its size and what tells its content from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from napari_cellclip.vocabulary import PlateError


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a store as the store describes it.

    Attributes
    ----------
    key : str
        Bucket and key, or the address without its protocol.
    size : int
        Bytes; -1 where a web server does not say it.
    modified : int
        Nanoseconds since 1970, 0 where the store does not say it.
    etag : str
        The store's mark of the content, empty where it has none.
    """

    key: str
    size: int
    modified: int = 0
    etag: str = ""

    @property
    def state(self) -> str:
        """Words that change when the content does."""
        return f"{self.size}|{self.etag or self.modified}"

    @classmethod
    def of_s3(cls, key: str, answer: Mapping[str, Any]) -> RemoteFile:
        """Describe a file by S3's answer: an entry of a list, or the head of an object."""
        size = answer["Size"] if "Size" in answer else answer["ContentLength"]
        return cls(key, int(size), _nanoseconds(answer.get("LastModified")), _mark(answer.get("ETag")))

    @classmethod
    def of_headers(cls, key: str, headers: Mapping[str, str]) -> RemoteFile:
        """Describe a file by the headers of a web server, which may say nothing true of its size."""
        stated = headers.get("Content-Length", "")
        size = int(stated) if stated.isdecimal() and len(stated) < 16 else -1
        return cls(key, size, _nanoseconds(headers.get("Last-Modified")), _mark(headers.get("ETag")))

    @classmethod
    def of_info(cls, key: str, info: Mapping[str, Any]) -> RemoteFile:
        """Describe a file as fsspec does for stores other than S3, each with its own names.

        Raises
        ------
        PlateError
            If it does not say how large the file is.
        """
        size = info.get("size")
        if not isinstance(size, int):
            raise PlateError(f"the store does not say how large {key} is: it was not fetched")
        when = next(
            (w for n in ("LastModified", "updated", "mtime", "last_modified") if (w := info.get(n))), None
        )
        mark = next((m for n in ("ETag", "etag", "md5Hash") if (m := info.get(n))), "")
        return cls(key, size, _nanoseconds(when), _mark(mark))


def _mark(etag: Any) -> str:
    return str(etag or "").strip('"')


def _nanoseconds(when: Any) -> int:
    try:
        if isinstance(when, str):
            try:
                when = datetime.fromisoformat(when)
            except ValueError:
                when = parsedate_to_datetime(when)
        return int(when.timestamp()) * 10**9 if when is not None else 0
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        return 0
