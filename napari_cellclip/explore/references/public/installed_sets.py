"""Install reference sets in the cache folder, from public tables or files, and use them by name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from napari_cellclip.explore.references.building import build_references
from napari_cellclip.explore.references.files import SUFFIX, read_references, write_references
from napari_cellclip.explore.references.public.downloads import fetch, is_whole
from napari_cellclip.explore.references.public.public_sets import PUBLIC_SETS, PublicFile, PublicSet
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.screen.imports.profile_tables import read_profiles
from napari_cellclip.screen.progress import Progress, finished
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import cache_folder, from_home

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


def references_folder() -> Path:
    """Folder of installed reference sets; it may not exist yet."""
    return cache_folder() / "references"


def installed_references() -> list[str]:
    """List the names of installed reference sets."""
    return sorted(file.name.removesuffix(SUFFIX) for file in references_folder().glob(f"*{SUFFIX}"))


def installed_file(name: str) -> Path | None:
    """Return the file of an installed set; ``None`` if there is none of that name."""
    file = references_folder() / f"{name}{SUFFIX}"
    return file if _NAME.fullmatch(name) and file.is_file() else None


def named_references(name: str | Path) -> ReferenceSet:
    """Read a reference set by the name it is installed under, or by its file.

    Raises
    ------
    CellClipError
        If there is no such file and no set of that name, or it cannot be read.
    """
    if from_home(name).is_file():
        return read_references(name)
    if (file := installed_file(str(name))) is not None:
        return read_references(file)
    if str(name) in PUBLIC_SETS:
        raise CellClipError(
            f"the reference set {name} is not installed: napari-cellclip references install {name}"
        )
    known = ", ".join(installed_references()) or "none"
    raise CellClipError(f"there is no reference file {name}; installed sets: {known}")


def install_file(path: str | Path, *, name: str = "") -> Path:
    """Copy a reference file into the cache folder, once it could be read."""
    references = read_references(path)
    called = name or Path(path).name.removesuffix(".parquet").removesuffix(".references")
    if not _NAME.fullmatch(called):
        raise CellClipError(f"{called!r} cannot be the name of a reference set: use letters, digits, - and _")
    return write_references(references, references_folder() / f"{called}{SUFFIX}")


def install_public(
    which: PublicSet,
    *,
    given: Path | None = None,
    progress: Callable[[PublicFile, int, int], None] | None = None,
) -> Path:
    """Build a public reference set and keep it in the cache folder.

    Parameters
    ----------
    which : PublicSet
    given : Path, optional
        Folder or file that holds the tables; what it lacks is refused, nothing is fetched then.
    progress : callable, optional
        Called with file, bytes there are and bytes there will be.

    Raises
    ------
    CellClipError
        If a table is missing, is not the published one, or cannot be fetched.
    """
    return finished(iter_install_public(which, given=given, progress=progress))


def iter_install_public(
    which: PublicSet,
    *,
    given: Path | None = None,
    progress: Callable[[PublicFile, int, int], None] | None = None,
) -> Generator[Progress, None, Path]:
    """Install a public set, as :func:`install_public`, telling each file; may be closed at any step.

    What has been fetched is kept, so that closed work goes on from there.
    """
    folder = references_folder() / f"{which.name}-tables"
    found: dict[str, Path] = {}
    steps = len(which.files) + 1
    for number, file in enumerate(which.files):
        yield Progress(number, steps, f"Fetching {file.name}", stage="references")
        if given is not None:
            found[file.name] = _given(file, given)
        else:
            watch = None if progress is None else _watched(progress, file)
            found[file.name] = fetch(file, folder, progress=watch)
    yield Progress(steps - 1, steps, f"Building the references of {which.name}", stage="references")
    return write_references(build_public(which, found), references_folder() / f"{which.name}{SUFFIX}")


def build_public(which: PublicSet, found: dict[str, Path]) -> ReferenceSet:
    """Build a reference set from the tables of a public data set, by file name; one source a time point."""
    with tempfile.TemporaryDirectory(prefix="cellclip-references-") as made:
        screens, sources = [], []
        for hours, tables in _tables(which, found, Path(made)):
            annotations = found[which.annotations.name] if which.annotations is not None else None
            screens.append(_screen(which, tables, annotations, Path(made) / f"screen-{hours:g}"))
            sources.append(
                ReferenceSource(
                    f"{which.name} {hours:g} h", which.cell_line, hours, which.licence, which.attribution
                )
            )
        return build_references(screens, sources=sources)


def public_screen(which: PublicSet, found: dict[str, Path], hours: float, out: Path) -> Screen:
    """Import one time point of a public data set as a screen, such as for a study of it."""
    with tempfile.TemporaryDirectory(prefix="cellclip-references-") as made:
        tables = next(files for at, files in _tables(which, found, Path(made)) if at == hours)
        annotations = found[which.annotations.name] if which.annotations is not None else None
        return _screen(which, tables, annotations, out)


def _screen(which: PublicSet, tables: list[Path], annotations: Path | None, out: Path) -> Screen:
    return import_profiles(tables, out, annotations=annotations, cell_line=which.cell_line, model="")


def _tables(which: PublicSet, found: dict[str, Path], made: Path) -> Iterator[tuple[float, list[Path]]]:
    """Tables of each time point as this package reads them."""
    if not which.hours_column:
        for hours, files in which.tables.items():
            yield hours, [found[file.name] for file in files]
        return
    every = [found[file.name] for files in which.tables.values() for file in files]
    table = pd.concat([read_profiles(file) for file in every], ignore_index=True)
    own = table[which.hours_column]
    table = table.rename(columns=dict(which.columns))
    if "Metadata_mechanism" in table:
        named = ~table["Metadata_mechanism"].isin(which.no_mechanism)
        table["Metadata_mechanism"] = table["Metadata_mechanism"].where(named, "")
    if "Metadata_control_type" in table:  # a positive control is a treatment like any other here
        negative = table["Metadata_control_type"] == "Negative"
        table["Metadata_control_type"] = np.where(negative, "negcon", "")
    for hours, rows in table.groupby(own):
        file = made / f"{which.name}-{float(str(hours)):g}.parquet"
        rows.to_parquet(file, index=False)
        yield float(str(hours)), [file]


def _given(file: PublicFile, given: Path) -> Path:
    path = given if given.is_file() and given.name == file.name else given / file.name
    if not path.is_file():
        raise CellClipError(f"{given} does not hold {file.name}: give the folder with all files of the set")
    if not is_whole(path, file):
        raise CellClipError(f"{path} is not the file that was published: its checksum differs")
    return path


def _watched(
    progress: Callable[[PublicFile, int, int], None], file: PublicFile
) -> Callable[[int, int], None]:
    return lambda done, total: progress(file, done, total)
