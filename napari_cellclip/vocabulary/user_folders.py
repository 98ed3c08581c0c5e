"""Folders of this program in the user's account; `platformdirs` knows where each system wants them."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP = "napari-cellclip"


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
        return Path(named).expanduser()
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
        return Path(named).expanduser()
    return platformdirs.user_state_path(APP, appauthor=False)
