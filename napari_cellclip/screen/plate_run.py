"""Begin and finish a plate of a screen: record and plan before any site is encoded, wells at the end."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from napari_cellclip.screen.derive import iter_embed_wells
from napari_cellclip.screen.engines.choose_precision import WantedPrecision, choose_precision
from napari_cellclip.screen.engines.local import PlateEncoding
from napari_cellclip.screen.engines.plate_intensity import measure_plate
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.compatibility import (
    record_with_card,
    require_alike,
    require_same_plate,
)
from napari_cellclip.screen.storage.encoded_fields import encoded_fields
from napari_cellclip.screen.storage.failures import update_failures, write_failures
from napari_cellclip.screen.storage.files import exists
from napari_cellclip.screen.storage.labels import label_table, merged, read_labels, write_labels
from napari_cellclip.screen.storage.plan import make_plan, read_plan, write_plan
from napari_cellclip.screen.storage.previews import Previews
from napari_cellclip.screen.storage.processing import write_processing
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.screen.storage.screen_json import PlateRecord, ScreenRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.screen.wells import wells_path
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.plates import Plate, PlateMap


@dataclass(frozen=True)
class Part:
    """Some of a plate's shards: every `of`-th from the `number`-th, counted from 1.

    Raises
    ------
    ScreenError
        If there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ScreenError(f"there is no part {self.number}/{self.of}: the first is 1/{self.of}")

    def mine(self, plan: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a plan whose shards are this part's."""
        return plan[plan["Metadata_shard"] % self.of == self.number - 1]


@dataclass(frozen=True, eq=False)
class PlateRun:
    """A plate whose encoding has begun.

    Attributes
    ----------
    plate, model : Plate, Model
        What is encoded, by what.
    folder : Path
        Of the screen.
    record : PlateRecord
        What the screen says of the plate.
    plan : DataFrame
        Sites and their shards.
    status, damaged, again
        Why each site that is on disk has failed; what is wrong with damaged shards; which sites are tried
        again. Of a part: of its shards alone.
    previews : bool
        Whether pictures of the wells are written.
    workers : int
        Threads that read ahead.
    """

    plate: Plate
    model: Model
    folder: Path
    record: PlateRecord
    plan: pd.DataFrame
    status: Mapping[str, str]
    damaged: Mapping[int, str]
    again: frozenset[str]
    previews: bool
    workers: int

    @property
    def shards(self) -> Shards:
        """The shards of the plate."""
        return Shards(self.folder, self.model.card.encoder_hash, self.plate.name)

    @property
    def pictures(self) -> Previews | None:
        """The previews of the plate; ``None`` where none are written."""
        return Previews(self.folder, self.plate.name) if self.previews else None

    @property
    def quality(self) -> QualityFiles:
        """The quality of the plate's sites."""
        return QualityFiles(self.folder, self.plate.name)

    def encoding(self, heartbeat: float | None) -> PlateEncoding:
        """Return what encodes the plate's sites on this machine."""
        files = (self.shards, self.pictures, self.quality)
        return PlateEncoding(self.plate, self.model, self.plan, *files, self.record, self.workers, heartbeat)

    def replaced(self) -> tuple[set[str], Mapping[str, str]]:
        """Name the sites of this run whose files were replaced, with the states of all files."""
        fresh = set(self.plan.index) - (self.status.keys() - self.again)
        states = self.plate.file_states() if fresh else {}
        return {site for site in fresh if states[site] != self.plan.loc[site, "Metadata_files"]}, states

    def planned_again(self, states: Mapping[str, str]) -> PlateRun:
        """Write the plan and record of the plate as its files are now."""
        plan = make_plan(self.plate, self.record.shard_sites, states)
        write_plan(self.folder, self.plate.name, plan)
        record = self.record.model_copy(update={"fingerprint": self.plate.fingerprint(states)})
        _write_record(ScreenRecord.read(self.folder), self.folder, self.plate.name, record)
        return replace(self, plan=plan, record=record)


def iter_begin(
    plate: Plate,
    platemap: PlateMap | None,
    loaded: Model,
    folder: Path,
    *,
    shard_sites: int,
    workers: int,
    previews: bool,
    retry_failed: bool,
    wanted: WantedPrecision,
    part: Part | None,
) -> Generator[Progress, None, PlateRun]:
    """Begin a plate, or take it up again, in a folder that is locked; parameters as of ``iter_encode``.

    Yields
    ------
    Progress
        After each measured site.
    """
    screen = record_with_card(folder, loaded.card, loaded.origin)
    record = screen.plates.get(plate.name)
    status, damaged, again = dict[str, str](), dict[int, str](), set[str]()
    if record is None:
        require_alike(plate, screen)
        loaded.require_encoder()
        states = plate.file_states()  # before anything is read: what is replaced from now on is noticed
        stats, contrast = yield from measure_plate(plate, loaded.card.intensity, workers)
        precision = yield from choose_precision(plate, loaded, stats, wanted, screen.plates.values())
        plan = make_plan(plate, shard_sites, states)
        record = PlateRecord(
            path=plate.address,
            layout=plate.layout,
            shape=plate.shape,
            pixel_size=plate.pixel_size,
            fingerprint=plate.fingerprint(states),
            stains={stain: str(channel) for stain, channel in plate.stains.channels.items()},
            shard_sites=shard_sites,
            intensity=stats.model_dump(mode="json") if stats else None,
            contrast=contrast,
            precision=precision,
            projection=plate.processing.projection,
            illumination=write_processing(folder, plate),
            time=plate.time,
        )
        write_plan(folder, plate.name, plan)
    elif wanted not in ("auto", record.precision):
        raise ScreenError(
            f"plate {plate.name} of {folder} was begun in {record.precision}, not {wanted}: leave out the "
            "precision to go on, or encode into a new folder"
        )
    else:
        states = plate.file_states()
        now = make_plan(plate, record.shard_sites, states)
        plan = yield from _plan_of(folder, plate, record, states, now)
        shards = Shards(folder, loaded.card.encoder_hash, plate.name)
        status, damaged = shards.verified(plan if part is None else part.mine(plan))
        failed = {site for site, why in status.items() if why}
        require_same_plate(plate.name, record, plan, plate, states, now, may_change=failed)
        # Where nothing could be used, as when a share went away, the same command begins afresh.
        again = failed if retry_failed or failed == set(plan.index) else set()
        if again:
            write_plan(folder, plate.name, plan := now)
            record = record.model_copy(update={"fingerprint": plate.fingerprint(states)})
    _write_record(screen, folder, plate.name, record)
    _store_labels(folder, plan, platemap)
    mine = plan if part is None else part.mine(plan)
    run = (mine, status, damaged, frozenset(again), previews, workers)
    return PlateRun(plate, loaded, folder, record, *run)


def iter_finish(folder: Path, plate: str, model: Model) -> Iterator[Progress]:
    """Finish a plate whose sites are all on disk, in a folder that is locked: failures and wells.

    Plates that this card is new to are embedded too.

    Yields
    ------
    Progress
        After each group of wells.
    """
    record = ScreenRecord.read(folder)
    shards = Shards(folder, model.card.encoder_hash, plate)
    if not update_failures(folder, plate, dict(shards.statuses(read_plan(folder, plate)))):
        write_failures(folder, encoded_fields(folder, record).status)
    for name in record.plates:
        # Of the others no shard is read where their wells are there: in a screen of hundreds of plates that
        # would be most of the work.
        if name == plate or not exists(wells_path(folder, model.card.card_hash, name)):
            yield from iter_embed_wells(folder, name, model)


def is_whole(folder: Path, plate: str, encoder_hash: str) -> bool:
    """Tell whether all shards of a plate are on disk, and whole."""
    plan = read_plan(folder, plate)
    shards = Shards(folder, encoder_hash, plate)
    if not shards.finished() >= set(plan["Metadata_shard"].unique().tolist()):
        return False
    _, damaged = shards.verified(plan)
    return not damaged


def _write_record(screen: ScreenRecord, folder: Path, plate: str, record: PlateRecord) -> None:
    screen.model_copy(update={"plates": {**screen.plates, plate: record}}).write(folder)


def _plan_of(
    folder: Path, plate: Plate, begun: PlateRecord, states: Mapping[str, str], now: pd.DataFrame
) -> Generator[Progress, None, pd.DataFrame]:
    """Read the plan of a plate; one that is lost or damaged is made again, if the files are the same."""
    try:
        return read_plan(folder, plate.name)
    except ScreenError as error:
        if plate.fingerprint(states) != begun.fingerprint:
            raise ScreenError(
                f"{error}; but files of plate {plate.name} are others than when it was encoded: encode into a"
                " new folder"
            ) from error
        write_plan(folder, plate.name, now)
        yield Progress(0, len(now), f"made again: {error}", notice=True)
        return now


def _store_labels(folder: Path, plan: pd.DataFrame, platemap: PlateMap | None) -> None:
    """Replace the labels of this plate's wells; without a plate map, those it has are kept."""
    known = read_labels(folder)
    wells = plan["Metadata_Well_id"].unique()
    table = label_table(wells, platemap)
    if platemap is None:
        table = table.loc[~table.index.isin(known.index)]
    if len(table):
        write_labels(folder, merged(known, table))
