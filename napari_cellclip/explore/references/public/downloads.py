"""Fetch files of public data sets: checked by SHA-256, gone on with after an interruption."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from napari_cellclip.explore.references.public.public_sets import PublicFile
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.errors import reason_of

CHUNK = 1 << 18
TIMEOUT_S = 60.0


def is_whole(path: Path, wanted: PublicFile) -> bool:
    """Tell whether a file is there with the size and checksum it should have."""
    return path.is_file() and path.stat().st_size == wanted.size and _digest(path) == wanted.sha256


def fetch(wanted: PublicFile, folder: Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch one file into a folder, unless it is there already.

    What an interrupted download left is kept in a ``.part`` file, and the rest asked for; a server that sends
    all of it again is read from the start.

    Parameters
    ----------
    wanted : PublicFile
    folder : Path
        Made if absent.
    progress : callable, optional
        Called with the bytes there are and those there will be.

    Raises
    ------
    CellClipError
        If the server cannot be reached or refuses, or sends something other than what was published.
    """
    file, part = folder / wanted.name, folder / f"{wanted.name}.part"
    if is_whole(file, wanted):
        return file
    folder.mkdir(parents=True, exist_ok=True)
    there = part.stat().st_size if part.exists() else 0
    if there > wanted.size:
        part.unlink()
        there = 0
    if there < wanted.size:
        try:
            _receive(wanted, part, there, progress)
        except HTTPError as error:
            error.close()  # it holds the answer, and its connection
            raise CellClipError(
                f"{wanted.address} answers {error.code} ({error.reason}): fetch {wanted.name} by other means"
                " and give its folder with --from"
            ) from None
        except (URLError, OSError) as error:
            reason = reason_of(getattr(error, "reason", error))
            raise CellClipError(
                f"{wanted.name} could not be fetched ({reason}): try again, which goes on from where it"
                " stopped, or give a folder that holds it (napari-cellclip references install --from)"
            ) from None
    if not is_whole(part, wanted):
        short = part.stat().st_size < wanted.size
        if not short:
            part.unlink()
        raise CellClipError(
            f"{wanted.name} ended early: try again, which goes on from where it stopped"
            if short
            else f"{wanted.name} is not the file that was published (its checksum differs): it was deleted"
        )
    os.replace(part, file)
    return file


def _receive(wanted: PublicFile, part: Path, there: int, progress: Callable[[int, int], None] | None) -> None:
    headers = {"Accept": "application/vnd.github.raw", "User-Agent": "napari-cellclip"}
    if there:
        headers["Range"] = f"bytes={there}-"
    with urlopen(Request(wanted.address, headers=headers), timeout=TIMEOUT_S) as answer:
        goes_on = there > 0 and answer.status == 206
        done = there if goes_on else 0
        with part.open("ab" if goes_on else "wb") as out:
            while done <= wanted.size and (block := answer.read(min(CHUNK, wanted.size + 1 - done))):
                out.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, wanted.size)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
