"""What each well of a gallery plate got: its plate map joined with the metadata tables of the project."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from napari_cellclip.plates.platemaps.platemap import PlateMap
from napari_cellclip.plates.platemaps.tables import TABLE_SUFFIXES, read_table
from napari_cellclip.plates.remote.gallery.jump import JumpTables
from napari_cellclip.plates.remote.gallery.places import GalleryPlate
from napari_cellclip.plates.remote.stores.addresses import is_safe
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.stores.store import RemoteStore
from napari_cellclip.vocabulary import CellClipError, PlateError

MAX_TABLE_BYTES = 200_000_000
"""Largest metadata table that is fetched."""

MAX_TABLES = 50
"""Most metadata tables of a project that are looked into."""

_KEYS = (
    "broad_sample",
    "Metadata_broad_sample",
    "broad_id",
    "pert_id",
    "Metadata_JCP2022",
    "JCP2022",
    "InChIKey",
)


@dataclass
class GalleryPlateMaps:
    """Plate maps of one source; each table is fetched once.

    Parameters
    ----------
    store : RemoteStore
        The gallery's.
    scratch : Path
        Folder for the tables.
    jump : JumpTables
        Tables of the JUMP consortium, for its main project.
    """

    store: RemoteStore
    scratch: Path
    jump: JumpTables
    _fetched: dict[str, Path | None] = field(default_factory=dict)
    _maps: dict[str, PlateMap | None] = field(default_factory=dict)
    _metadata: dict[str, list[Path]] = field(default_factory=dict)

    def read(self, place: GalleryPlate) -> PlateMap | None:
        """Read the plate map of a plate, ``None`` where neither gallery nor consortium has one.

        Raises
        ------
        CellClipError
            If there is one that cannot be read.
        """
        if (
            self.jump.covers(place.project)
            and (found := self.jump.platemap(place.source, place.plate)) is not None
        ):
            return found
        name = self.names(place).get(place.plate)
        return self._named(place, name) if name else None

    def names(self, place: GalleryPlate) -> dict[str, str]:
        """Names of the plate maps of a batch, by plate; empty where the gallery has no list of them."""
        path = self._fetch(place.workspace("metadata", "platemaps", place.batch, "barcode_platemap.csv"))
        if path is None:
            return {}
        table = read_table(path)
        columns = {str(c).lower(): c for c in table.columns}
        plate, name = columns.get("assay_plate_barcode"), columns.get("plate_map_name")
        if plate is None or name is None:
            return {}
        return {p: n for p, n in zip(table[plate], table[name], strict=True) if p and n}

    def _named(self, place: GalleryPlate, name: str) -> PlateMap | None:
        """Read a plate map by its name, with the metadata table that knows most of its samples."""
        key = place.workspace("metadata", "platemaps", place.batch, "platemap", name)
        if key in self._maps:
            return self._maps[key]
        self._maps[key] = None
        if not is_safe(name) or "/" in name:
            raise PlateError(
                f"barcode_platemap.csv of {place.batch} names a plate map {name!r}, which was not followed"
            )
        path = next((p for end in ("", ".txt", ".csv", ".tsv") if (p := self._fetch(f"{key}{end}"))), None)
        if path is not None:
            self._maps[key] = PlateMap.read(path, metadata=self._best_metadata(place, path))
        return self._maps[key]

    def _best_metadata(self, place: GalleryPlate, platemap: Path) -> Path | None:
        table = read_table(platemap)
        best: tuple[int, Path | None] = 0, None
        for path in self._metadata_tables(place):
            try:
                other = read_table(path)
            except CellClipError:  # another table may do
                continue
            key = next((k for k in _KEYS if k in table.columns and k in other.columns), None)
            shared = len((set(table[key]) & set(other[key])) - {""}) if key else 0
            if shared > best[0]:
                best = shared, path
        return best[1]

    def _metadata_tables(self, place: GalleryPlate) -> list[Path]:
        folder = place.workspace("metadata", "external_metadata") + "/"
        if folder not in self._metadata:
            listed = [
                f for f in self.store.files(folder, deep=False) if f.key.lower().endswith(TABLE_SUFFIXES)
            ]
            paths = [self._fetch(file.key, file) for file in listed[:MAX_TABLES]]
            self._metadata[folder] = [path for path in paths if path is not None]
        return self._metadata[folder]

    def _fetch(self, key: str, file: RemoteFile | None = None) -> Path | None:
        """Fetch a table, ``None`` if there is none."""
        if key not in self._fetched:
            self._fetched[key] = None
            try:
                file = file or self.store.describe(key)
            except FileNotFoundError:
                return None
            if file.size > MAX_TABLE_BYTES:
                raise PlateError(f"s3://{key} has {file.size:,} bytes, more than a table of samples has")
            path = self.scratch / f"{len(self._fetched)}-{Path(key).name}"
            path.unlink(missing_ok=True)
            self.store.fetch(file, path)
            self._fetched[key] = path
        return self._fetched[key]
