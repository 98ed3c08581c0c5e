"""Addresses of plates that are not on this computer: which texts are one, and what they may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_cellclip.vocabulary import PlateError

GALLERY = "cpg"
"""Protocol of the Cell Painting Gallery: ``cpg://cpg0016-jump/source_4/BR00123947``."""

OMERO = "omero"
"""Protocol of plates on an OMERO server: ``omero://server/plate/123``."""

STORES = ("s3", "gs", "gcs", "az", "abfs", "http", "https")
"""Protocols that fsspec reads; of ``http`` and ``https``, which list no folders, only OME-Zarr."""

# `Path("s3://bucket")` has lost a slash, and has others on Windows.
_REMOTE = re.compile(
    rf"({'|'.join((*STORES, GALLERY, OMERO))}):[/\\]{{1,2}}(?=[^/\\])(.+)", re.IGNORECASE | re.DOTALL
)

# What OMERO.web shows of a plate.
_OMERO_WEB = re.compile(
    r"(?P<host>[^/?#]+)(?:/[^?#]*)?/webclient/?\?show=plate-(?P<id>\d{1,15})", re.IGNORECASE
)

LONGEST_ADDRESS = 4096
"""Characters of an address, and of a key in a store (S3 allows 1024 bytes)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A place in a store.

    Attributes
    ----------
    protocol : str
        One of `STORES`, `GALLERY` or `OMERO`.
    place : str
        What follows ``://``, without a slash at its end: bucket and key, or host and path.
    """

    protocol: str
    place: str

    def __str__(self) -> str:
        return f"{self.protocol}://{self.place}"

    @property
    def name(self) -> str:
        """Last part of the place, for a plate or a folder."""
        return self.place.partition("?")[0].rsplit("/", 1)[-1]

    @property
    def is_web(self) -> bool:
        """Whether a web server is asked, which lists no folders."""
        return self.protocol in ("http", "https")

    def below(self, relative: str) -> Address:
        """Address of something below this one; `relative` is safe already."""
        return Address(self.protocol, f"{self.place}/{relative}") if relative else self


def remote_address(path: str | Path) -> Address | None:
    """Read the address of a remote plate; ``None`` for what is a path on this computer.

    Parameters
    ----------
    path : str or Path
        What a user typed. A ``Path`` made of an address, which has lost a slash, is understood too.

    Raises
    ------
    PlateError
        If it is an address with parts that no address has (``..``, control characters, a password).

    Examples
    --------
    >>> str(remote_address(Path("s3://bucket/plate/")))
    's3://bucket/plate'
    >>> remote_address("C:/plates/BR1") is None
    True
    """
    text = str(path).strip()
    found = _REMOTE.fullmatch(text[: LONGEST_ADDRESS + 1])
    if found is None:
        return None
    place = found[2].replace("\\", "/").rstrip("/")
    shown = text if len(text) < 200 else text[:200] + "…"
    if len(text) > LONGEST_ADDRESS or any(ord(c) < 32 for c in place):
        raise PlateError(f"{shown!r} is no address of a plate: it is too long or holds control characters")
    if any(part in ("", ".", "..") for part in place.split("/")):
        raise PlateError(f"{shown!r} is no address of a plate: parts of it are empty or dots")
    if "@" in place.split("/")[0]:
        raise PlateError("names and passwords in an address would be stored with the screen: leave them out")
    address = Address(found[1].lower(), place)
    if address.is_web and (shown_by_omero := _OMERO_WEB.fullmatch(place)):
        return Address(OMERO, f"{shown_by_omero['host']}/plate/{shown_by_omero['id']}")
    return address


def relative_name(key: str, prefix: str) -> str | None:
    """Make the relative name of a remote file below `prefix`, ``None`` where it is unsafe as a local name.

    Keys of a store are text that anybody may have written: names with ``..``, backslashes, colons or control
    characters, and names too long for a disk, are not mirrored.
    """
    if not key.startswith(prefix) or len(key) > LONGEST_ADDRESS:
        return None
    relative = key[len(prefix) :]
    return relative if is_safe(relative) else None


def is_safe(relative: str) -> bool:
    """Tell whether a relative name with ``/`` can lie in a folder of any system and nowhere else."""
    parts = PurePosixPath(relative).parts
    return (
        bool(parts)
        and "/".join(parts) == relative
        and not any(c in relative for c in '\\:*?"<>|')
        and not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in relative)  # halves of characters, too
        and all(part not in (".", "..", "/", "//") and len(part.encode()) <= 200 for part in parts)
        and len(relative) <= 1024
    )
