"""The session file: JSON of what is open, by relative paths, and what was asked, selected and looked at."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_cellclip.gui.state.canvas_view import COMPOSITE
from napari_cellclip.gui.state.view import LEAST_SCORE
from napari_cellclip.vocabulary import CellClipError, Stain
from napari_cellclip.vocabulary.errors import reason_of
from napari_cellclip.vocabulary.significance import FDR

SUFFIX = ".cellclip"
ENDINGS = (SUFFIX, f"{SUFFIX}.json")
"""How names of session files end: ours, and that of who wants editors to see what is in it."""
FORMAT = 1
LARGEST = 100_000_000
"""Bytes of a session file that are believed: selections of a few million wells."""


class SessionFileError(CellClipError):
    """A session file that cannot be read or written."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredPlate(_Frozen):
    """A plate and how its files are read."""

    path: Path
    channels: dict[Stain, str] = Field(default_factory=dict)
    pattern: str | None = None
    image_root: Path | None = None
    name: str | None = None
    time: int | None = None
    projection: Literal["max", "mean", "focus", "dna-focus"] = "max"


class StoredPlateMap(_Frozen):
    """A plate map and how its table is read."""

    path: Path
    metadata: Path | None = None
    decimal: Literal[".", ","] | None = None
    sheet: str | None = None
    heading: int | None = None
    columns: dict[str, str | None] = Field(default_factory=dict)


class StoredPrompt(_Frozen):
    """A prompt as it was edited."""

    text: str
    weight: float = Field(1.0, allow_inf_nan=False)
    source: str = "typed"
    on: bool = True


class StoredView(_Frozen):
    """The fields of :class:`~napari_cellclip.gui.state.view.View`, but for the plate looked at."""

    colour_by: str = "score"
    statistic: Literal["mean", "median", "min", "max", "sd"] = "mean"
    clip: bool = True
    thumbnails: bool = False
    map_thumbnails: bool = True
    side_by_side: bool = False
    highlight: Literal["significant", "score", "all"] = "significant"
    threshold: float = Field(LEAST_SCORE, allow_inf_nan=False)
    fdr: float = Field(FDR, gt=0, lt=1)
    map_method: Literal["umap", "pca"] = "umap"
    evidence: Literal["auto", "words", "look-alikes", "both"] = "auto"
    structures: bool = True
    use_platemap: bool = True
    filter: str = ""
    hits: Literal["treatments", "wells", "gallery"] = "treatments"
    tab: str | None = None


class StoredCanvas(_Frozen):
    """The fields of :class:`~napari_cellclip.gui.state.canvas_view.CanvasState`."""

    composite: tuple[Stain, ...] = Field(COMPOSITE, min_length=1)
    solo: Stain | None = None
    contrast: Literal["plate", "well"] = "plate"
    arranged: Literal["field", "mosaic", "versus"] = "field"
    beside: tuple[str, ...] = ()
    count: Literal[2, 4] = 2


class StoredQuery(_Frozen):
    """Question of a session; on which evidence is part of the view."""

    text: str
    prompts: tuple[StoredPrompt, ...] | None = None
    combine: Literal["mean", "max"] = "mean"
    ticked_off: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    but_not: tuple[str, ...] = ()


class SessionFile(_Frozen):
    """All that a session file holds.

    Attributes
    ----------
    format : int
        Of the file.
    plate, platemap, screen, references
        The data.
    model : str
        Chosen for encoding.
    query : StoredQuery or None
        What was asked.
    prompts : tuple of StoredPrompt or None
        The prompts of the answer, where they were changed and not yet sent.
    view : StoredView
        How wells were coloured and highlighted, which hits were listed, on which evidence was answered.
    canvas : StoredCanvas
        How fields were drawn.
    looked_at, shown : str or None
        The plate looked at, and the site on the canvas.
    selection, selections
        Ids of the wells selected, and of those saved by name.
    """

    format: int = FORMAT
    plate: StoredPlate | None = None
    platemap: StoredPlateMap | None = None
    screen: Path | None = None
    references: tuple[Path, ...] = ()
    model: str = "demo"
    query: StoredQuery | None = None
    prompts: tuple[StoredPrompt, ...] | None = None
    view: StoredView = StoredView()
    canvas: StoredCanvas = StoredCanvas()
    looked_at: str | None = None
    shown: str | None = None
    selection: tuple[str, ...] = ()
    selections: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def needed(self) -> Iterator[tuple[str, Path]]:
        """Yield the data that have to be there, each with a word for it."""
        if self.plate is not None:
            yield "plate", self.plate.path
            if self.plate.image_root is not None:
                yield "image folder", self.plate.image_root
        if self.platemap is not None:
            yield "plate map", self.platemap.path
            if self.platemap.metadata is not None:
                yield "compound table", self.platemap.metadata
        if self.screen is not None:
            yield "screen", self.screen
        for path in self.references:
            yield "reference", path

    def moved(self, places: Mapping[Path, Path]) -> SessionFile:
        """Return the same with data at other places."""
        return self.with_paths(lambda path: places.get(path, path))

    def without(self, left_out: Iterable[Path]) -> SessionFile:
        """Return the same without the data at some paths, and without what is read by means of them."""
        gone = set(left_out)

        def kept(model: Any, *names: str) -> Any:
            return None if gone & {getattr(model, name, None) for name in names} else model

        return self.model_copy(
            update={
                "plate": kept(self.plate, "path", "image_root"),
                "platemap": kept(self.platemap, "path", "metadata"),
                "screen": None if self.screen in gone else self.screen,
                "references": tuple(path for path in self.references if path not in gone),
            }
        )

    def with_paths(self, change: Callable[[Path], Path]) -> SessionFile:
        """Return the same with every path changed."""

        def changed(path: Path) -> Path:
            return path if is_address(path) else change(path)

        def of(model: Any, *names: str) -> Any:
            if model is None:
                return None
            paths = {name: getattr(model, name) for name in names}
            return model.model_copy(update={n: changed(p) for n, p in paths.items() if p is not None})

        return self.model_copy(
            update={
                "plate": of(self.plate, "path", "image_root"),
                "platemap": of(self.platemap, "path", "metadata"),
                "screen": changed(self.screen) if self.screen is not None else None,
                "references": tuple(changed(path) for path in self.references),
            }
        )


def is_address(path: Path) -> bool:
    """Tell whether it is no path on this computer but an address, as ``s3://bucket/plate``."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+]+:[/\\]", str(path)) is not None


def is_session_name(path: Path) -> bool:
    """Tell whether a file is named as session files are."""
    return path.name.endswith(ENDINGS)


def write_session_file(path: Path, content: SessionFile) -> None:
    """Write a session file, whole or not at all; paths become relative to its folder where they can.

    Raises
    ------
    SessionFileError
        If it cannot be written.
    """
    folder = path.absolute().parent

    def relative(data: Path) -> Path:
        try:
            return Path(os.path.relpath(data, folder))
        except ValueError:  # another drive
            return data

    text = content.with_paths(relative).model_dump_json(indent=1)
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise SessionFileError(
            f"{path} cannot be written ({reason_of(error)}): choose another folder"
        ) from None


def read_session_file(path: Path) -> SessionFile:
    """Read a session file; its paths become absolute.

    Raises
    ------
    SessionFileError
        If it cannot be read, is no session file, or was written by a newer program.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise SessionFileError(f"{path} is larger than a session can be: check that it is the right file")
        found = SessionFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SessionFileError(
            f"{path} cannot be read ({reason_of(error)}): check the path and the file"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        part = ".".join(str(name) for name in first["loc"])
        why = f"{part}: {first['msg']}" if part else "it is cut off, or another kind of file"
        raise SessionFileError(
            f"{path} is no session file ({why}): open its plate or screen and save anew"
        ) from None
    if found.format > FORMAT:
        raise SessionFileError(f"{path} was written by a newer program: install its version to open it")
    folder = path.absolute().parent
    return found.with_paths(lambda data: Path(os.path.normpath(folder / data)))
