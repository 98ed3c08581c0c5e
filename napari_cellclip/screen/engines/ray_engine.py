"""Encode the shards of a plate on a Ray cluster: Ray Data over the function that encodes a shard anywhere.

The driver holds the screen's lock, measures the plate, writes the plan and embeds wells, as a run on one
machine does; workers read images and write shards. Plate and screen must lie where every machine sees them
under the same path. A shard is a file that is written whole, so one that two workers make, because the first
was given up, is the same file twice; a driver that is started again goes on with the shards that are missing.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.engines.local import PlateEncoding
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.previews import Previews
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.screen.storage.screen_json import PlateRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.plates import Plate


@dataclass(frozen=True)
class PlateWork:
    """Everything a worker needs to encode any shard of a plate; it is pickled, models are not.

    Attributes
    ----------
    plate, plan, shards, previews, quality, record, workers
        As those of `PlateEncoding`.
    status, again
        As `PlateEncoding.run` takes them.
    model, encoder_hash : str
        What to give ``load_model``, and the channel encoder that must come of it.
    batch_size : int or None
        Single-stain crops encoded at once, where somebody decided it.
    """

    plate: Plate
    plan: pd.DataFrame
    shards: Shards
    previews: Previews | None
    quality: QualityFiles
    record: PlateRecord
    workers: int
    status: Mapping[str, str]
    again: frozenset[str]
    model: str
    encoder_hash: str
    batch_size: int | None

    def todo(self) -> list[int]:
        """List the shards that are not on disk, or hold sites to be tried again."""
        shards = self.plan["Metadata_shard"].items()
        return sorted({int(shard) for site, shard in shards if self._is_wanted(str(site))})

    def _is_wanted(self, site: str) -> bool:
        return site not in self.status or site in self.again

    def encode(self, model: Model, shards: set[int]) -> Progress | None:
        """Encode some shards, as a run on one machine does; shards that are whole are only mended.

        Returns
        -------
        Progress or None
            Of the last step; ``None`` where nothing was to be done.
        """
        plan = self.plan[self.plan["Metadata_shard"].isin(shards)]
        encoding = PlateEncoding(
            self.plate, model, plan, self.shards, self.previews, self.quality, self.record, self.workers
        )
        there = set(plan.index)
        status = {site: why for site, why in self.status.items() if site in there}
        last = None
        for last in encoding.run(status, set(self.again & there)):  # noqa: B007
            pass
        return last


class ShardActor:
    """A process of the cluster that holds the model, and a GPU where there are any.

    Parameters
    ----------
    work : PlateWork
        The plate.
    device : str
        Where it computes.

    Raises
    ------
    ScreenError
        If this machine's model has another channel encoder than the driver's.
    """

    def __init__(self, work: PlateWork, device: str) -> None:
        from napari_cellclip.model import load_model

        self.work = work
        self.model = load_model(work.model, device=device, batch_size=work.batch_size)
        if self.model.card.encoder_hash != work.encoder_hash:
            raise ScreenError(
                f"{work.model!r} has another channel encoder on a worker than where the run was started: put "
                "the model into a folder that every machine sees, with its encoder in it"
            )

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Encode the shards of a batch; give back how many of their sites failed."""
        failures = []
        for shard in batch["shard"]:
            last = self.work.encode(self.model, {int(shard)})
            failures.append(last.failures if last is not None else 0)
        return {"shard": batch["shard"], "failures": np.array(failures)}


def run_on_ray(work: PlateWork, model: Model) -> Generator[Progress, None, None]:
    """Encode the shards of a plate that are missing, on the cluster that this process is connected to.

    Connects to the cluster of ``RAY_ADDRESS``, or starts Ray on this machine. As many actors as the cluster
    has GPUs, or processors where it has none; an actor or machine that is lost is replaced, and its shard is
    made again.

    Parameters
    ----------
    work : PlateWork
        The plate.
    model : Model
        The driver's, for shards whose previews or quality are mended.

    Yields
    ------
    Progress
        After each shard, in the order in which they are finished.

    Raises
    ------
    ScreenError
        If Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ScreenError(
            "encoding on a cluster needs Ray: pip install 'napari-cellclip[ray]', on every machine"
        ) from error
    todo = work.todo()
    sites = {int(n): list(group.index) for n, group in work.plan.groupby("Metadata_shard")}
    total = len(work.plan)
    whole = sites.keys() - set(todo)
    done = sum(len(sites[n]) for n in whole)
    failures = sum(bool(work.status[site]) for n in whole for site in sites[n])
    work.encode(model, whole)
    if done:
        yield Progress(done, total, f"{done} of {total} sites were encoded before", failures=failures)
    if not todo:
        return
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    gpus = int(ray.cluster_resources().get("GPU", 0))
    actors = min(len(todo), gpus or max(1, int(ray.cluster_resources().get("CPU", 1))))
    shards = ray.data.from_items([{"shard": n} for n in todo], override_num_blocks=len(todo))
    finished = shards.map_batches(
        ShardActor,
        fn_constructor_args=(work, "cuda" if gpus else "cpu"),
        batch_size=1,
        concurrency=(1, actors),
        num_gpus=1 if gpus else None,
        num_cpus=None if gpus else 1,
    )
    for row in finished.iter_rows():
        shard = int(row["shard"])
        done += len(sites[shard])
        failures += int(row["failures"])
        last = str(sites[shard][-1])
        well = str(work.plan.loc[last, "Metadata_Well_id"])
        yield Progress(done, total, f"encoded {last}", well, failures)
