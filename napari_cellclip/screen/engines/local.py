"""Encode the sites of one plate, shard by shard."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.plates.images.field_quality import measure_field
from napari_cellclip.screen.engines.in_order import in_order
from napari_cellclip.screen.engines.read_ahead import SiteRead, read_ahead, read_site
from napari_cellclip.screen.engines.site_encoder import SiteEncoder
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.failures import SiteResult
from napari_cellclip.screen.storage.files import exists
from napari_cellclip.screen.storage.previews import Previews, shrink
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.screen.storage.screen_json import PlateRecord
from napari_cellclip.screen.storage.shards import Shards

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.model.pixel_encoder import PixelEncoder
    from napari_cellclip.plates import Plate, Site

CHUNK_BYTES = 64 * 2**20
"""Sites are encoded together until their pixels take so much memory: six fields of 1080 x 1080 pixels."""


class Stopped(Exception):
    """The run was closed; nobody waits for what is being encoded."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some sites of a shard, read: enough that encoding is worth a call, few enough for bounded memory."""

    shard: int
    read: Mapping[str, NDArray[Any] | str]
    ends_shard: bool


@dataclass
class PlateEncoding:
    """One run over the sites of a plate.

    Attributes
    ----------
    plate, model : Plate, Model
        What is encoded, by what.
    plan : DataFrame
        Sites and their shards.
    shards, previews : Shards, Previews or None
        Where results go.
    quality : QualityFiles
        Where the quality of sites goes, measured as they are read.
    record : PlateRecord
        Intensities all shards share.
    workers : int
        Threads that read ahead.
    heartbeat : float or None
        Seconds after which a run also reports that it is still encoding.
    """

    plate: Plate
    model: Model
    plan: pd.DataFrame
    shards: Shards
    previews: Previews | None
    quality: QualityFiles
    record: PlateRecord
    workers: int
    heartbeat: float | None = None
    _measured: dict[str, dict[str, float]] = field(default_factory=dict)
    _stopped: Event = field(default_factory=Event)

    def run(self, status: Mapping[str, str], again: set[str]) -> Generator[Progress, None, None]:
        """Encode the sites that are not on disk, and those of `again`.

        Parameters
        ----------
        status : mapping of str to str
            Failure reason of each site that is on disk, in a shard that is whole; empty where it was encoded.
        again : set of str
            Failed sites to try again; what else their shards hold stays as it is.

        Yields
        ------
        Progress
            After each shard, and with every heartbeat.
        """
        groups = {int(n): list(g.index) for n, g in self.plan.groupby("Metadata_shard", sort=True)}
        finished = {n for n, sites in groups.items() if status.keys() >= set(sites)}
        todo = {n: [s for s in sites if n not in finished or s in again] for n, sites in groups.items()}
        todo = {n: sites for n, sites in todo.items() if sites}
        total, done = len(self.plan), len(status) - len(again & status.keys())
        failures = sum(bool(why) for site, why in status.items() if site not in again)
        if done:
            yield Progress(done, total, f"{done} of {total} sites were encoded before", failures=failures)
        if todo:
            self.model.require_encoder()
        sites = {site.id: site for site in self.plate.sites}
        self._mend_previews(finished, groups, status)
        yield from self._mend_quality(finished - todo.keys(), groups, status)
        if not todo:
            return  # nothing is measured or copied to other devices for nothing
        encoder = SiteEncoder(self.record, self._require_going_on)
        chunks = self._chunks(todo, sites)
        encoders = self.model.pixels.on_all_devices()
        for each in encoders:
            each.choose_batch(self.record.precision)
        steps = in_order(chunks, _encode, [(encoder, each) for each in encoders], heartbeat=self.heartbeat)
        results: dict[str, SiteResult] = {}
        pictures: dict[str, NDArray[np.uint8]] = {}
        try:
            for step in steps:
                if step is None:
                    yield Progress(done, total, "encoding", failures=failures)
                    continue
                chunk, found = step
                results.update((result.id, result.checked()) for result in found)
                self._add_previews(pictures, chunk)
                if not chunk.ends_shard:
                    continue
                number = chunk.shard
                self._write_previews(number, pictures)
                self._write_quality(number, groups[number])
                old = self.shards.results(number) if number in finished else {}
                self.shards.write(number, self.plan, [results.get(s) or old[s] for s in groups[number]])
                done += len(todo[number])
                failures += sum(bool(result.failure) for result in results.values())
                last = todo[number][-1]
                results, pictures = {}, {}
                message = "; ".join([f"encoded {last}", *encoder.remarks])
                encoder.remarks.clear()
                yield Progress(done, total, message, str(self.plan.loc[last, "Metadata_Well_id"]), failures)
        finally:
            self._stopped.set()
            steps.close()
            chunks.close()

    def _chunks(
        self, todo: Mapping[int, Sequence[str]], sites: Mapping[str, Site]
    ) -> Generator[Chunk, None, None]:
        """Read sites, and cut the shards that they belong to into chunks of bounded size."""
        ahead = read_ahead(
            [sites[s] for group in todo.values() for s in group], self.workers, read=self._read
        )
        try:
            for number, wanted in todo.items():
                read: dict[str, NDArray[Any] | str] = {}
                size = 0
                for last in (site == wanted[-1] for site in wanted):
                    site, pixels = next(ahead)
                    read[site] = pixels
                    size += 0 if isinstance(pixels, str) else pixels.nbytes
                    del pixels
                    if last or size >= CHUNK_BYTES:
                        yield Chunk(number, read, last)
                        read, size = {}, 0
        finally:
            ahead.close()

    def _require_going_on(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def _add_previews(self, pictures: dict[str, NDArray[np.uint8]], chunk: Chunk) -> None:
        """Shrink the first readable site of each well of a shard that has no picture yet."""
        if self.previews is None:
            return
        if not pictures:
            pictures.update(self.previews.whole(chunk.shard))
        for site, pixels in chunk.read.items():
            well = str(self.plan.loc[site, "Metadata_Well_id"])
            if well not in pictures and not isinstance(pixels, str):
                pictures[well] = shrink(pixels, self.record.contrast)

    def _write_previews(self, number: int, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Write the pictures of a shard; before the shard itself, so that finished ones have theirs."""
        if self.previews is not None:
            self.previews.write(number, pictures)

    def _read(self, site: Site) -> SiteRead:
        """Read a site and measure its quality, in the thread that reads: pixels are looked at once."""
        found = read_site(site)
        if not isinstance(found[1], str):
            self._measured[site.id] = measure_field(found[1])
        return found

    def _write_quality(self, number: int, sites: Sequence[str]) -> None:
        """Keep what was measured of a shard's sites, and what is known of its others."""
        known = self.quality.kept(number)
        measured = {s: self._measured.pop(s, {}) or known.get(s, {}) for s in sites}
        self.quality.write(number, sites, measured)

    def _mend_quality(
        self, shards: Iterable[int], groups: Mapping[int, Sequence[str]], status: Mapping[str, str]
    ) -> Generator[Progress, None, None]:
        """Measure sites of finished shards whose file is damaged or, in older screens, not there."""
        sites = {site.id: site for site in self.plate.sites}
        for number in sorted(shards):
            if exists(self.quality.path(number)) and self.quality.problem(number) is None:
                continue
            good = [sites[s] for s in groups[number] if not status[s]]
            for _ in read_ahead(good, self.workers, read=self._read):
                pass
            self._write_quality(number, groups[number])
            message = f"measured the quality of sites that were encoded before, up to {groups[number][-1]}"
            yield Progress(len(status), len(self.plan), message)

    def _mend_previews(
        self, shards: Iterable[int], groups: Mapping[int, Sequence[str]], status: Mapping[str, str]
    ) -> None:
        """Make again the previews of finished shards whose file is damaged."""
        if self.previews is None:
            return
        sites = {site.id: site for site in self.plate.sites}
        for number in shards:
            if self.previews.problem(number) is None:
                continue
            first: dict[str, str] = {}
            for site in groups[number]:
                if not status[site]:
                    first.setdefault(str(self.plan.loc[site, "Metadata_Well_id"]), site)
            pictures: dict[str, NDArray[np.uint8]] = {}
            self._add_previews(
                pictures, Chunk(number, dict(read_site(sites[site]) for site in first.values()), True)
            )
            self._write_previews(number, pictures)


def _encode(worker: tuple[SiteEncoder, PixelEncoder], chunk: Chunk) -> list[SiteResult]:
    return worker[0].encode(worker[1], chunk.read)
