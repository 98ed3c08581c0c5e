"""Encode a plate into a screen on disk: streamed, restartable, never stopped by one bad image."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from napari_cellclip.screen.derive import iter_embed_wells
from napari_cellclip.screen.engines.choose_precision import WantedPrecision, choose_precision
from napari_cellclip.screen.engines.local import PlateEncoding
from napari_cellclip.screen.engines.plate_intensity import measure_plate
from napari_cellclip.screen.engines.ray_engine import PlateWork, run_on_ray
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.screen import Screen
from napari_cellclip.screen.storage.compatibility import (
    record_with_card,
    require_alike,
    require_same_plate,
)
from napari_cellclip.screen.storage.encoded_fields import encoded_fields
from napari_cellclip.screen.storage.failures import write_failures
from napari_cellclip.screen.storage.labels import label_table, merged, read_labels, write_labels
from napari_cellclip.screen.storage.lock import WriteLock
from napari_cellclip.screen.storage.plan import make_plan, read_plan, write_plan
from napari_cellclip.screen.storage.previews import Previews
from napari_cellclip.screen.storage.processing import write_processing
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.screen.storage.screen_json import PlateRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.vocabulary import STAINS, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.plates import Plate, PlateMap


ROUNDS = 3
"""How often sites whose files were replaced meanwhile are encoded again, before the run is given up."""

Engine = Literal["local", "ray"]


def iter_encode(
    plate: Plate,
    platemap: PlateMap | None,
    model: Model | str | Path,
    out: str | Path,
    *,
    shard_sites: int = 32,
    device: str | None = None,
    workers: int = 2,
    previews: bool = True,
    retry_failed: bool = False,
    precision: WantedPrecision = "auto",
    heartbeat: float | None = None,
    engine: Engine = "local",
) -> Generator[Progress, None, None]:
    """Encode a plate into a screen folder; run it again to go on where it stopped.

    May be closed after any step: what was reported as done is on disk. A second plate is added to the folder
    of the first; if both are encoded at once, one run waits for the other. Sites that cannot be used are
    listed in the screen's failures and do not end the run. Files of an earlier run that are damaged are
    named and made again.

    Parameters
    ----------
    plate : Plate
        With all five stains. How its images are made (focal planes, illumination) is kept in the screen, and
        cannot change when a run goes on; plates of one screen are either all corrected, or none is.
    platemap : PlateMap or None
        Labels of its wells; they are stored, and never touch an embedding. ``None`` keeps those already
        there.
    model : Model, str or Path
        A model, or what ``load_model`` takes.
    out : path
        Screen folder, made if absent.
    shard_sites : int
        Sites of one step, which is also one shard on disk. A continued run keeps the size it began with.
    device : str, optional
        ``"auto"``, ``"cpu"``, ``"cuda"``; where not given, the device the model is on.
    workers : int
        Threads that read pixels ahead; 0 reads between shards.
    previews : bool
        Write a small picture of every well.
    retry_failed : bool
        Try again the sites that failed before. Their files may have changed meanwhile. Where all sites of the
        plate failed, they are tried again in any case.
    precision : {"auto", "float32", "bfloat16"}
        Number format in which the channel encoder computes. ``"auto"``: bfloat16 where a short measurement on
        this plate finds it faster and its features the same (cosine of at least .999), as on recent GPUs and
        processors, float32 elsewhere; and always that of the screen's other plates. It is recorded, and a
        continued run keeps what it began with.
    heartbeat : float, optional
        Yield also while a shard is being encoded, every so many seconds: whoever closes the run then waits
        for a batch of crops, not for a shard.
    engine : {"local", "ray"}
        Where shards are encoded: in this process, on all its GPUs, or on a Ray cluster (extra ``ray``; see
        :mod:`~napari_cellclip.screen.engines.ray_engine`). The screen is the same.

    Yields
    ------
    Progress
        After each measured site, each shard, and each group of wells.

    Raises
    ------
    StainError
        If the plate lacks a stain or its stains are not known.
    ScreenError
        If `out` holds something else: the message says which of data, weights, preprocessing or version
        changed. If another run of this process writes into it.
    """
    if shard_sites < 1 or workers < 0:
        raise ScreenError("shard_sites must be at least 1 and workers at least 0")
    plate.require_stains(STAINS)
    folder = Path(out).absolute() if engine == "ray" else Path(out)
    loaded = _loaded(model, device)
    record_with_card(folder, loaded.card, loaded.origin)  # refuses what is no screen before it makes a folder
    lock = WriteLock(folder)
    yield from lock.wait()
    try:
        run = (loaded, folder, shard_sites, workers, previews, retry_failed, precision, heartbeat, engine)
        yield from _iter_encode(plate, platemap, *run)
    finally:
        lock.release()


def _iter_encode(
    plate: Plate,
    platemap: PlateMap | None,
    loaded: Model,
    folder: Path,
    shard_sites: int,
    workers: int,
    previews: bool,
    retry_failed: bool,
    wanted: WantedPrecision,
    heartbeat: float | None,
    engine: Engine,
) -> Generator[Progress, None, None]:
    """Encode into a folder that is locked; parameters as :func:`iter_encode`."""
    record = record_with_card(folder, loaded.card, loaded.origin)
    shards = Shards(folder, loaded.card.encoder_hash, plate.name)
    begun = record.plates.get(plate.name)
    status, damaged = dict[str, str](), dict[int, str]()
    if begun is None:
        require_alike(plate, record)
        loaded.require_encoder()
        states = plate.file_states()  # before anything is read: what is replaced from now on is noticed
        stats, contrast = yield from measure_plate(plate, loaded.card.intensity, workers)
        precision = yield from choose_precision(plate, loaded, stats, wanted, record.plates.values())
        plan, again = make_plan(plate, shard_sites, states), set[str]()
        begun = PlateRecord(
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
    elif wanted not in ("auto", begun.precision):
        raise ScreenError(
            f"plate {plate.name} of {folder} was begun in {begun.precision}, not {wanted}: leave out the "
            "precision to go on, or encode into a new folder"
        )
    else:
        states = plate.file_states()
        now = make_plan(plate, begun.shard_sites, states)
        plan = yield from _plan_of(folder, plate, begun, states, now)
        status, damaged = shards.verified(plan)
        failed = {site for site, why in status.items() if why}
        require_same_plate(plate.name, begun, plan, plate, states, now, may_change=failed)
        # Where nothing could be used, as when a share went away, the same command begins afresh.
        again = failed if retry_failed or failed == set(plan.index) else set()
        if again:
            write_plan(folder, plate.name, plan := now)
            begun = begun.model_copy(update={"fingerprint": plate.fingerprint(states)})
    record = record.model_copy(update={"plates": {**record.plates, plate.name: begun}})
    record.write(folder)
    _store_labels(folder, plan, platemap)

    pictures = Previews(folder, plate.name) if previews else None
    quality = QualityFiles(folder, plate.name)
    encoding = PlateEncoding(plate, loaded, plan, shards, pictures, quality, begun, workers, heartbeat)
    for why in damaged.values():
        yield Progress(len(status), len(plan), f"making again: {why}", notice=True)
    if engine == "ray":
        files = (plate, plan, shards, pictures, quality, begun, workers)
        model = (loaded.origin, loaded.card.encoder_hash, loaded.pixels.wanted_batch)
        yield from run_on_ray(PlateWork(*files, status, frozenset(again), *model), loaded)
    else:
        yield from encoding.run(status, again)
    fresh = set(plan.index) - (status.keys() - again)
    for round_ in range(ROUNDS + 1):
        states = plate.file_states() if fresh else {}
        if not (changed := {site for site in fresh if states[site] != plan.loc[site, "Metadata_files"]}):
            break
        what = f"files of {len(changed)} sites were replaced while they were encoded, first {min(changed)}"
        if round_ == ROUNDS:
            raise ScreenError(
                f"{what}: wait until plate {plate.name} is copied, then encode into a new folder"
            )
        yield Progress(len(plan), len(plan), f"{what}: encoding them again", notice=True)
        write_plan(folder, plate.name, plan := make_plan(plate, begun.shard_sites, states))
        begun = begun.model_copy(update={"fingerprint": plate.fingerprint(states)})
        record = record.model_copy(update={"plates": {**record.plates, plate.name: begun}})
        record.write(folder)
        status, _ = shards.verified(plan)
        encoding = PlateEncoding(plate, loaded, plan, shards, pictures, quality, begun, workers, heartbeat)
        yield from encoding.run(status, changed)
    write_failures(folder, encoded_fields(folder, record).status)
    for name in record.plates:  # the others too: this card may be new to them
        yield from iter_embed_wells(folder, name, loaded)


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


def encode(
    plate: Plate, platemap: PlateMap | None, model: Model | str | Path, out: str | Path, **options: Any
) -> Screen:
    """Encode a plate and return its screen; parameters and errors as :func:`iter_encode`.

    Examples
    --------
    >>> screen = encode(open_plate("BR00117006"), None, "demo", "screen")   # doctest: +SKIP
    """
    for _ in iter_encode(plate, platemap, model, out, **options):
        pass
    return Screen.open(out)


def _loaded(model: Model | str | Path, device: str | None) -> Model:
    if isinstance(model, str | Path):
        from napari_cellclip.model import load_model

        return load_model(model, device=device or "auto")
    return model if device is None else model.to(device)


def _store_labels(folder: Path, plan: pd.DataFrame, platemap: PlateMap | None) -> None:
    """Replace the labels of this plate's wells; without a plate map, those it has are kept."""
    known = read_labels(folder)
    wells = plan["Metadata_Well_id"].unique()
    table = label_table(wells, platemap)
    if platemap is None:
        table = table.loc[~table.index.isin(known.index)]
    if len(table):
        write_labels(folder, merged(known, table))
