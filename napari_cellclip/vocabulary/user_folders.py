"""Folders of this program in the user's account; `platformdirs` knows where each system wants them."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP = "napari-cellclip"


def from_home(path: str | os.PathLike[str]) -> Path:
    """Read a path as a shell does: ``~`` and ``~user`` are home folders.

    Unlike :meth:`pathlib.Path.expanduser` it never fails: a name such as ``~$plate.xlsx``, where there is no
    such user, stays as it is, and a missing file is told as one.
    """
    return Path(os.path.expanduser(path))


def cache_folder() -> Path:
    r"""Find the folder for what can be made or fetched again: models, samples, accepted licences.

    Returns
    -------
    Path
        ``NAPARI_CELLCLIP_CACHE`` where that is set. Otherwise ``napari-cellclip`` in the user's cache:
        ``~/.cache`` (or ``XDG_CACHE_HOME``) on Linux, ``~/Library/Caches`` on macOS,
        ``%LOCALAPPDATA%\napari-cellclip\Cache`` on Windows. It may not exist yet.
    """
    if named := os.environ.get("NAPARI_CELLCLIP_CACHE"):
        return from_home(named)
    return platformdirs.user_cache_path(APP, appauthor=False)


def state_folder() -> Path:
    """Find the folder for what the program remembers: recent files, stain mappings that were confirmed.

    Returns
    -------
    Path
        ``NAPARI_CELLCLIP_CACHE`` where that is set; otherwise the user's state folder, such as
        ``~/.local/state/napari-cellclip`` on Linux. It may not exist yet.
    """
    if named := os.environ.get("NAPARI_CELLCLIP_CACHE"):
        return from_home(named)
    return platformdirs.user_state_path(APP, appauthor=False)
