"""What every protocol leaves behind: figures as JSON, a table as CSV, a picture as PNG."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.model.card import CARD_FILE, read_card
from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150


@dataclass(frozen=True)
class Report:
    """The three files of an evaluation."""

    figures: Path
    table: Path
    picture: Path


def write_report(
    out: str | Path,
    name: str,
    summary: Mapping[str, Any],
    table: pd.DataFrame,
    figure: Figure,
    *,
    update_card: str | Path | None = None,
) -> Report:
    """Write ``<out>/<name>.json``, ``.csv`` and ``.png``, each whole or not at all.

    The same input gives the same bytes: nothing here depends on the clock.

    Parameters
    ----------
    out : path
        Folder, made if need be.
    name : str
        Of the protocol, such as ``"retrieval"``: lower-case words joined by hyphens.
    summary : mapping
        What was measured. ``"data"`` says on what, ``"figures"`` holds the numbers to be quoted (a number,
        or a mapping with ``value``, ``low`` and ``high``), ``"model"``, if there, is
        ``{"name": …, "card": <card hash>}``; any other key is kept as it is. Numbers that are not finite
        become ``null``.
    table : DataFrame
        One row for each thing scored.
    figure : matplotlib Figure
        See :func:`napari_cellclip.evaluation.protocols.plots.new_figure`.
    update_card : path, optional
        Model folder whose card should carry the figures; see :func:`update_scores`.

    Returns
    -------
    Report

    Raises
    ------
    ModelError
        If the card cannot be updated; nothing is written then.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"{name!r} is not the name of a protocol")
    if absent := {"data", "figures"} - set(summary):
        raise ValueError(f"the summary of {name} lacks {sorted(absent)}")
    plain = to_plain({"evaluation": name, **summary})
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI)
    if update_card is not None:
        update_scores(update_card, name, plain)
    report = Report(*(from_home(out) / f"{name}.{suffix}" for suffix in ("json", "csv", "png")))
    write_whole(report.figures, (json.dumps(plain, indent=1, allow_nan=False) + "\n").encode())
    write_whole(report.table, table.to_csv(index=table.index.name is not None).encode())
    write_whole(report.picture, picture.getvalue())
    return report


def update_scores(folder: str | Path, name: str, summary: Mapping[str, Any]) -> None:
    """Put an evaluation's figures into the card of a model folder, in place of its former ones.

    Neither hash of the card changes, so screens encoded with the model stay valid.

    Parameters
    ----------
    folder : path
        A model folder, as ``train`` writes it.
    name : str
        Of the protocol: the key in ``card.scores``.
    summary : mapping
        As given to :func:`write_report`.

    Raises
    ------
    ModelError
        If the folder has no usable card, or the embeddings were made by another model.
    """
    folder = from_home(folder)
    card = read_card(folder)
    made_by = (summary.get("model") or {}).get("card")
    if made_by is not None and made_by != card.card_hash:
        raise ModelError(
            f"the figures of {name} were measured on embeddings of {summary['model'].get('name')!r}"
            f" ({made_by}), not of {card.name!r} ({card.card_hash}) in {folder}: name that model's folder"
        )
    entry = {
        "date": datetime.now(UTC).date().isoformat(),
        "data": to_plain(summary["data"]),
        "figures": to_plain(summary["figures"]),
    }
    scored = card.model_copy(update={"scores": {**card.scores, name: entry}})
    write_whole(folder / CARD_FILE, scored.to_json().encode())


def to_plain(value: object) -> Any:
    """NumPy scalars and arrays, paths and mappings as JSON has them; what is not finite is ``None``."""
    match value:
        case Mapping():
            return {str(key): to_plain(inner) for key, inner in value.items()}
        case np.ndarray():
            return to_plain(value.tolist())
        case list() | tuple():
            return [to_plain(inner) for inner in value]
        case bool() | np.bool_():
            return bool(value)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return float(value) if math.isfinite(value) else None
        case None | str():
            return value
        case _:
            return str(value)
