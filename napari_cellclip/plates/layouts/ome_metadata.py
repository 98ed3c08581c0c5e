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
    content = content if isinstance(content, dict) else {}
    ome = content.get(
        "ome", content
    )  # some writers put the attributes of version 0.4 into Zarr 3 as they are
    return ome if isinstance(ome, dict) else {}


def why_no_plate(path: Path) -> str:
    """Say what an OME-Zarr group is that is no plate, and what to do, as a sentence; empty if it is none."""
    attributes = attributes_of(path) if path.is_dir() else {}
    if "bioformats2raw.layout" in attributes:
        return (
            f"{path} holds images of bioformats2raw without the attributes of a plate, so their wells are "
            "not known: convert the plate again without --no-hcs"
        )
    if "multiscales" in attributes:
        return f"{path} is a single image and no plate: open the folder of the plate, or the image in napari"
    if "well" in attributes:
        return f"{path} is a well of an OME-Zarr plate: open the plate's folder, {path.parent.parent}"
    return ""


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
