"""Requests: what panels ask the controller to do, one dataclass for each kind.

A panel sends one with ``session.request(...)``; the controller looks up its handler by type. A new kind is a
dataclass here, a handler in ``gui/work``, and its line in ``gui/work/controller.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.vocabulary import Stain

if TYPE_CHECKING:
    from napari_cellclip.explore.references.choice import Evidence
    from napari_cellclip.explore.wording.wording import Prompt
    from napari_cellclip.gui.state.references import AddedReferences
    from napari_cellclip.plates.images.projection import Projection
    from napari_cellclip.screen.engines.choose_precision import WantedPrecision

Terms = str | tuple[str, ...]  # "mechanisms", "compounds" or "genes", or the terms themselves

NAMED = 3
"""Example wells that are named in the text of a query by example."""


@dataclass(frozen=True)
class Request:
    """Base of all requests."""


@dataclass(frozen=True)
class PlateOptions:
    """Options for files of a plate that do not say it themselves; as ``open_plate`` takes them.

    Attributes
    ----------
    pattern : str or None
        How the image files are named.
    image_root : Path or None
        Folder with the images that a table names.
    name : str or None
        Which plate to open where the files hold several.
    time : int or None
        Which time point.
    projection : {"max", "mean", "focus", "dna-focus"}
        What becomes of several focal planes.
    """

    pattern: str | None = None
    image_root: Path | None = None
    name: str | None = None
    time: int | None = None
    projection: Projection = "max"


@dataclass(frozen=True)
class OpenRequest(Request):
    """Open a plate folder, a load_data.csv, a screen folder, a plate map or a session file.

    Attributes
    ----------
    path : Path
        What the user chose or dropped.
    channels : dict of Stain to str, or None
        Stain mapping that overrides what the files say.
    options : PlateOptions
        How the files of a plate are read.
    """

    path: Path
    channels: dict[Stain, str] | None = None
    options: PlateOptions = PlateOptions()


@dataclass(frozen=True)
class PlateMapRequest(Request):
    """Read a plate map, as the user said its table is laid out.

    Attributes
    ----------
    path : Path
        The table.
    metadata : Path or None
        Compound table joined to it.
    decimal : {".", ","} or None
        Decimal sign of doses; found out unless given.
    sheet : str or None
        Sheet of a workbook.
    heading : int or None
        Line with the names of the columns, counted from 1.
    columns : tuple of (str, str or None)
        What is held by which column, where the names do not tell.
    """

    path: Path
    metadata: Path | None = None
    decimal: Literal[".", ","] | None = None
    sheet: str | None = None
    heading: int | None = None
    columns: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class OpenSessionRequest(Request):
    """Open what a session file names.

    Attributes
    ----------
    path : Path
        The file.
    moved : tuple of (Path, Path or None)
        Where data are that are not where the file says: old and new path, ``None`` for those left out.
    """

    path: Path
    moved: tuple[tuple[Path, Path | None], ...] = ()


@dataclass(frozen=True)
class SaveSessionRequest(Request):
    """Write a session file of what is open, asked, selected and looked at."""

    path: Path


@dataclass(frozen=True)
class ChannelPicturesRequest(Request):
    """Read a small picture of every channel of the open plate, mapped to a stain or not."""


@dataclass(frozen=True)
class SearchGalleryRequest(Request):
    """Search the Cell Painting Gallery.

    Attributes
    ----------
    wanted : tuple of (str, str)
        What is asked for, by parameter of :func:`napari_cellclip.search_gallery`.
    """

    wanted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FetchPlateRequest(Request):
    """Fetch a remote plate, or a part of it, into a folder, and open that.

    Attributes
    ----------
    address : str
        As ``open_plate`` takes it.
    out : Path
        Folder to write.
    wells, sites : tuple of str
        What to fetch; all where empty.
    """

    address: str
    out: Path
    wells: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenSampleRequest(Request):
    """Open the simulated 96-well sample plate, made on the first call."""


@dataclass(frozen=True)
class EncodeRequest(Request):
    """Encode the open plate, or go on where an earlier run was cancelled.

    Attributes
    ----------
    model : str
        Name of a model card, or a model folder.
    out : Path or None
        Screen folder; ``None`` for one in the cache.
    batch_size : int
        Crops per pass through the channel encoder; 0: as many as are fastest.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    accept_licence : bool
        Whether the user accepted the model's licence, so that its weights may be fetched.
    encoder, tokenizer : Path or None
        Local folders with the channel encoder and with ``vocab.txt``, where the model does not have them.
    retry_failed : bool
        Try the sites again that could not be used before.
    illumination : str
        ``"none"``, ``"estimate"``, ``"load_data"``, or a folder of functions.
    precision : str
        In which the channel encoder computes: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    """

    model: str = "demo"
    out: Path | None = None
    batch_size: int = 0
    device: str = "auto"
    accept_licence: bool = False
    encoder: Path | None = None
    tokenizer: Path | None = None
    retry_failed: bool = False
    illumination: str = "none"
    precision: WantedPrecision = "auto"


@dataclass(frozen=True)
class AskRequest(Request):
    """Score the wells of the open screen by a text, or by example wells. An empty text clears the answer.

    Attributes
    ----------
    text : str
        As typed; for examples, what stands in the query line.
    prompts : tuple of Prompt or str, or None
        Sent as they are, if the user chose them.
    combine : {"mean", "max"}
        How several prompts become one score.
    use_platemap : bool
        Whether mechanisms may be worded with compounds that the plate map lists, and its treatments are
        references.
    evidence : {"auto", "words", "look-alikes", "both"}
        What the answer shall rest on.
    structures : bool
        Whether likeness of structures is part of the look-alikes.
    references : AddedReferences or None
        References beside those of the plate map.
    ticked_off : tuple of str
        Names of reference treatments that are left out.
    like, but_not : tuple of str
        Ids of example wells, and of those an answer should not look like.
    """

    text: str
    prompts: tuple[Prompt | str, ...] | None = None
    combine: Literal["mean", "max"] = "mean"
    use_platemap: bool = True
    evidence: Evidence = "auto"
    structures: bool = True
    references: AddedReferences | None = None
    ticked_off: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    but_not: tuple[str, ...] = ()

    @classmethod
    def by_example(cls, like: Iterable[str], but_not: Iterable[str] = ()) -> AskRequest:
        """Ask for wells that look like these, and not like those (well ids)."""
        like, but_not = tuple(like), tuple(but_not)
        text = f"wells like {_named(like)}" + (f", not like {_named(but_not)}" if but_not else "")
        return cls(text, like=like, but_not=but_not)


@dataclass(frozen=True)
class MapRequest(Request):
    """Compute a map of the open screen: ``method`` is ``"pca"`` or ``"umap"``.

    Plates added to a screen are placed into the UMAP there was, unless a map of all is wanted ``anew``.
    """

    method: str
    anew: bool = False


@dataclass(frozen=True)
class MapPictureRequest(Request):
    """Lay the thumbnails of wells on the canvas, each at its place on the map, or on the plate looked at."""

    places: Literal["map", "plate"] = "map"


@dataclass(frozen=True)
class ShowRequest(Request):
    """Open the plate of the open screen that a well or site (id) is of, then show it."""

    identifier: str


@dataclass(frozen=True)
class VersusRequest(Request):
    """Draw wells (ids) beside each other at equal contrast; one alone beside its matched control."""

    wells: tuple[str, ...]


@dataclass(frozen=True)
class ExplainRequest(Request):
    """Compute what each stain adds to the scores of these wells (ids)."""

    wells: tuple[str, ...]


@dataclass(frozen=True)
class HeatMapRequest(Request):
    """Score the tiles of a site (id): the heat map shows which parts of the field match."""

    site: str


@dataclass(frozen=True)
class ExcludeRequest(Request):
    """Leave these sites (ids, each with its reason), and no others, out of their wells."""

    sites: Mapping[str, str]


@dataclass(frozen=True)
class CorrectRequest(Request):
    """Take batch effects out of the open screen's embeddings; ``"none"`` takes a correction off."""

    method: str


@dataclass(frozen=True)
class DescribeRequest(Request):
    """Rank terms by how well they fit these wells (ids)."""

    wells: tuple[str, ...]
    terms: Terms = "mechanisms"


@dataclass(frozen=True)
class AnnotateRequest(Request):
    """Find the best term of every treatment."""

    terms: Terms = "mechanisms"


@dataclass(frozen=True)
class NameClustersRequest(Request):
    """Name the clusters of the map by the terms that fit their wells."""

    terms: Terms = "mechanisms"


@dataclass(frozen=True)
class AddReferencesRequest(Request):
    """Add the reference treatments of another screen (a folder), or of a reference file."""

    path: Path


@dataclass(frozen=True)
class InstallReferencesRequest(Request):
    """Install a public reference set, fetched from its hosts, unless it is there; then add it."""

    name: str


@dataclass(frozen=True)
class RemoveReferencesRequest(Request):
    """Take references out again that were added from this path."""

    path: Path


@dataclass(frozen=True)
class MechanismsRequest(Request):
    """Test which mechanisms the assay can recognise by its reference treatments."""


@dataclass(frozen=True)
class CancelRequest(Request):
    """Cancel a piece of work; what an encoding run has written is kept."""

    task: Task


def _named(wells: tuple[str, ...]) -> str:
    return ", ".join(well.split("/")[-1] for well in wells[:NAMED]) + " …" * (len(wells) > NAMED)
