"""Lists of terms that users write themselves."""

from __future__ import annotations

from pathlib import Path

from napari_cellclip.vocabulary import CellClipError

MOST_TERMS = 5000
"""Most terms that a list may hold."""


def read_terms(path: Path) -> tuple[str, ...]:
    """Read the terms of a text file, one a line; empty lines and those that begin with # are left out.

    Raises
    ------
    CellClipError
        If it is no text, holds no term, or too many.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CellClipError(
            f"{path.name} cannot be read as text: save it as UTF-8, one term a line"
        ) from error
    terms = tuple(
        dict.fromkeys(t for line in lines if (t := " ".join(line.split())) and not t.startswith("#"))
    )
    if not 0 < len(terms) <= MOST_TERMS:
        raise CellClipError(f"{path.name} holds {len(terms)} terms: give 1 to {MOST_TERMS}, one a line")
    return terms
