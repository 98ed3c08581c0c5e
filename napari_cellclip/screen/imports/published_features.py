"""Feature files (HDF5) of the published CellCLIP code as screens: to map, to train on, and to ask."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.plates.layouts.published.published_names import parse_published_name
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.screen.imports.published_captions import (
    captions_of_wells,
    perturbation_of_caption,
    read_captions,
)
from napari_cellclip.screen.screen import Screen
from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.screen.storage.labels import table_of
from napari_cellclip.vocabulary import STAINS, Perturbation, PlateMapError, ScreenError, Stain
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    import h5py

    from napari_cellclip.model import Model, ModelCard

PUBLISHED_ORDER = (Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA)
"""Stains of the published Bray features; other data sets went through the published code in other orders."""

ENCODER = "facebook/dinov2-giant"
_IDS = ("well_id", "names")


@dataclass(frozen=True)
class _Row:
    """The well and site of one row of the file; no site if it is the bag of a whole well."""

    index: int
    plate: str
    well: str
    site: str


def import_published_features(
    path: str | Path,
    out: str | Path,
    *,
    model: Model | None = None,
    captions: str | Path | None = None,
    stain_order: tuple[Stain, ...] = PUBLISHED_ORDER,
    encoder: str = ENCODER,
    plate: str = "",
) -> Screen:
    """Read a feature file of the published code into a screen folder.

    Parameters
    ----------
    path : path
        HDF5 with ``embeddings``, [N, M, 5, D] (bags of M fields, padded with zeros) or [N, 5, D], and the ids
        of its rows as ``well_id`` or ``names``.
    out : path
        Screen folder, made if absent.
    model : Model, optional
        Whose head embeds the wells at once, such as ``load_model("cellclip")``; its encoder must give D
        numbers a stain. Where not given, the screen shows mean features until a head was trained on it.
    captions : path, optional
        Caption table that says what was done to the wells; its words are kept as ``Metadata_prompt``.
    stain_order : tuple of Stain
        Stain of each of the five rows. The file does not say it; by default that of the Bray features. The
        published code stored CP-JUMP1 as RNA, DNA, AGP, Mito, ER and RxRx3-core as ER, RNA, Mito, DNA, AGP.
    encoder : str
        What made the features, where no model is given: files of one encoder can be trained on together.
    plate : str
        For ids that name no plate; the file's name where not given.

    Returns
    -------
    Screen

    Raises
    ------
    ScreenError
        If the file is damaged or no such file, its ids are of no known form, it does not fit the model, or
        h5py is not installed.

    Examples
    --------
    >>> import_published_features("bray_dinov2.h5", "screen", captions="captions.csv")   # doctest: +SKIP
    Screen('screen', 384 wells of 24277, model 'features-1f2e3d4c')
    """
    file = from_home(path)
    if sorted(stain_order) != sorted(STAINS):
        raise ScreenError(f"stain_order must name each of {', '.join(STAINS)} once")
    with _opened(file) as data:
        stored, names = data["embeddings"], _names(data, file)
        width = _width(stored, file)
        rows = _rows(names, plate or file.stem, file, bags=stored.ndim == 4)
        if model is not None:
            card, feature_list = _fitting(model, width), ""
        else:
            card, feature_list = _headless(width, encoder, stain_order)
        order = [stain_order.index(stain) for stain in card.stain_order]
        by_well = (
            None if captions is None else captions_of_wells(read_captions(captions), plate=plate or file.stem)
        )
        if by_well is not None and not any(f"{row.plate}/{row.well}" in by_well.index for row in rows):
            raise ScreenError(f"none of the captions is of a well of {file}: is it another data set's table?")
        by_plate: dict[str, list[_Row]] = {}
        for row in rows:
            by_plate.setdefault(row.plate, []).append(row)
        measured = (  # one at a time: a whole data set fills no small memory
            _measured(name, of_plate, stored, order, by_well, file, with_means=model is None)
            for name, of_plate in by_plate.items()
        )
        origin = model.origin if model is not None else ""
        screen = write_features(out, card, measured, origin=origin, resume=True)
    if model is not None:
        return screen.derive_wells(model)
    write_whole(screen.path / card.encoder.weights.file, feature_list.encode())
    return screen


def _fitting(model: Model, width: int) -> ModelCard:
    if model.card.encoder.dim != width:
        raise ScreenError(
            f"the features have {width} numbers a stain, {model.card.name!r} takes "
            f"{model.card.encoder.dim} ({model.card.encoder.name}): use a model of their encoder"
        )
    return model.card


def _headless(width: int, encoder: str, order: tuple[Stain, ...]) -> tuple[ModelCard, str]:
    """Card of features without a head, and the text that says what they are."""
    from napari_cellclip.model import EncoderCard, FileCard, ModelCard
    from napari_cellclip.model.card import FEATURES_FILE

    text = (
        json.dumps({"encoder": encoder, "width": width, "stains": [str(s) for s in STAINS]}, indent=1) + "\n"
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    card = ModelCard(
        name=f"features-{digest[:8]}",
        title=f"features of {encoder}, made by the published CellCLIP code",
        description="Features from a file, means over random crops of each field; no head yet.",
        weights=FileCard(),
        tokenizer=FileCard(),
        encoder=EncoderCard(
            kind="profile", name=encoder, dim=width, weights=FileCard(file=FEATURES_FILE, sha256=digest)
        ),
        embed_dim=width,
        limits="New images cannot be encoded with it: their crops are not those of the file.",
    )
    return card, text


@contextmanager
def _opened(file: Path) -> Iterator[h5py.File]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ScreenError(
            'feature files of the published code need h5py: pip install "napari-cellclip[hdf5]"'
        ) from error

    try:
        with h5py.File(file, "r") as data:
            for key in ("embeddings", *_IDS):
                link = data.get(key, getlink=True)
                stored = data.get(key) if isinstance(link, h5py.HardLink) else None
                # Links and virtual sets may lead into other files of this computer.
                if link is not None and (stored is None or not _plain(stored)):
                    raise ScreenError(
                        f"{file}: {key!r} is no plain dataset of this file, and is not followed"
                    )
            if "embeddings" not in data:
                raise ScreenError(f"{file} holds no dataset 'embeddings': it is no feature file of CellCLIP")
            yield data
    except OSError as error:
        raise ScreenError(f"the features {file} cannot be read: {error}") from error


def _plain(stored: Any) -> bool:
    import h5py

    return isinstance(stored, h5py.Dataset) and not stored.external and not stored.is_virtual


def _names(data: h5py.File, file: Path) -> list[str]:
    key = next((key for key in _IDS if key in data), None)
    if key is None:
        raise ScreenError(f"{file} does not say which well each row is: it holds neither well_id nor names")
    ids = data[key]
    if ids.dtype.kind not in "OSU" or ids.ndim != 1:
        raise ScreenError(f"{key} of {file} holds no list of names")
    names = [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in ids[:].tolist()]
    if len(names) != len(data["embeddings"]):
        raise ScreenError(f"{file} has {len(data['embeddings'])} rows of features and {len(names)} names")
    return names


def _width(stored: Any, file: Path) -> int:
    shape = stored.shape
    if len(shape) not in (3, 4) or shape[-2] != len(STAINS) or stored.dtype.kind != "f":
        raise ScreenError(
            f"embeddings of {file} have shape {shape} and type {stored.dtype}: features of five stains are "
            "[N, fields, 5, D] or [N, 5, D]; embeddings of wells ([N, 1, 512]) are no features"
        )
    return int(shape[-1])


def _rows(names: list[str], plate: str, file: Path, *, bags: bool) -> list[_Row]:
    rows, taken = [], dict[tuple[str, str], set[str]]()
    for i, text in enumerate(names):
        try:
            name = parse_published_name(text)
        except PlateMapError as error:
            raise ScreenError(f"row {i} of {file}: {error}") from error
        at = name.plate or plate
        sites = taken.setdefault((at, name.well), set())
        site = name.site if name.site and name.site not in sites else f"{len(sites) + 1}"
        sites.add(site)
        if bags and not name.site and len(sites) == 1:
            site = ""  # the fields of a well's one bag are its sites 1 to M
        rows.append(_Row(i, at, name.well, site))
    if not rows:
        raise ScreenError(f"{file} holds no rows")
    return rows


def _measured(
    plate: str,
    rows: list[_Row],
    stored: Any,
    order: list[int],
    captions: pd.Series | None,
    file: Path,
    *,
    with_means: bool,
) -> MeasuredPlate:
    sites: list[str] = []
    features: list[NDArray[np.float32]] = []
    failures: dict[str, str] = {}
    for row in rows:
        block = np.asarray(stored[row.index], np.float32)
        bag = block[None] if block.ndim == 2 else block
        filled = [i for i, instance in enumerate(bag) if instance.any()]  # the rest is padding
        for i in filled or [0]:
            number = row.site if len(bag) == 1 else f"{row.site}.{i + 1}" if row.site else f"{i + 1}"
            site = f"{plate}/{row.well}/{number}"
            if not filled:
                failures[site] = "all its features are zero"
            elif not np.isfinite(bag[i]).all():
                failures[site] = "its features are not finite (NaN or infinity)"
            sites.append(site)
            features.append(bag[i][order])
    array = np.stack(features)
    wells = list(dict.fromkeys(f"{plate}/{row.well}" for row in rows))
    means = None
    if with_means:
        good = dict[str, list[int]]()
        for i, site in enumerate(sites):
            if site not in failures:
                good.setdefault(site.rsplit("/", 1)[0], []).append(i)
        means = {well: array[good[well]].mean(axis=(0, 1)) for well in wells if well in good}
    return MeasuredPlate(
        name=plate,
        sites=tuple(sites),
        features=array,
        labels=_labels(wells, captions),
        embeddings=means,
        failures=failures,
        source=file.absolute(),
        layout="published-features",
    )


def _labels(wells: list[str], captions: pd.Series | None) -> pd.DataFrame | None:
    if captions is None:
        return None
    texts = [str(captions.get(well, "")) for well in wells]
    done = [perturbation_of_caption(text) if text else Perturbation() for text in texts]
    return table_of(wells, done).assign(Metadata_prompt=texts)
