"""Read the JSON metadata of OME-Zarr groups, versions 0.4 (Zarr 2) and 0.5 (Zarr 3), whatever is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_cellclip.vocabulary.regular_files import read_json


def attributes_of(group: Path) -> dict[str, Any]:
    """Read the OME attributes of a Zarr group of either version; empty where there are none."""
    if attributes := _json(group / ".zattrs"):
        return attributes
    content = _json(group / "zarr.json").get("attributes")
    ome = content.get("ome") if isinstance(content, dict) else None
    return ome if isinstance(ome, dict) else {}


def dictionaries(parent: Any, key: str) -> list[dict[str, Any]]:
    """Take the dictionaries of a list that metadata hold under a key; empty where they hold none."""
    items = parent.get(key) if isinstance(parent, dict) else None
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []


def _json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
