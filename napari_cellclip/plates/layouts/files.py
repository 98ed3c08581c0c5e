"""List the files of a plate's folder; links and paths that lead out of it are left alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.images.picture import PICTURE_SUFFIXES

TIFF_SUFFIXES = (".tif", ".tiff")
ZARR_MARKS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
"""Metadata files of a Zarr group or array."""

DEPTH = 6
"""How many levels of sub-folders are looked into."""

MAX_FILES = 2_000_000
"""How many files are looked at under one folder: beyond it, somebody opened a whole disk."""


def is_tiff(name: str) -> bool:
    """Tell whether a name ends as TIFF files do; hidden files (``._x.tif``) and thumbnails do not count."""
    lower = name.lower()
    return lower.endswith(TIFF_SUFFIXES) and not lower.startswith(".") and "_thumb" not in lower


def is_picture(name: str) -> bool:
    """Tell whether a name ends as PNG, JPEG and JPEG 2000 files do, thumbnails and hidden files left out."""
    lower = name.lower()
    return lower.endswith(PICTURE_SUFFIXES) and not lower.startswith(".") and "_thumb" not in lower


def files_in(folder: Path, root: Path | None = None) -> tuple[list[Path], list[Path]]:
    """List the files directly in a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    root : Path, optional
        Where links may lead; ``folder`` itself unless given.

    Returns
    -------
    files : list of Path
        Sorted by name; links that stay inside ``root`` among them.
    refused : list of Path
        Links that lead out of ``root``.
    """
    files: list[Path] = []
    refused: list[Path] = []
    inside = (root or folder).resolve()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() and not _leads_inside(entry.path, inside):
                refused.append(Path(entry.path))
            elif entry.is_file():
                files.append(Path(entry.path))
    return sorted(files, key=str), sorted(refused, key=str)


def folders_in(folder: Path) -> list[Path]:
    """Real folders (no links) directly in a folder, sorted, hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(
            Path(e.path) for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")
        )


def files_under(root: Path) -> tuple[list[Path], list[Path]]:
    """List the files under a folder and its sub-folders.

    Returns
    -------
    files, refused : list of Path
        As :func:`files_in`.
    """
    files: list[Path] = []
    refused: list[Path] = []
    for folder in _walk(root, DEPTH):
        found, left = files_in(folder, root)
        files += found
        refused += left
        if len(files) > MAX_FILES:
            break
    return files, refused


def refused_links(refused: Iterable[Path]) -> list[Problem]:
    """Tell of each link that leads out of the plate's folder and was therefore not followed."""
    return [Problem(f.name, "is a link out of the plate's folder and was left alone") for f in refused]


def first_files(root: Path, limit: int) -> tuple[list[str], bool]:
    """List the files among the first entries under a folder: quick, also on a whole disk.

    Parameters
    ----------
    root : Path
        The folder. Zarr stores, at it or below, are not looked into: their chunks are no files of images.
    limit : int
        About how many entries are looked at; the folder in which that number is reached is the last one.

    Returns
    -------
    names : list of str
        Paths relative to ``root`` with ``/``, folder by folder.
    whole : bool
        Whether these are all files, and not the first ones.
    """
    names: list[str] = []
    seen = 0
    if is_zarr(root):
        return names, True
    for folder, folders, files in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = [f for f in sorted(folders) if len(place.parts) < DEPTH and not f.startswith(".")]
        folders[:] = [f for f in folders if not f.lower().endswith(".zarr")]
        names += [(place / file).as_posix() for file in sorted(files)]
        seen += 1 + len(files)
        if seen > limit:
            return names, False
    return names, True


def is_zarr(folder: Path) -> bool:
    """Tell whether a folder is a Zarr store of either version, by its name or its metadata files."""
    return folder.suffix.lower() == ".zarr" or any((folder / mark).is_file() for mark in ZARR_MARKS)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth:
        for child in folders_in(folder):
            if not child.name.lower().endswith(".zarr"):
                yield from _walk(child, depth - 1)


def _leads_inside(link: str, root: Path) -> bool:
    """Whether a link leads to something under a folder; one that leads round in a circle does not."""
    try:
        return Path(os.path.realpath(link, strict=True)).is_relative_to(root)
    except FileNotFoundError:  # nothing is there, as of a file that is missing
        return Path(os.path.realpath(link)).is_relative_to(root)
    except OSError:
        return False


def inside(root: Path, relative: str) -> Path | None:
    """Join a path found in metadata to a folder, ``None`` if it would lead out of it.

    Absolute paths, ``..`` and links out of ``root`` all give ``None``.
    """
    pure = PurePosixPath(relative.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in relative or not pure.parts:
        return None
    path = str(root)
    for part in pure.parts:
        path = os.path.join(path, part)
        # Only links are resolved: a plate has thousands of paths and hardly ever a link.
        if os.path.islink(path) and not _leads_inside(path, root.resolve()):
            return None
    return Path(path)
