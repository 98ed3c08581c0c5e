"""CellProfiler profiles as a screen: features grouped by stain, in units of each plate's controls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from napari_cellclip.plates.platemaps.columns import Columns
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.screen.imports.profile_labels import annotated, controls_of, labels_of
from napari_cellclip.screen.imports.profile_tables import features_of, gaps_of, plates_of, read_profiles
from napari_cellclip.screen.imports.stain_groups import StainGroups, is_embedding
from napari_cellclip.screen.imports.standardise import CLIP, Standardised, standardise
from napari_cellclip.screen.screen import Screen
from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.vocabulary import STAINS, ScreenError
from napari_cellclip.vocabulary.regular_files import read_json

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

PROFILES = "profiles"
"""Name of the bundled head."""

REPORT_FILE = "import.json"
"""In the screen's folder: how many features of each kind there are, and what was done to which plate."""


def import_profiles(
    paths: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    annotations: str | Path | None = None,
    cell_line: str = "",
    shared: bool = False,
    brightfield: bool = False,
    standardise_on: Literal["controls", "all"] = "controls",
    model: str | Path = PROFILES,
    encoder: str = "",
) -> Screen:
    """Import CellProfiler profiles (pycytominer's tables), or embeddings made elsewhere, as a screen.

    Each feature goes into the row of every stain its name speaks of: ``Correlation_…_DNA_ER`` into two. What
    speaks of none, such as ``AreaShape``, goes into all five. Shorter rows are padded with zeros at their
    end, which no projection of a head can see (see :class:`napari_cellclip.model.StainProjection`). Values
    become robust z scores on the negative controls of their plate, clipped to ±10. The numbers of an
    embedding speak of no stain.

    The wells are embedded by a head that was trained on real profiles, fitted anew to the features that the
    tables have. Where they share too few with it, or with ``model=""``, the screen's embeddings are the
    profiles themselves, each feature once: maps, replicates and look-alikes work on them, and asking in words
    waits for ``napari-cellclip train``.

    Parameters
    ----------
    paths : path or sequence of paths
        CSV, gzipped CSV, TSV or Parquet; a table may hold several plates. ``Metadata_Well`` is needed,
        ``Metadata_Plate`` and what was done to the wells are found under their usual names. Folders are of
        embeddings of sites, as JUMP-Lite has them.
    out : path
        Screen folder, made if absent; plates can be added to a screen of the same features.
    annotations : path, optional
        Second table with what is known of each compound (``moa_list``, ``target_list`` …), joined on
        ``broad_sample``, ``InChIKey`` or the name, or of each well, joined on plate and well.
    cell_line : str
        Where the tables do not say it.
    shared : bool
        Use what all tables share, where their features differ.
    brightfield : bool
        Keep features of transmitted light, which is no stain.
    standardise_on : {"controls", "all"}
        Wells of a plate that its values are compared with.
    model : str or path
        Head that embeds the wells: by default the bundled one, if the tables share enough features with it.
        Empty: none.
    encoder : str
        What made the embeddings, such as ``"dinov2-jpegxl_lossy_mq"``: only wells of one encoder are
        compared.

    Returns
    -------
    Screen
        Features [5, D] of one "site" for each row (``plate/B03/1``).

    Raises
    ------
    ScreenError
        If a table holds no profiles, says no wells, differs from the others in its features, most features
        have gaps, or a plate has too few controls.

    Examples
    --------
    >>> screen = import_profiles("BR00117010_normalized.csv.gz", "screen")           # doctest: +SKIP
    >>> screen.features(["BR00117010/A01/1"]).shape                                  # doctest: +SKIP
    (1, 5, 237)
    """
    files = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise ScreenError("there is nothing to import: name at least one table of profiles")
    tables = [(file.name, read_profiles(file)) for file in files]
    names = features_of(tables, shared=shared)
    gaps = _gaps(tables, names)
    groups = StainGroups.of([name for name in names if name not in gaps], brightfield=brightfield)
    report: dict[str, Any] = {"features": groups.counts, "width": groups.width, "plates": {}}
    report["left out for gaps"] = [name for name in names if name in gaps]
    report["rows"] = {str(stain): len(groups.of_stain[stain]) for stain in STAINS}
    report["numbered doses"] = ""
    plates: list[MeasuredPlate] = []
    for file, (name, table) in zip(files, tables, strict=True):
        labelled = table if annotations is None else annotated(table, annotations)
        report["numbered doses"] = report["numbered doses"] or _numbered_doses(labelled)
        for plate, rows in plates_of(name, labelled):
            labels = labels_of(rows, cell_line=cell_line)
            among = controls_of(rows, labels) if standardise_on == "controls" else np.ones(len(rows), bool)
            values = rows[list(groups.names)].to_numpy(np.float64)
            found = standardise(values, among, groups.names, plate)
            plates.append(_measured(plate, rows, labels, found, groups, file))
            report["plates"][plate] = {
                "wells": len(labels),
                "standardised on": int(among.sum()),
                "constant": list(found.constant),
                "with gaps filled": list(found.filled),
                "clipped values": found.clipped,
                "empty wells": int(found.empty.sum()),
            }
    kind = {"encoder": encoder} if is_embedding(groups.names) else {}
    text = groups.to_json(
        standardised=f"robust z on {standardise_on} of the plate, clipped to {CLIP:g}", **kind
    )
    card = profile_card(groups, text, encoder)
    screen = write_features(out, card, plates)
    write_whole(screen.path / card.encoder.weights.file, text.encode())
    shown, report["model"] = _embedded(screen, model)
    _write_report(screen.path / REPORT_FILE, report)
    return shown


def _gaps(tables: Sequence[tuple[str, pd.DataFrame]], names: Sequence[str]) -> set[str]:
    """Features with too many gaps on a plate; none where these are most, which is no table to be used."""
    found = {
        gap
        for name, table in tables
        for plate, rows in plates_of(name, table)
        for gap in gaps_of(rows, names)
    }
    return found if len(found) <= len(names) / 2 else set()


def _numbered_doses(table: pd.DataFrame) -> str:
    """Column that numbers doses where none says them: ``Metadata_dose_recode`` of LINCS, if alone."""
    names = list(map(str, table.columns))
    if Columns.find(names).dose is not None:
        return ""
    return next((name for name in names if name.casefold().endswith("dose_recode")), "")


def _embedded(screen: Screen, model: str | Path) -> tuple[Screen, str]:
    """The screen as a head shows it, and a sentence on that."""
    from napari_cellclip.model import load_model

    if not model:
        return screen, "none"
    try:
        shown = screen.derive_wells(load_model(model))
    except ScreenError as error:
        if model != PROFILES:
            raise
        return screen, f"none: {error}"
    return shown, shown.card.name


def profile_card(groups: StainGroups, features: str, encoder: str = "") -> ModelCard:
    """Card of a screen of profiles: a channel encoder that stands for the table, and no head.

    Parameters
    ----------
    groups : StainGroups
        Of the features.
    features : str
        Content of ``features.json``, whose hash is the encoder's.
    encoder : str
        What made them, if they are an embedding.
    """
    from napari_cellclip.model import EncoderCard, FileCard, ModelCard
    from napari_cellclip.model.card import FEATURES_FILE

    digest, count = hashlib.sha256(features.encode()).hexdigest(), len(groups.names)
    what = f"CellProfiler, {count} features"
    if embedding := is_embedding(groups.names):
        what = f"{encoder or 'embeddings made elsewhere'}, {count} numbers"
    return ModelCard(
        name=f"{'embeddings' if embedding else 'profiles'}-{digest[:8]}",
        title=what if embedding else f"{count} CellProfiler features",
        description="Measured elsewhere, standardised on the negative controls of each plate; no head yet.",
        weights=FileCard(),
        tokenizer=FileCard(),
        encoder=EncoderCard(
            kind="profile",
            name=what,
            dim=groups.width,
            weights=FileCard(file=FEATURES_FILE, sha256=digest),
        ),
        embed_dim=count,
        limits="Profiles of another segmentation, pipeline, encoder or feature set do not fit this one.",
    )


def import_report(screen: Screen) -> dict[str, Any]:
    """Return what importing found: features by kind, and by plate what was filled, zeroed or clipped.

    Raises
    ------
    ScreenError
        If the screen was not imported from profiles.
    """
    try:
        found: dict[str, Any] = read_json(screen.path / REPORT_FILE)
    except (OSError, ValueError) as error:
        raise ScreenError(f"screen {screen.name} has no report of an import ({REPORT_FILE})") from error
    return found


def _measured(
    plate: str,
    rows: pd.DataFrame,
    labels: pd.DataFrame,
    found: Standardised,
    groups: StainGroups,
    source: Path,
) -> MeasuredPlate:
    sites = tuple(str(site) for site in rows.index)
    wells = np.array([site.rsplit("/", 1)[0] for site in sites])
    return MeasuredPlate(
        name=plate,
        sites=sites,
        features=groups.fill(found.values),
        labels=labels,
        embeddings={
            str(well): found.values[(wells == well) & ~found.empty].mean(axis=0)
            for well in dict.fromkeys(wells[~found.empty].tolist())
        },
        failures={
            site: f"site {site}: no feature of this row is a number"
            for site, empty in zip(sites, found.empty, strict=True)
            if empty
        },
        source=source.absolute(),
        layout="profiles",
    )


def _write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the report; plates that were imported into the folder before keep their part."""
    if path.exists():
        try:
            before = read_json(path)["plates"]
            report = {**report, "plates": {**before, **report["plates"]}}
        except (ValueError, KeyError, TypeError):  # damaged: it is for people to read, nothing rests on it
            pass
    write_whole(path, (json.dumps(report, indent=1) + "\n").encode())
