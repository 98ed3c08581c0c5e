"""Embed wells from stored features: the cheap stage, which needs no pixel."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.compatibility import record_with_card
from napari_cellclip.screen.storage.exclusions import read_exclusions, write_exclusions
from napari_cellclip.screen.storage.lock import WriteLock
from napari_cellclip.screen.storage.plan import read_plan
from napari_cellclip.screen.storage.screen_json import ScreenRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.screen.wells import WellEmbeddings, read_wells, wells_path, write_wells
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model

WELLS_AT_ONCE = 256
"""Wells whose features are in memory at once; each core embeds 64 of them in one pass."""


def iter_derive(folder: Path, model: Model) -> Generator[Progress, None, ScreenRecord]:
    """Embed the wells of a screen by a model of its channel encoder, which the screen shows from then on.

    Users call :meth:`napari_cellclip.screen.Screen.derive_wells`.

    Parameters
    ----------
    folder : Path
        Of the screen.
    model : Model
        Its card's encoder must be the one the fields were encoded with.

    Yields
    ------
    Progress
        After each group of wells.

    Returns
    -------
    ScreenRecord
        What ``screen.json`` says now.

    Raises
    ------
    ScreenError
        If the features are not of this model's channel encoder.
    """
    record_with_card(folder, model.card, model.origin)
    lock = WriteLock(folder)
    yield from lock.wait()
    try:
        record = record_with_card(folder, model.card, model.origin)
        for plate in record.plates:
            yield from iter_embed_wells(folder, plate, model)
        record.write(folder)
        return record
    finally:
        lock.release()


def iter_exclude(
    folder: Path, model: Model, excluded: Mapping[str, str]
) -> Generator[Progress, None, ScreenRecord]:
    """Leave sites out of their wells' embeddings, and take back those that are excluded no more.

    Users call :meth:`napari_cellclip.screen.Screen.exclude`.

    Parameters
    ----------
    folder : Path
        Of the screen.
    model : Model
        Embeds the wells again whose sites change; the screen shows it from then on.
    excluded : mapping of str to str
        All sites to leave out, with the reason of each.

    Yields
    ------
    Progress
        After each group of wells.

    Raises
    ------
    ScreenError
        If a site is not one of the screen's.
    """
    lock = WriteLock(folder)
    yield from lock.wait()
    try:
        record = ScreenRecord.read(folder)
        known = {str(site) for plate in record.plates for site in read_plan(folder, plate).index}
        if strange := sorted(set(excluded) - known):
            raise ScreenError(f"site {strange[0]} is not one of screen {folder.name}: it cannot be excluded")
        write_exclusions(folder, excluded)
    finally:
        lock.release()
    return (yield from iter_derive(folder, model))


def iter_embed_wells(folder: Path, plate: str, model: Model) -> Iterator[Progress]:
    """Embed the wells of a plate whose set of encoded sites is new; the others stay as they are.

    Sites that are excluded take no part.

    Parameters
    ----------
    folder : Path
        Of the screen.
    plate : str
        Name of the plate.
    model : Model
        Its card's encoder must be the one the fields were encoded with.

    Yields
    ------
    Progress
        After each group of wells.
    """
    card = model.card
    plan = read_plan(folder, plate)
    shards = Shards(folder, card.encoder_hash, plate)
    excluded = read_exclusions(folder)
    encoded = [site for site, failure in shards.statuses(plan) if not failure and site not in excluded]
    of_well = {w: tuple(g.index) for w, g in plan.loc[encoded].groupby("Metadata_Well_id", sort=False)}
    path = wells_path(folder, card.card_hash, plate)
    damaged = False
    try:
        before = read_wells(path, card.embed_dim)
    except ScreenError:  # damaged: embedded again from the features
        damaged = True
        message = f"the embeddings of {plate} are damaged and are made again"
        yield Progress(0, 1, message, stage="wells", notice=True)
        before = WellEmbeddings((), (), np.zeros((0, card.embed_dim), np.float32))
    known = {
        w: v
        for w, s, v in zip(before.ids, before.sites, before.vectors, strict=True)
        if of_well.get(w) == s and np.isfinite(v).all()
    }
    waiting = [well for well in of_well if well not in known]
    if not waiting and set(known) == set(before.ids) and not damaged:
        return
    for start in range(0, len(waiting), WELLS_AT_ONCE):
        group = waiting[start : start + WELLS_AT_ONCE]
        known |= zip(
            group, model.embed_wells([_bag(shards, plan, of_well[well]) for well in group]), strict=True
        )
        done = start + len(group)
        yield Progress(done, len(waiting), f"embedding wells of {plate}", group[-1], stage="wells")
    ids = tuple(of_well)
    vectors = np.stack([known[well] for well in ids]) if ids else np.zeros((0, card.embed_dim), np.float32)
    write_wells(path, WellEmbeddings(ids, tuple(of_well[well] for well in ids), vectors))


def _bag(shards: Shards, plan: pd.DataFrame, sites: tuple[str, ...]) -> NDArray[np.float32]:
    numbers = plan.loc[list(sites), "Metadata_shard"]
    return np.stack([shards.features(int(n))[s] for s, n in zip(sites, numbers, strict=True)]).astype(
        np.float32
    )
