"""Verify every file of a screen: what is damaged, lost, or does not belong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_cellclip.screen.storage.exclusions import FILE as EXCLUSIONS
from napari_cellclip.screen.storage.exclusions import read_exclusions
from napari_cellclip.screen.storage.failures import FILE as FAILURES
from napari_cellclip.screen.storage.files import exists, names_in, screen_folder
from napari_cellclip.screen.storage.labels import read_labels
from napari_cellclip.screen.storage.parquet import ADVICE, damage, is_sealed, read_table
from napari_cellclip.screen.storage.plan import plan_path, read_plan
from napari_cellclip.screen.storage.previews import Previews
from napari_cellclip.screen.storage.processing import read_processing
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.screen.storage.screen_json import FILE, PlateRecord, ScreenRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.screen.wells import read_wells, wells_path
from napari_cellclip.vocabulary import ScreenError


@dataclass(frozen=True)
class Finding:
    """Something wrong in a screen.

    Attributes
    ----------
    path : Path
        The file.
    what : str
        What is wrong, and what to do.
    plate : str or None
        Whose file it is, ``None`` for one of the whole screen.
    """

    path: Path
    what: str
    plate: str | None = None


def check_screen(folder: str | Path) -> list[Finding]:
    """Verify all files of a screen; nothing is written.

    Parameters
    ----------
    folder : path
        Of the screen.

    Returns
    -------
    list of Finding
        Empty if every table has the checksum it was written with and holds what the plan says.
    """
    return list(_findings(screen_folder(folder)))


def unsealed(folder: str | Path) -> list[Path]:
    """Name the tables of a screen without a checksum: version 0.1 wrote them, and a change would not show."""
    return [path for path in sorted(screen_folder(folder).rglob("*.parquet")) if not is_sealed(path)]


def _findings(folder: Path) -> Iterator[Finding]:
    try:
        record = ScreenRecord.read(folder)
    except ScreenError as error:
        yield Finding(folder / FILE, str(error))
        return
    try:
        read_labels(folder)
    except ScreenError as error:
        yield Finding(folder / "platemap.parquet", str(error))
    try:
        read_exclusions(folder)
    except ScreenError as error:
        yield Finding(folder / EXCLUSIONS, str(error))
    if exists(folder / FAILURES):
        try:
            read_table(folder / FAILURES)
        except ScreenError as error:
            yield Finding(folder / FAILURES, str(error))
    for plate, known in record.plates.items():
        for finding in _of_plate(folder, record, plate):
            yield finding if known.stains else _of_import(finding, folder, record, known)


def _of_import(finding: Finding, folder: Path, record: ScreenRecord, plate: PlateRecord) -> Finding:
    """Say what can be done about a file of a plate that no image was encoded for."""
    made = {
        wells_path(folder, key, finding.plate or "") for key, card in record.cards.items() if card.has_head
    }
    what = "run 'napari-cellclip repair', which embeds the wells again from their features"
    advice = what if finding.path in made else f"import {plate.path} again into a new folder"
    return replace(finding, what=finding.what.replace(ADVICE, advice))


def _of_plate(folder: Path, record: ScreenRecord, plate: str) -> Iterator[Finding]:
    try:
        plan = read_plan(folder, plate)
    except ScreenError as error:
        yield Finding(plan_path(folder, plate), str(error), plate)
        return
    shards = Shards(folder, record.current.encoder_hash, plate)
    status, damaged = shards.verified(plan)
    for number, why in damaged.items():
        yield Finding(shards.path(number), why, plate)
    planned = {shards.path(int(n)) for n in plan["Metadata_shard"].unique()}
    for path in (shards.folder / name for name in names_in(shards.folder)):
        if path not in planned and not path.name.startswith("."):
            yield Finding(path, f"{path} is no shard of this screen and is not read: delete it", plate)
    pictures = Previews(folder, plate)
    quality = QualityFiles(folder, plate)
    for number in sorted(shards.finished()):
        if (problem := pictures.problem(number)) is not None:
            yield Finding(pictures.path(number), problem, plate)
        if (problem := quality.problem(number)) is not None:
            yield Finding(quality.path(number), problem, plate)
    try:
        read_processing(folder, plate, record.plates[plate])
    except ScreenError as error:
        yield Finding(folder / "illumination", str(error))
    encoded = {site for site, failure in status.items() if not failure}
    known = record.plates[plate]
    if (
        encoded
        and status.keys() == set(plan.index)
        and not exists(path := wells_path(folder, record.card_hash, plate))
        and (known.stains or (known.layout == "profiles" and record.current.has_head))
    ):
        yield Finding(path, damage(path, "it is missing"), plate)
    for card_hash, card in record.cards.items():
        path = wells_path(folder, card_hash, plate)
        try:
            wells = read_wells(path, int(card.card["embed_dim"]))
        except ScreenError as error:
            yield Finding(path, str(error), plate)
            continue
        if not np.isfinite(wells.vectors).all():
            yield Finding(path, f"{path} is damaged: some embeddings are no numbers", plate)
        elif not damaged and not {site for sites in wells.sites for site in sites} <= encoded:
            yield Finding(path, f"{path} is damaged: it was made from sites that are not encoded", plate)
