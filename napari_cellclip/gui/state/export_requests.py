"""Requests that write what is open to a file: wells, tables, and the figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.gui.state.requests import Request

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ExportRequest(Request):
    """Write the wells, or the screen with its embeddings, to a file whose suffix names the format.

    Attributes
    ----------
    path : Path
        Ends in one of the suffixes of ``screen/export.py``.
    selected_only : bool
        Leave out the wells that are not selected.
    """

    path: Path
    selected_only: bool = False


@dataclass(frozen=True, eq=False)
class SaveTableRequest(Request):
    """Write a table that a panel shows as CSV, with or without its index."""

    path: Path
    table: pd.DataFrame
    index: bool = False


@dataclass(frozen=True)
class FigureRequest(Request):
    """Write question, verdict, plates, map and first hits on a page, as PDF, SVG or PNG."""

    path: Path
