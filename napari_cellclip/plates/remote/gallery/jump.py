"""Tables of the JUMP consortium: which compound or gene each well of ``cpg0016-jump`` got.

The main project's plate maps are not in the gallery in one form; what its wells got is in the tables of
<https://github.com/jump-cellpainting/datasets> (Chandrasekaran et al. 2023, doi:10.1101/2023.03.23.534023).
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from napari_cellclip.plates.platemaps.platemap import PlateMap
from napari_cellclip.plates.platemaps.tables import unpacked
from napari_cellclip.plates.remote.stores.addresses import remote_address
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.stores.store import RemoteStore
from napari_cellclip.vocabulary import CellClipError, Control, Kind, Perturbation, PlateError
from napari_cellclip.vocabulary.user_folders import cache_folder, from_home

PUBLISHED = "https://raw.githubusercontent.com/jump-cellpainting/datasets/main/metadata"
"""Where the consortium publishes its tables."""

PROJECT = "cpg0016-jump"

_COLUMNS = {
    "well": ("Metadata_Source", "Metadata_Plate", "Metadata_Well", "Metadata_JCP2022"),
    "plate": ("Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_PlateType"),
    "compound": ("Metadata_JCP2022", "Metadata_InChIKey", "Metadata_SMILES"),
    "orf": ("Metadata_JCP2022", "Metadata_Symbol", "Metadata_pert_type"),
    "crispr": ("Metadata_JCP2022", "Metadata_Symbol"),
    "perturbation_control": ("Metadata_JCP2022", "Metadata_pert_type", "Metadata_Name"),
}


@dataclass
class JumpTables:
    """The consortium's tables, each read once.

    Parameters
    ----------
    place : str, optional
        Folder or web address of them: ``NAPARI_CELLCLIP_JUMP_METADATA``, else where they are published.
    """

    place: str = field(default_factory=lambda: os.environ.get("NAPARI_CELLCLIP_JUMP_METADATA", PUBLISHED))
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _known: dict[str, Perturbation] = field(default_factory=dict, repr=False)

    @staticmethod
    def covers(project: str) -> bool:
        """Tell whether a project's wells are in the tables."""
        return project == PROJECT

    def table(self, name: str) -> pd.DataFrame:
        """Read one of the tables, with the columns that are needed, all text.

        Raises
        ------
        PlateError
            If it cannot be fetched or read.
        """
        if name not in self._tables:
            path = self._path(name)
            try:
                found = pd.read_csv(
                    io.BytesIO(unpacked(path)), dtype=str, keep_default_na=False, low_memory=False
                )
                self._tables[name] = found[[c for c in _COLUMNS[name] if c in found.columns]]
            except (OSError, EOFError, ValueError, CellClipError) as error:
                raise PlateError(
                    f"the JUMP table {path.name} cannot be read ({error}): fetch it again"
                ) from error
        return self._tables[name]

    def platemap(self, source: str, plate: str) -> PlateMap | None:
        """Make the plate map of a plate, ``None`` where the table of wells does not list it."""
        wells = self.table("well")
        ours = wells[(wells["Metadata_Plate"] == plate) & (wells["Metadata_Source"] == source)]
        if ours.empty:
            return None
        known = self.perturbations()
        return PlateMap.from_perturbations(
            {
                well: known.get(identifier, Perturbation(name=identifier))
                for well, identifier in zip(ours["Metadata_Well"], ours["Metadata_JCP2022"], strict=True)
            }
        )

    def perturbations(self) -> dict[str, Perturbation]:
        """Make the perturbation of each JUMP identifier."""
        if self._known:
            return self._known
        controls = self.table("perturbation_control")
        rows = zip(*(controls[c] for c in _COLUMNS["perturbation_control"]), strict=True)
        control = {identifier: (kind, name) for identifier, kind, name in rows}
        for identifier, _, smiles in self._rows("compound"):
            self._known[identifier] = self._one(identifier, Kind.COMPOUND, control, smiles=smiles)
        for kind, name in ((Kind.ORF, "orf"), (Kind.CRISPR, "crispr")):
            for identifier, symbol, *_ in self._rows(name):
                self._known[identifier] = self._one(identifier, kind, control, gene=symbol)
        for identifier in set(control) - set(self._known):
            self._known[identifier] = self._one(identifier, Kind.UNKNOWN, control)
        return self._known

    def _one(
        self,
        identifier: str,
        kind: Kind,
        control: dict[str, tuple[str, str]],
        smiles: str = "",
        gene: str = "",
    ) -> Perturbation:
        role, name = control.get(identifier, ("", ""))
        which = {"negcon": Control.NEGATIVE, "poscon": Control.POSITIVE, "empty": Control.EMPTY}.get(role)
        if which in (Control.NEGATIVE, Control.EMPTY) and kind in (Kind.COMPOUND, Kind.UNKNOWN):
            kind = Kind.CONTROL
        genes = (gene,) if gene and which is not Control.NEGATIVE else ()
        return Perturbation(kind, name or gene or identifier, smiles, genes, control=which)

    def _rows(self, name: str) -> list[tuple[str, ...]]:
        table = self.table(name)
        return list(zip(*(table.get(c, [""] * len(table)) for c in _COLUMNS[name]), strict=True))

    def _path(self, name: str) -> Path:
        """Find a table in a folder, or fetch it once."""
        ending = ".csv" if name == "perturbation_control" else ".csv.gz"
        address = remote_address(self.place)
        if address is None:
            return from_home(self.place) / f"{name}{ending}"
        folder = cache_folder() / "jump-metadata"
        folder.mkdir(parents=True, exist_ok=True)
        path, part = folder / f"{name}{ending}", folder / f".{name}{ending}.{os.getpid()}.part"
        if not path.exists():
            try:
                RemoteStore(address).fetch(RemoteFile(f"{address.place}/{name}{ending}", 0), part)
                os.replace(part, path)
            except FileNotFoundError:
                raise PlateError(
                    f"{address}/{name}{ending} does not exist: check the address of the tables"
                ) from None
            finally:
                part.unlink(missing_ok=True)
        return path
