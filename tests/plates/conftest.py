"""Small made-up plates in the layouts instruments write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.plates.made_plates import PHENIX_CHANNELS, image, level, phenix_index


@pytest.fixture
def phenix(tmp_path: Path) -> Callable[..., Path]:
    """Write a Phenix plate and return its folder."""

    def make(
        wells: Iterable[tuple[int, int]] = ((1, 1), (2, 3)),
        fields: int = 2,
        channels: dict[int, tuple[str, int, int]] | None = None,
        index: bool = True,
        folder: str = "BR1",
    ) -> Path:
        wells = list(wells)
        channels = PHENIX_CHANNELS if channels is None else channels
        images = tmp_path / folder / "Images"
        images.mkdir(parents=True)
        for r, c in wells:
            for f in range(1, fields + 1):
                for ch in channels:
                    name = f"r{r:02d}c{c:02d}f{f:02d}p01-ch{ch}sk1fk1fl1.tiff"
                    tifffile.imwrite(images / name, image(level(r, c, f, ch)))
        if index:
            text = phenix_index(wells, fields, channels, name=folder)
            (images / "Index.idx.xml").write_text(text, encoding="utf-8-sig")
        return tmp_path / folder

    return make


@pytest.fixture
def ome_zarr(tmp_path: Path) -> Callable[..., Path]:
    """Write an OME-Zarr plate of version 0.4 or 0.5; channel labels may differ from well to well."""
    import zarr

    def put(group: Path, version: str, attributes: dict) -> None:
        group.mkdir(parents=True, exist_ok=True)
        if version == "0.4":
            (group / ".zgroup").write_text('{"zarr_format": 2}')
            (group / ".zattrs").write_text(json.dumps(attributes))
        else:
            meta = {
                "zarr_format": 3,
                "node_type": "group",
                "attributes": {"ome": {"version": "0.5", **attributes}},
            }
            (group / "zarr.json").write_text(json.dumps(meta))

    def make(version: str = "0.4", labels: dict[str, list[str]] | None = None, fields: int = 2) -> Path:
        labels = labels or {
            "B/3": ["DNA", "ER", "RNA", "AGP", "Mito"],
            "C/4": ["DNA", "ER", "RNA", "AGP", "Mito"],
        }
        root = tmp_path / f"P{version[-1]}.zarr"
        rows = sorted({w.split("/")[0] for w in labels})
        columns = sorted({w.split("/")[1] for w in labels})
        plate = {
            "name": "P1",
            "rows": [{"name": r} for r in rows],
            "columns": [{"name": c} for c in columns],
            "wells": [
                {"path": w, "rowIndex": rows.index(w[0]), "columnIndex": columns.index(w.split("/")[1])}
                for w in labels
            ],
        }
        put(root, version, {"plate": plate})
        for number, (well, names) in enumerate(labels.items()):
            put(root / well, version, {"well": {"images": [{"path": str(f)} for f in range(fields)]}})
            for f in range(fields):
                axes = [{"name": "c", "type": "channel"}] + [
                    {"name": a, "type": "space", "unit": "micrometer"} for a in "yx"
                ]
                scale = {"type": "scale", "scale": [1.0, 0.6, 0.6]}
                multiscales = [
                    {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
                ]
                omero = {"channels": [{"label": n} for n in names]}
                put(root / well / str(f), version, {"multiscales": multiscales, "omero": omero})
                data = np.stack([image(level(number + 1, 0, f, ch)) for ch in range(len(names))])
                array = zarr.create_array(
                    root / well / str(f) / "0",
                    shape=data.shape,
                    chunks=(1, 6, 8),
                    dtype="uint16",
                    zarr_format=2 if version == "0.4" else 3,
                )
                array[:] = data
        return root

    return make
