"""Read what a screen folder holds, each table when first asked for: wells, embeddings, fields, quality.

A screen of four hundred plates opens by its record alone. Its table of wells takes two small reads a plate,
its embeddings one more; the shards of a plate are looked into when something is asked of its sites.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from threading import RLock

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.quality import site_quality, well_quality
from napari_cellclip.screen.storage.encoded_fields import EncodedFields
from napari_cellclip.screen.storage.exclusions import read_exclusions
from napari_cellclip.screen.storage.failures import FAILURE, WELL
from napari_cellclip.screen.storage.files import state_of
from napari_cellclip.screen.storage.plan import PLACE, Plans, read_places
from napari_cellclip.screen.storage.previews import Previews
from napari_cellclip.screen.storage.reading import read_of_each, read_once
from napari_cellclip.screen.storage.screen_json import ScreenRecord
from napari_cellclip.screen.wells import read_site_counts, read_vectors, wells_path
from napari_cellclip.vocabulary import ScreenError, split_id


class ScreenTables:
    """Tables of one screen folder; labels play no part in them, so screens with other labels share them.

    Parameters
    ----------
    folder : Path
        Of the screen.
    record : ScreenRecord
        What its ``screen.json`` says.
    """

    def __init__(self, folder: Path, record: ScreenRecord) -> None:
        self.folder = folder
        self.record = record
        self.plans = Plans(folder, record.plates)
        self._reading = RLock()

    @read_once
    def _places(self) -> dict[str, pd.DataFrame]:
        names = list(self.record.plates)
        return dict(zip(names, read_of_each(lambda name: read_places(self.folder, name), names), strict=True))

    @read_once
    def places(self) -> pd.DataFrame:
        """A row per well of the plates, by well id: where it is, and ``Metadata_all_sites``."""
        tables = self._places.values()
        return pd.concat(tables) if tables else pd.DataFrame(columns=[*PLACE, "Metadata_all_sites"])

    @read_once
    def used_sites(self) -> pd.Series[int]:
        """How many sites each embedding was made from, by well id."""
        counts = read_of_each(lambda name: read_site_counts(self._wells_path(name)), self.record.plates)
        return pd.concat(counts) if counts else pd.Series(dtype=int)

    @read_once
    def embeddings(self) -> NDArray[np.float32]:
        """Embeddings, float32 (n_wells, E), rows as `places`; NaN where no site was encoded."""
        dim = int(self.record.current.card["embed_dim"])
        places = self._places  # threads that asked for it would wait for this one
        stops = np.cumsum([len(table) for table in places.values()])
        out = np.empty((int(stops[-1]) if len(stops) else 0, dim), np.float32)
        rows = {
            name: out[stop - len(table) : stop]
            for (name, table), stop in zip(places.items(), stops, strict=True)
        }

        read_of_each(lambda plate: self._read_embeddings(plate, rows[plate]), rows)
        return out

    def embeddings_by_plate(self) -> Iterator[NDArray[np.float32]]:
        """Yield the embeddings of one plate after the other, rows as `places`; none is kept."""
        dim = int(self.record.current.card["embed_dim"])
        for plate, table in self._places.items():
            out = np.empty((len(table), dim), np.float32)
            self._read_embeddings(plate, out)
            yield out

    def embeddings_state(self) -> str:
        """Digest of where embeddings are stored, their sizes and times, and of the order of the wells."""
        digest = hashlib.sha256(self.record.card_hash.encode())
        for plate, table in self._places.items():
            digest.update(repr((plate, len(table), state_of(self._wells_path(plate)))).encode())
        return digest.hexdigest()

    def _read_embeddings(self, plate: str, out: NDArray[np.float32]) -> None:
        ids, vectors = read_vectors(self._wells_path(plate), out.shape[1])
        at = self._places[plate].index.get_indexer(pd.Index(ids, dtype=object))
        if len(ids) == len(at) == len(out) and (at == np.arange(len(at))).all():
            out[:] = vectors
        else:
            out[:] = np.nan
            out[at[at >= 0]] = vectors[at >= 0]

    def _wells_path(self, plate: str) -> Path:
        return wells_path(self.folder, self.record.card_hash, plate)

    @read_once
    def encoded(self) -> EncodedFields:
        """Which fields are encoded, and their features."""
        return EncodedFields(self.folder, self.record.current.encoder_hash, self.plans)

    @read_once
    def fields(self) -> pd.DataFrame:
        """A row per encoded site."""
        return self.encoded.table()

    @read_once
    def failures(self) -> pd.DataFrame:
        """A row per site that could not be used."""
        return self.encoded.failures()

    @read_once
    def excluded(self) -> dict[str, str]:
        """Reason of each site that is left out."""
        return read_exclusions(self.folder)

    @read_once
    def quality(self) -> pd.DataFrame:
        """A row per site: its quality."""
        return site_quality(self.folder, self.plans, self.excluded)

    @read_once
    def well_quality(self) -> pd.DataFrame:
        """A row per well: its quality."""
        return well_quality(self.quality)

    @property
    def complete(self) -> bool:
        """Whether every site was encoded or has failed, and every well with a good site is embedded."""
        if not all(self.encoded.shards[name].finished() >= self.plans.shards(name) for name in self.plans):
            return False
        planned, used = self.places["Metadata_all_sites"], self.used_sites
        if len(used) == len(planned) and (used.reindex(planned.index) == planned).all():
            return True  # every site is in an embedding: no shard needs to be read to know it
        good = self.fields[~self.fields.index.isin(list(self.excluded))]["Metadata_Well_id"].value_counts()
        return len(self.encoded.status) == planned.sum() and good.to_dict() == used.to_dict()

    def preview_stains(self, well: str) -> NDArray[np.uint8]:
        """Read the small picture of a well, uint8 (5, y, x).

        Raises
        ------
        ScreenError
            If there is none.
        """
        plate = split_id(well)[0]
        plan = self.plans[plate]
        shards = plan.loc[plan["Metadata_Well_id"] == well, "Metadata_shard"].unique().tolist()
        image = Previews(self.folder, plate).read(well, shards)
        if image is None:
            reasons = self.failures.loc[self.failures[WELL] == well, FAILURE]
            raise ScreenError(
                f"there is no preview of well {well}" + (f": {reasons.iloc[0]}" if len(reasons) else "")
            )
        return image
