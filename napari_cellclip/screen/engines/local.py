"""Encode the sites of one plate, shard by shard."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.plates.images.field_quality import measure_field
from napari_cellclip.screen.engines.read_ahead import SiteRead, read_ahead, read_site
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.failures import SiteResult
from napari_cellclip.screen.storage.previews import Previews, shrink
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.screen.storage.screen_json import PlateRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.vocabulary import STAINS, CellClipError, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import IntensityStats, Model
    from napari_cellclip.plates import Plate, Site


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
    """

    plate: Plate
    model: Model
    plan: pd.DataFrame
    shards: Shards
    previews: Previews | None
    quality: QualityFiles
    record: PlateRecord
    workers: int
    _remarks: list[str] = field(default_factory=list)
    _measured: dict[str, dict[str, float]] = field(default_factory=dict)

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
            After each shard.
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
        stats = self.record.intensity_stats()
        sites = {site.id: site for site in self.plate.sites}
        self._mend_previews(finished, groups, status)
        yield from self._mend_quality(finished - todo.keys(), groups, status)
        ahead = read_ahead(
            [sites[s] for g in todo.values() for s in g], self.workers, self.record.shard_sites, self._read
        )
        try:
            for number, wanted in todo.items():
                read = dict(next(ahead) for _ in wanted)
                results = {result.id: result.checked() for result in self._encode(read, stats)}
                old = self.shards.results(number) if number in finished else {}
                self._write_previews(number, read)
                self._write_quality(number, groups[number])
                self.shards.write(number, self.plan, [results.get(s) or old[s] for s in groups[number]])
                done += len(wanted)
                failures += sum(bool(result.failure) for result in results.values())
                message = "; ".join([f"encoded {wanted[-1]}", *self._remarks])
                self._remarks.clear()
                yield Progress(
                    done, total, message, str(self.plan.loc[wanted[-1], "Metadata_Well_id"]), failures
                )
        finally:
            ahead.close()

    def _encode(
        self, read: Mapping[str, NDArray[Any] | str], stats: IntensityStats | None
    ) -> Iterator[SiteResult]:
        """Encode a batch; where the model refuses it, site by site, to find the one to blame."""
        good = {site: pixels for site, pixels in read.items() if not isinstance(pixels, str)}
        yield from (SiteResult(site, failure=why) for site, why in read.items() if isinstance(why, str))
        try:
            features = self._features(list(good.values()), stats)
        except ScreenError:
            raise  # out of memory at the smallest batch: no site is to blame
        except CellClipError:
            yield from (self._encode_alone(site, pixels, stats) for site, pixels in good.items())
        else:
            yield from (SiteResult(site, f) for site, f in zip(good, features, strict=True))

    def _encode_alone(self, site: str, pixels: NDArray[Any], stats: IntensityStats | None) -> SiteResult:
        try:
            return SiteResult(site, self._features([pixels], stats)[0])
        except ScreenError:
            raise
        except CellClipError as error:
            return SiteResult(site, failure=f"site {site}: {error}")

    def _features(
        self, fields: Sequence[NDArray[Any]], stats: IntensityStats | None
    ) -> Sequence[NDArray[np.float32]]:
        """Features of fields; the model's batch is halved for good when the device runs out of memory."""
        while fields:
            try:
                return list(self.model.fields_features(fields, stats, self.record.precision))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                smaller = self.model.batch_size // 2
                if smaller < len(STAINS):
                    raise ScreenError(
                        f"the memory of {self.model.device} does not suffice for a single crop: close other "
                        "programs that use it, or encode with device='cpu'"
                    ) from error
            # Outside the except clause: the error holds the tensors that filled the memory.
            self.model.batch_size = smaller
            self._remarks.append(
                f"the memory of {self.model.device} ran out: going on with {smaller} crops at once"
            )
        return []

    def _write_previews(self, number: int, read: Mapping[str, NDArray[Any] | str]) -> None:
        """Keep the first readable site of each well; before the shard, so that finished ones have theirs."""
        if self.previews is None:
            return
        images = self.previews.whole(number)
        for site, pixels in read.items():
            well = str(self.plan.loc[site, "Metadata_Well_id"])
            if well not in images and not isinstance(pixels, str):
                images[well] = shrink(pixels, self.record.contrast)
        self.previews.write(number, images)

    def _read(self, site: Site) -> SiteRead:
        """Read a site and measure its quality, in the thread that reads: pixels are looked at once."""
        found = read_site(site)
        if not isinstance(found[1], str):
            self._measured[site.id] = measure_field(found[1])
        return found

    def _write_quality(self, number: int, sites: Sequence[str]) -> None:
        """Keep what was measured of a shard's sites, and what is known of its others."""
        known = self.quality.kept(number)
        measured = {s: self._measured.pop(s, None) or known.get(s, {}) for s in sites}
        self.quality.write(number, sites, measured)

    def _mend_quality(
        self, shards: Iterable[int], groups: Mapping[int, Sequence[str]], status: Mapping[str, str]
    ) -> Generator[Progress, None, None]:
        """Measure sites of finished shards whose file is damaged or, in older screens, not there."""
        sites = {site.id: site for site in self.plate.sites}
        for number in sorted(shards):
            if self.quality.path(number).exists() and self.quality.problem(number) is None:
                continue
            good = [sites[s] for s in groups[number] if not status[s]]
            for _ in read_ahead(good, self.workers, 2, self._read):
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
            self._write_previews(number, dict(read_site(sites[site]) for site in first.values()))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of device memory; recognised by name, so that nothing here imports torch."""
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower()
