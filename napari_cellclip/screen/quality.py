"""Quality of a screen's sites and wells: what was measured, what stands out, what is left out.

A site is flagged by fixed limits, and by how far it lies from the median of its plate in robust standard
deviations (1.4826 times the median absolute deviation). A flag changes nothing: sites are left out of their
wells' embeddings only where a user asks for it, and stay listed as excluded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.plates.images.field_quality import (
    FAINT,
    PREFIX,
    QUALITY_COLUMNS,
    column,
)
from napari_cellclip.screen.storage.exclusions import REASON
from napari_cellclip.screen.storage.quality_files import QualityFiles
from napari_cellclip.vocabulary import STAINS, ScreenError

Flag = Literal["out of focus", "saturated", "empty", "background"]
FLAGS: tuple[Flag, ...] = get_args(Flag)
"""What a site may be flagged as; number of cells is no flag, for a toxic treatment is no bad image."""

LIMIT = 5.0
"""Robust standard deviations from the plate's median beyond which focus and background are flagged."""
LEAST_BLUR = 0.3
"""How much steeper than the plate's median a power spectrum must be besides: sharp plates vary by less."""
LEAST_BACKGROUND = 1.5
"""How many times the plate's median the darkest percentile must be besides."""
SATURATED = 0.01
"""Share of saturated pixels from which a stain is flagged."""
FLAGGED = f"{PREFIX}flags"
PLACE = ("Metadata_Plate", "Metadata_Well_id", "Metadata_Well", "Metadata_Site")
FEWEST_SITES = 8
"""Measured sites of a plate below which none is compared with the others."""


def flag_sites(table: pd.DataFrame) -> pd.Series[str]:
    """Say of each site of a plate what stands out, such as ``"out of focus (DNA, ER), saturated (AGP)"``.

    Parameters
    ----------
    table : DataFrame
        Sites of one plate with :data:`~napari_cellclip.plates.images.field_quality.QUALITY_COLUMNS`.

    Returns
    -------
    Series of str
        Empty where nothing does.
    """
    found: list[dict[Flag, list[str]]] = [{} for _ in range(len(table))]
    for stain in STAINS:
        focus = table[column("focus", stain)].to_numpy(float)
        low = np.log(np.maximum(table[column("low", stain)].to_numpy(float), 1.0))
        empty = table[column("structure", stain)].to_numpy(float) < FAINT
        marks: dict[Flag, NDArray[np.bool_]] = {
            # Of an empty image the spectrum is that of noise.
            "out of focus": _beyond(-focus, LEAST_BLUR) & ~empty,
            "saturated": table[column("saturated", stain)].to_numpy(float) > SATURATED,
            "empty": empty,
            "background": _beyond(low, np.log(LEAST_BACKGROUND)),
        }
        for flag, rows in marks.items():
            for row in np.flatnonzero(rows):
                found[row].setdefault(flag, []).append(str(stain))
    texts = [", ".join(f"{flag} ({', '.join(s)})" for flag, s in site.items()) for site in found]
    return pd.Series(texts, index=table.index, dtype=object, name=FLAGGED)


def _beyond(values: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Which values lie above the median of all by `LIMIT` robust standard deviations, and by `least`."""
    known = values[np.isfinite(values)]
    if len(known) < FEWEST_SITES:
        return np.zeros(len(values), bool)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    return np.asarray(values - middle > max(LIMIT * spread, least), bool)  # not where it is NaN


def site_quality(
    folder: Path, plans: Mapping[str, pd.DataFrame], excluded: Mapping[str, str]
) -> pd.DataFrame:
    """Build the table of a screen's site quality.

    Parameters
    ----------
    folder : Path
        Of the screen.
    plans : mapping of str to DataFrame
        Of each plate.
    excluded : mapping of str to str
        Reasons of excluded sites.

    Returns
    -------
    DataFrame
        By site id, NaN where nothing was measured: ``Metadata_Plate``, ``Metadata_Well_id``,
        ``Metadata_Well``, ``Metadata_Site``; for each stain ``Quality_focus_DNA``, ``Quality_saturated_DNA``
        and so on, and ``Quality_cells`` (:func:`~napari_cellclip.plates.images.field_quality.measure_field`);
        ``Quality_flags``: what stands out on its plate (:func:`flag_sites`); ``Metadata_Excluded``: why it is
        left out, empty where it is not.

    Raises
    ------
    ScreenError
        If a file is damaged.
    """
    tables = []
    for name, plan in plans.items():
        files = QualityFiles(folder, name)
        read = [files.read(int(n)) for n in plan["Metadata_shard"].unique()]
        parts = [part for part in read if len(part)]
        measured = pd.concat(parts) if parts else pd.DataFrame(columns=list(QUALITY_COLUMNS))
        table = measured.reindex(plan.index).astype(float)
        place = plan[list(PLACE)]
        tables.append(pd.concat([place, table, flag_sites(table)], axis=1))
    joined = pd.concat(tables) if tables else pd.DataFrame(columns=[*PLACE, *QUALITY_COLUMNS, FLAGGED])
    reasons = [excluded.get(str(site), "") for site in joined.index]
    return joined.assign(**{REASON: pd.Series(reasons, joined.index, dtype=object)}).rename_axis("site_id")


def well_quality(sites: pd.DataFrame) -> pd.DataFrame:
    """Sum the quality of sites up by well.

    Parameters
    ----------
    sites : DataFrame
        From :func:`site_quality`.

    Returns
    -------
    DataFrame
        By well id: the median of each measure over the sites measured (``Quality_cells`` too),
        ``Quality_flagged_sites``, ``Quality_excluded_sites`` and ``Quality_flags``: what its sites are
        flagged as, each once.
    """
    wells = sites["Metadata_Well_id"]
    grouped = sites.groupby(wells, sort=False)
    table = grouped[list(QUALITY_COLUMNS)].median()
    return table.assign(
        Quality_flagged_sites=(sites[FLAGGED] != "").groupby(wells, sort=False).sum(),
        Quality_excluded_sites=(sites[REASON] != "").groupby(wells, sort=False).sum(),
        Quality_flags=grouped[FLAGGED].agg(_each_once),
    ).rename_axis("well_id")


def flagged_sites(sites: pd.DataFrame, flags: Sequence[str] = FLAGS) -> dict[str, str]:
    """Find the sites that are flagged as something, with what they are flagged as.

    Parameters
    ----------
    sites : DataFrame
        From :func:`site_quality`.
    flags : sequence of str
        Some of :data:`FLAGS`.

    Raises
    ------
    ScreenError
        If there is no such flag.
    """
    for flag in flags:
        if flag not in FLAGS:
            raise ScreenError(f"{flag!r} is nothing a site is flagged as: use {', '.join(FLAGS)}")
    texts = sites[FLAGGED]
    return {str(site): text for site, text in texts.items() if any(f"{flag} (" in text for flag in flags)}


def with_exclusions(wells: pd.DataFrame, excluded: Mapping[str, str]) -> pd.DataFrame:
    """Say in ``Metadata_Excluded`` why a well has no embedding: all that its sites are excluded for.

    Parameters
    ----------
    wells : DataFrame
        From :func:`~napari_cellclip.screen.wells.wells_table`.
    excluded : mapping of str to str
        Reasons of excluded sites, by site id.
    """
    reasons: dict[str, list[str]] = {}
    for site, reason in excluded.items():
        reasons.setdefault(site.rsplit("/", 1)[0], []).append(reason)
    none_left = wells.index[wells["Metadata_sites"] == 0]
    texts = {well: "; ".join(dict.fromkeys(reasons[str(well)])) for well in none_left if str(well) in reasons}
    column = [texts.get(well, "") for well in wells.index]
    return wells.assign(**{REASON: pd.Series(column, wells.index, dtype=object)})


def _each_once(texts: Iterable[str]) -> str:
    found = [flag for flag in FLAGS if any(f"{flag} (" in text for text in texts)]
    return ", ".join(found)
