"""Arrays made of a screen and kept on disk: beside the screen, or in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.vocabulary import ScreenError
from napari_cellclip.vocabulary.regular_files import require_regular
from napari_cellclip.vocabulary.user_folders import cache_folder

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

ABOUT, DIGEST = "about", "sha256"
"""Keys of a file's own metadata."""


def folders_for(screen: Screen, kind: str) -> tuple[Path, ...]:
    """Choose where to keep something made of a screen; the first that can be written is used.

    Beside the screen, where everybody who opens it finds it; else in the user's cache folder: for screens of
    an object store, and where nothing may be written. None for screens that are on no disk.
    """
    place: Any = screen.path
    local = isinstance(place, Path)
    if place is None or (local and not (place / "screen.json").is_file()):
        return ()
    name = hashlib.sha256(str(place.resolve() if local else place).encode()).hexdigest()[:32]
    cached = cache_folder() / "screens" / name / kind
    return (place / kind, cached) if local else (cached,)


def write_arrays(
    folders: tuple[Path, ...],
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
    *,
    most: int,
) -> Path | None:
    """Write arrays and what is said about them into the first folder that can be written, whole.

    Parameters
    ----------
    folders : tuple of Path
        See :func:`folders_for`.
    name : str
        Of the file.
    arrays : mapping of str to ndarray
    about : mapping
        Goes into JSON.
    most : int
        Files left in the folder: those written last.

    Returns
    -------
    Path or None
        The file; ``None`` where none of the folders can be written, or the disk is full.
    """
    from safetensors.numpy import save

    content: bytes | None = None
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if content is None:
                whole = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
                text = json.dumps(about)
                content = save(whole, {ABOUT: text, DIGEST: _digest(whole, text)})
            write_whole(folder / name, content)
            _forget(folder, Path(name).suffix, most)
        except (OSError, ScreenError):
            continue
        return folder / name
    return None


def read_arrays(
    folders: tuple[Path, ...],
    name: str,
    make: Callable[[dict[str, NDArray[Any]], dict[str, Any]], Any],
    *,
    largest: int,
) -> Any | None:
    """Read what :func:`write_arrays` has written, from the first folder that has it whole.

    Parameters
    ----------
    folders, name
        As of that function.
    make : callable
        Makes something of the arrays and what is said about them; a `ValueError`, `KeyError` or `TypeError`
        of it means that they do not fit.
    largest : int
        Bytes beyond which a file is not read.

    Returns
    -------
    object or None
        ``None`` where there is no such file, or it is damaged: not one bit of it may have changed.
    """
    from safetensors import SafetensorError, safe_open

    for folder in folders:
        path = folder / name
        try:
            if require_regular(path).stat().st_size > largest:
                continue
            with safe_open(path, framework="numpy") as file:
                stated = file.metadata() or {}
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping
            if stated[DIGEST] == _digest(arrays, stated[ABOUT]):
                return make(arrays, json.loads(stated[ABOUT]))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return None


def _digest(arrays: Mapping[str, NDArray[Any]], about: str) -> str:
    digest = hashlib.sha256(about.encode())
    for key in sorted(arrays):
        value = arrays[key]
        digest.update(repr((key, value.dtype.str, value.shape)).encode())
        digest.update(value.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _forget(folder: Path, suffix: str, most: int) -> None:
    files = sorted(folder.glob(f"*{suffix}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[most:]:
        path.unlink(missing_ok=True)
