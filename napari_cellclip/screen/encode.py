"""Encode a plate into a screen on disk: streamed, restartable, never stopped by one bad image."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_cellclip.screen.engines.choose_precision import WantedPrecision
from napari_cellclip.screen.engines.ray_engine import PlateWork, run_on_ray
from napari_cellclip.screen.plate_run import Part, PlateRun, is_whole, iter_begin, iter_finish
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.screen import Screen
from napari_cellclip.screen.storage.compatibility import record_with_card
from napari_cellclip.screen.storage.files import is_local, screen_folder
from napari_cellclip.screen.storage.lock import WriteLock
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
    part: tuple[int, int] | None = None,
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
        Screen folder, made if absent, or a place in an object store (``s3://bucket/screen``).
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
    part : (int, int), optional
        ``(3, 16)``: encode only every 16th shard from the third, while other processes encode the others; the
        one that finds all shards there embeds the wells. Any may be killed and run again, or run twice.

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
    folder = screen_folder(out)
    if engine == "ray" and is_local(folder):
        folder = folder.absolute()
    loaded = _loaded(model, device)
    record_with_card(folder, loaded.card, loaded.origin)  # refuses what is no screen before it makes a folder
    mine = None if part is None else Part(*part)
    if mine is not None and engine != "local":
        raise ScreenError("a part of the shards is encoded by this machine alone: leave out the other engine")
    lock = WriteLock(folder)
    yield from lock.wait()
    try:
        run = yield from iter_begin(
            plate,
            platemap,
            loaded,
            folder,
            shard_sites=shard_sites,
            workers=workers,
            previews=previews,
            retry_failed=retry_failed,
            wanted=precision,
            part=mine,
        )
        if mine is None:
            yield from _iter_all(run, heartbeat, engine)
            yield from iter_finish(folder, plate.name, loaded)
            return
    finally:
        lock.release()
    yield from _iter_part(run, heartbeat)
    yield from lock.wait()
    try:
        if is_whole(folder, plate.name, loaded.card.encoder_hash):
            yield from iter_finish(folder, plate.name, loaded)
    finally:
        lock.release()


def _iter_all(run: PlateRun, heartbeat: float | None, engine: Engine) -> Generator[Progress, None, None]:
    """Encode all sites of a plate that are not on disk, in a folder that is locked."""
    yield from _damaged(run)
    if engine == "ray":
        files = (run.plate, run.plan, run.shards, run.pictures, run.quality, run.record, run.workers)
        model = (run.model.origin, run.model.card.encoder_hash, run.model.pixels.wanted_batch)
        yield from run_on_ray(PlateWork(*files, run.status, run.again, *model), run.model)
    else:
        yield from run.encoding(heartbeat).run(run.status, set(run.again))
    for round_ in range(ROUNDS + 1):
        changed, states = run.replaced()
        if not changed:
            break
        what = _replaced(changed)
        if round_ == ROUNDS:
            raise ScreenError(
                f"{what}: wait until plate {run.plate.name} is copied, then encode into a new folder"
            )
        yield Progress(len(run.plan), len(run.plan), f"{what}: encoding them again", notice=True)
        run = run.planned_again(states)
        status, _ = run.shards.verified(run.plan)
        yield from run.encoding(heartbeat).run(status, changed)


def _iter_part(run: PlateRun, heartbeat: float | None) -> Generator[Progress, None, None]:
    """Encode some shards of a plate, while others may write into the folder."""
    yield from _damaged(run)
    yield from run.encoding(heartbeat).run(run.status, set(run.again))
    changed, _ = run.replaced()
    if changed:
        raise ScreenError(
            f"{_replaced(changed)}: wait until plate {run.plate.name} is copied, then encode into a new"
            " folder"
        )


def _damaged(run: PlateRun) -> Generator[Progress, None, None]:
    for why in run.damaged.values():
        yield Progress(len(run.status), len(run.plan), f"making again: {why}", notice=True)


def _replaced(sites: set[str]) -> str:
    return f"files of {len(sites)} sites were replaced while they were encoded, first {min(sites)}"


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
