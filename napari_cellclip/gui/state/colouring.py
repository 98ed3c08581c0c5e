"""What wells can be coloured by, the same in every view: numbers, or names of categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.gui.state.site_values import SITE, describe_sites, site_columns, sites_of
from napari_cellclip.gui.state.view import colour_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.gui.state.session import Session

ANSWER, PLATE_MAP, IMAGES, MAP = "Answer", "Plate map", "Images", "Map"
"""Groups of the choice, in this order."""

OF_ANSWER = {
    "score": "Score",
    "cosine": "Cosine",
    "q": "q-value",
    "probability": "Probability of the mechanism",
    "looks_like": "Looks like the references",
    "built_like": "Built like the references",
    "rank": "Rank",
    "replicates": "Replicates tested",
}
OF_PLATE_MAP = {"treatment": "Treatment", "mechanism": "Mechanism", "control": "Control", "kind": "Kind"}
FALLING = frozenset({"q", "rank"})
"""The least is the best: the ramp runs the other way."""

METADATA = "Metadata_"
SHOWN_OTHERWISE = frozenset(
    f"{METADATA}{name}"
    for name in (
        *("Plate", "Well", "Row", "Column", "known", "sites", "all_sites"),
        *("treatment", "kind", "control_type", "mechanism"),
    )
)
"""Columns of a screen's wells that have a place of their own, or are the place itself."""

CLUSTER, SITES = "cluster", "sites"


@dataclass(frozen=True)
class Colouring:
    """One thing that wells can be coloured by.

    Attributes
    ----------
    key : str
        Stored in :attr:`~napari_cellclip.gui.state.view.View.colour_by`.
    title : str
        As the choice shows it.
    group : str
        One of the groups above.
    of_sites : bool
        Whether it is a statistic over the sites of a well.
    """

    key: str
    title: str
    group: str
    of_sites: bool = False


@dataclass(frozen=True)
class WellValues:
    """The values that colour wells.

    Attributes
    ----------
    title : str
        What they are.
    numbers : ndarray of float (n,) or None
        NaN for a well without a value; ``None`` where the values are names.
    names : ndarray of object (n,) or None
        Empty for a well without one.
    falling : bool
        Whether the least number is the best.
    """

    title: str
    numbers: NDArray[np.float64] | None = None
    names: NDArray[np.object_] | None = None
    falling: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """Mask of the wells that have a value, bool (n,)."""
        if self.numbers is not None:
            return np.isfinite(self.numbers)
        return np.array([bool(name) for name in self._names], bool)

    @property
    def _names(self) -> NDArray[np.object_]:
        return np.zeros(0, object) if self.names is None else self.names


def colourings(session: Session) -> list[Colouring]:
    """List what the wells of a session have values of, by group; the score always comes first."""
    rests_on = (session.wells, session.screen, session.clusters)
    return session.memo.of("colourings", rests_on, lambda: _colourings(session))


def _colourings(session: Session) -> list[Colouring]:
    table, screen = session.wells, session.screen
    found = [
        Colouring(key, title, ANSWER)
        for key, title in OF_ANSWER.items()
        if key == "score" or (len(table) and table[key].notna().any())
    ]
    found += [
        Colouring(key, title, PLATE_MAP)
        for key, title in OF_PLATE_MAP.items()
        if len(table) and (table[key] != "").any()
    ]
    if screen is not None:
        found += session.memo.of("metadata", (screen,), lambda: _of_metadata(screen.wells))
    if len(table) and table["plate"].nunique() > 1:
        found.append(Colouring("plate", "Plate", PLATE_MAP))
    if len(table):
        found.append(Colouring(SITES, "Number of sites", IMAGES))
    found += [Colouring(SITE + name, title, IMAGES, True) for name, title in site_columns(screen).items()]
    if session.clusters:
        found.append(Colouring(CLUSTER, "Cluster", MAP))
    return found


def _of_metadata(wells: pd.DataFrame) -> list[Colouring]:
    """List the columns of a plate map that tell wells apart, beyond those that have a place of their own."""
    return [
        Colouring(str(name), _plain(str(name)), PLATE_MAP)
        for name in wells
        if str(name).startswith(METADATA) and name not in SHOWN_OTHERWISE and _tells(wells[name])
    ]


def chosen_colouring(session: Session) -> Colouring:
    """Return what colours the wells now: what was chosen, or the score where there are no such values."""
    key = colour_column(session.wells, session.view)
    known = {one.key: one for one in colourings(session)}
    return known.get(key, known["score"])


def well_values(session: Session) -> WellValues:
    """Compute the values that colour the wells of a session, in the order of ``session.wells``."""
    rests_on = (session.wells, session.plate, session.screen, session.clusters, session.view)
    return session.memo.of("values", rests_on, lambda: _well_values(session))


def _well_values(session: Session) -> WellValues:
    colouring, table = chosen_colouring(session), session.wells
    title, key = colouring.title, colouring.key
    if colouring.of_sites:
        values = describe_sites(session.screen, key.removeprefix(SITE), session.view.statistic)
        return WellValues(title, numbers=values.reindex(table.index).to_numpy(float))
    if key == CLUSTER:
        return WellValues(title, names=_clusters(session))
    if key == SITES:
        return WellValues(title, numbers=sites_of(session.plate, session.screen, table.index))
    column = table[key] if key in table else _of_screen(session, key)
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return WellValues(title, names=np.array([_name(value) for value in column], object))
    return WellValues(title, numbers=column.to_numpy(float), falling=key in FALLING)


def _plain(name: str) -> str:
    return name.removeprefix(METADATA).replace("_", " ").strip()


def _tells(column: pd.Series) -> bool:
    """Whether a column tells at least two wells apart."""
    values = column[column.notna() & (column.astype(str) != "")]
    return bool(values.nunique() > 1)


def _name(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _of_screen(session: Session, key: str) -> pd.Series:
    assert session.screen is not None  # who offered the column
    return session.screen.wells[key].reindex(session.wells.index)


def _clusters(session: Session) -> NDArray[np.object_]:
    """Name of the cluster of each well; clusters without a name are numbered, largest first."""
    of_well = {
        well: cluster.name or f"cluster {number}"
        for number, cluster in enumerate(session.clusters, start=1)
        for well in cluster.wells
    }
    return np.array([of_well.get(str(well), "") for well in session.wells.index], object)
