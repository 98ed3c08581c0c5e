"""Features that were measured elsewhere: written as the fields of a screen, without a pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.screen import Screen
from napari_cellclip.screen.storage.compatibility import record_with_card
from napari_cellclip.screen.storage.encoded_fields import encoded_fields
from napari_cellclip.screen.storage.failures import SiteResult, write_failures
from napari_cellclip.screen.storage.files import screen_folder
from napari_cellclip.screen.storage.labels import label_table, merged, read_labels, write_labels
from napari_cellclip.screen.storage.lock import WriteLock
from napari_cellclip.screen.storage.plan import PlannedSite, plan_table, write_plan
from napari_cellclip.screen.storage.screen_json import PlateRecord, ScreenRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.screen.wells import WellEmbeddings, wells_path, write_wells
from napari_cellclip.vocabulary import CellClipError, ScreenError, parse_well, plate_shape, split_id

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

SHARD_SITES = 256
"""Sites in one file; at [5, 300] a shard is about 0.8 MB before compression."""


@dataclass(frozen=True, eq=False)
class MeasuredPlate:
    """Features of one plate, as another program left them.

    Attributes
    ----------
    name : str
        Of the plate.
    sites : tuple of str
        Site ids (``plate/B03/1``), all of this plate; one site a well where the table knows only wells.
    features : ndarray of float32 (n_sites, C, D)
        Stains in the order of the card that is written with them; must fit half precision.
    labels : DataFrame, optional
        What was done to each well, by well id, as
        :func:`~napari_cellclip.screen.storage.labels.label_table` makes
        it, with any further ``Metadata_`` columns.
    embeddings : mapping of str to ndarray (E,), optional
        Vectors to show for the wells until a model has embedded them, of the card's ``embed_dim``.
    failures : mapping of str to str
        Sites of which nothing can be used, and why; their features are not read.
    source : Path
        The file, which the screen remembers.
    layout : str
        What kind of file it was.
    """

    name: str
    sites: tuple[str, ...]
    features: NDArray[np.floating]
    labels: pd.DataFrame | None = None
    embeddings: Mapping[str, NDArray[np.floating]] | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    source: Path = Path()
    layout: str = "features"


def write_features(
    out: str | Path,
    card: ModelCard,
    plates: Iterable[MeasuredPlate],
    *,
    origin: str = "",
    resume: bool = False,
) -> Screen:
    """Write features as a screen folder, or add plates to one of the same channel encoder.

    What comes out is a screen like any other, only without previews: it is mapped, trained on, and embedded
    by :meth:`Screen.derive_wells` with any model of the same encoder.

    Parameters
    ----------
    out : path
        Screen folder, made if absent.
    card : ModelCard
        Says what the features are (``encoder``, ``stain_order``), and what the plates' `embeddings` are.
    plates : iterable of MeasuredPlate
        None of them in the folder yet. Those of a list are all verified before any is written; others are
        taken and written one by one, so that a generator holds one plate at a time.
    origin : str
        What to give ``load_model`` for the card's model; its name where not given.
    resume : bool
        Leave plates as they are that are in the folder already with the same features, as after an
        import that was stopped.

    Returns
    -------
    Screen

    Raises
    ------
    ScreenError
        If shapes do not fit the card, site ids do not exist or come twice, a plate is there already, or the
        folder is of another encoder, or a run is writing into it.

    Examples
    --------
    >>> plate = MeasuredPlate("P1", ("P1/A01/1",), np.zeros((1, 5, 8)))             # doctest: +SKIP
    >>> write_features("screen", card, [plate]).features(["P1/A01/1"]).shape        # doctest: +SKIP
    (1, 5, 8)
    """
    folder = screen_folder(out)
    record_with_card(folder, card, origin or card.name)
    with WriteLock(folder).now():
        _write(folder, card, plates, origin or card.name, resume=resume)
    return Screen.open(folder)


def _write(
    folder: Path, card: ModelCard, plates: Iterable[MeasuredPlate], origin: str, *, resume: bool
) -> None:
    """Write features into a folder that is locked; parameters as :func:`write_features`."""
    record = record_with_card(folder, card, origin)
    here = dict(record.plates)
    plans: dict[str, pd.DataFrame] = {}
    if isinstance(plates, Sequence):
        for plate in plates:
            plans[plate.name] = _new_plan(folder, card, plate, {**here, **plans}, resume=resume)
    labels, added = read_labels(folder), list[pd.DataFrame]()
    written = 0
    for plate in plates:
        plan = plans.get(plate.name)
        if plan is None:
            plan = _new_plan(folder, card, plate, here, resume=resume)
        if not len(plan):
            continue
        write_plan(folder, plate.name, plan)
        _write_fields(folder, card, plate, plan)
        if plate.embeddings is not None:
            _write_embeddings(folder, card, plate, plan)
        added.append(_labels_of(plate, list(dict.fromkeys(plan["Metadata_Well_id"]))))
        here[plate.name] = _plate_record(plate, plan)
        written += 1
        if written & (written - 1) == 0:
            # After 1, 2, 4, 8 … plates: what is kept of all plates is written again as seldom as that, so
            # that the time grows with their number alone, and a stopped import has at most half to redo.
            labels, added = merged(labels, pd.concat(added)), []
            record = _keep(folder, record, here, labels)
    if added:
        labels = merged(labels, pd.concat(added))
    record = _keep(folder, record, here, labels)
    write_failures(folder, encoded_fields(folder, record).status)


def _keep(
    folder: Path, record: ScreenRecord, plates: Mapping[str, PlateRecord], labels: pd.DataFrame
) -> ScreenRecord:
    """Write labels, and which plates there are."""
    write_labels(folder, labels)
    record = record.model_copy(update={"plates": dict(plates)})
    record.write(folder)
    return record


def _new_plan(
    folder: Path, card: ModelCard, plate: MeasuredPlate, there: Mapping[str, object], *, resume: bool
) -> pd.DataFrame:
    """Plan a plate that is not there yet; empty for one that is, with the same features."""
    if plate.name not in there:
        return _plan(plate, card)
    known = there[plate.name]
    if resume and isinstance(known, PlateRecord):
        plan = _plan(plate, card)
        if known.fingerprint == _plate_record(plate, plan).fingerprint:
            return plan.iloc[:0]
    raise ScreenError(
        f"plate {plate.name} is in {folder} already: import it into a new folder, or give it another name"
    )


def _plan(plate: MeasuredPlate, card: ModelCard) -> pd.DataFrame:
    """The plan of a plate: see :func:`napari_cellclip.screen.storage.plan.plan_table`."""
    shape = (len(plate.sites), len(card.stain_order), card.encoder.dim)
    if plate.features.shape != shape:
        raise ScreenError(
            f"the features of plate {plate.name} have shape {plate.features.shape}, {shape} is needed: sites,"
            f" stains, and the {card.encoder.dim} numbers a stain of {card.encoder.name!r}"
        )
    if not plate.sites:
        raise ScreenError(f"plate {plate.name} has no well: leave it out")
    planned = []
    for i, site in enumerate(plate.sites):
        name, well, number = split_id(site)
        if name != plate.name or number is None:
            raise ScreenError(f"{site!r} is no site of plate {plate.name}: it should read {plate.name}/B03/1")
        try:
            row, column = parse_well(well)
        except CellClipError:  # a well that its file did not name
            row, column = -1, -1
        digest = hashlib.sha256(np.ascontiguousarray(plate.features[i], np.float32).tobytes()).hexdigest()
        planned.append(
            PlannedSite(
                site, f"{name}/{well}", name, well, row, column, str(number), row >= 0, files=digest[:16]
            )
        )
    plan = plan_table(planned, SHARD_SITES)
    if not plan.index.is_unique:
        twice = plan.index[plan.index.duplicated()][0]
        raise ScreenError(f"site {twice} is there twice: leave one of them out, or number them as two sites")
    return plan


def _write_fields(folder: Path, card: ModelCard, plate: MeasuredPlate, plan: pd.DataFrame) -> None:
    shards = Shards(folder, card.encoder_hash, plate.name)
    for number, rows in plan.groupby("Metadata_shard", sort=True).indices.items():
        results = []
        for i in rows.tolist():
            site = plate.sites[i]
            if why := plate.failures.get(site):
                results.append(SiteResult(site, failure=why))
            else:
                results.append(SiteResult(site, np.asarray(plate.features[i], np.float32)).checked())
        shards.write(int(str(number)), plan, results)


def _write_embeddings(folder: Path, card: ModelCard, plate: MeasuredPlate, plan: pd.DataFrame) -> None:
    given = plate.embeddings or {}
    used = [site for site in plate.sites if not plate.failures.get(site)]
    grouped = plan.loc[used].groupby("Metadata_Well_id", sort=False)
    sites = {str(well): list(rows.index) for well, rows in grouped if str(well) in given}
    vectors = np.array([given[well] for well in sites], np.float32).reshape(len(sites), -1)
    if sites and vectors.shape[1] != card.embed_dim:
        raise ScreenError(
            f"the embeddings of plate {plate.name} have {vectors.shape[1]} numbers, its card says"
            f" {card.embed_dim}"
        )
    if not sites:
        return
    wells = WellEmbeddings(tuple(sites), tuple(map(tuple, sites.values())), vectors)
    write_wells(wells_path(folder, card.card_hash, plate.name), wells)


def _labels_of(plate: MeasuredPlate, wells: list[str]) -> pd.DataFrame:
    """Labels with a row for each well and all the columns a screen has."""
    table = label_table(wells, None)
    given = plate.labels
    if given is None:
        return table
    if len(strangers := given.index.difference(table.index)):
        raise ScreenError(f"{strangers[0]} has a label but no features on plate {plate.name}")
    for name in given:
        # Wells without a row keep what a well that nothing is known of has.
        column = given[name].reindex(table.index)
        table[name] = column.where(column.index.isin(given.index), table[name]) if name in table else column
    return table


def _plate_record(plate: MeasuredPlate, plan: pd.DataFrame) -> PlateRecord:
    digest = hashlib.sha256("\n".join(f"{s}|{f}" for s, f in plan["Metadata_files"].items()).encode())
    rows, columns = int(plan["Metadata_Row"].max()) + 1, int(plan["Metadata_Column"].max()) + 1
    return PlateRecord(
        path=str(plate.source),
        layout=plate.layout,
        shape=plate_shape(max(1, rows), max(1, columns)),
        fingerprint=digest.hexdigest()[:16],
        stains={},
        shard_sites=SHARD_SITES,
        contrast={},
    )
