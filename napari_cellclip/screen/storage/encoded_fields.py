"""Which fields of a screen are encoded, which have failed, and their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.storage.failures import failures_table
from napari_cellclip.screen.storage.plan import Plans
from napari_cellclip.screen.storage.screen_json import ScreenRecord
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.vocabulary import ScreenError


class EncodedFields:
    """The fields of a screen's plates by one channel encoder, as they are on disk when a plate is asked for.

    Parameters
    ----------
    folder : Path
        Of the screen.
    encoder_hash : str
        Of the channel encoder.
    plans : mapping of str to DataFrame
        Of each plate, see :func:`~napari_cellclip.screen.storage.plan.read_plan`.
    """

    def __init__(self, folder: Path, encoder_hash: str, plans: Mapping[str, pd.DataFrame]) -> None:
        self.name = folder.resolve().name
        self._plans = plans
        self.shards = {name: Shards(folder, encoder_hash, name) for name in plans}
        self._status: dict[str, dict[str, str]] = {}

    @property
    def status(self) -> dict[str, str]:
        """Why a site has failed, by site id; empty where it was encoded. Waiting sites are not in it."""
        return {site: why for name in self._plans for site, why in self.status_of(name).items()}

    def status_of(self, plate: str) -> dict[str, str]:
        """Read why each site of a plate has failed, as `status`; once."""
        if plate not in self._status:
            self._status[plate] = dict(self.shards[plate].statuses(self._plans[plate]))
        return self._status[plate]

    def table(self) -> pd.DataFrame:
        """Build a table with a row per encoded site, by site id: its plate, well, well id and number."""
        columns = ["Metadata_Plate", "Metadata_Well_id", "Metadata_Well", "Metadata_Site"]
        good = [site for site, why in self.status.items() if not why]
        plans = pd.concat([plan[columns] for plan in self._plans.values()]) if self._plans else None
        return (pd.DataFrame(columns=columns) if plans is None else plans.loc[good]).rename_axis("site_id")

    def failures(self) -> pd.DataFrame:
        """Build a table of failed sites: ``Metadata_Site_id``, ``Metadata_Well_id``, ``Metadata_Failure``."""
        return failures_table(self.status)

    def features(self, sites: Sequence[str], width: int) -> NDArray[np.float32]:
        """Read features of sites, float32 (n, 5, `width`), stains in the model card's order.

        Raises
        ------
        ScreenError
            If one of them was not encoded; the message says why.
        """
        rows = []
        at, shard = ("", -1), dict[str, NDArray[np.float16]]()
        for site in sites:
            plate = str(site).split("/")[0]
            plan = self._plans.get(plate)
            status = self.status_of(plate) if plan is not None else {}
            if plan is None or site not in plan.index or status.get(site, "waiting"):
                reason = status.get(site) or "it is not encoded"
                raise ScreenError(f"screen {self.name} has no features of site {site}: {reason}")
            if at != (plate, number := int(plan.at[site, "Metadata_shard"])):
                at, shard = (plate, number), self.shards[plate].features(number)
            if site not in shard:  # another program has replaced the file since its table was read
                raise ScreenError(
                    f"screen {self.name} has no features of site {site}: its files have changed"
                )
            rows.append(shard[site])
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, 5, width), np.float32)


def encoded_fields(folder: Path, record: ScreenRecord) -> EncodedFields:
    """Read what is encoded of all plates of a screen, by its current model's channel encoder."""
    return EncodedFields(folder, record.current.encoder_hash, Plans(folder, record.plates))
