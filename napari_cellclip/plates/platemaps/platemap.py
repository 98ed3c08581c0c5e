"""A plate map: the perturbation of each well, read from tables as people have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import pandas as pd

from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.platemaps.columns import Columns, is_blank
from napari_cellclip.plates.platemaps.tables import read_table
from napari_cellclip.vocabulary import (
    CellClipError,
    Kind,
    Perturbation,
    PlateMapError,
    normalise_well,
    parse_well,
    well_name,
)
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from napari_cellclip.plates.plate import Plate


class PlateMap:
    """Perturbations by well.

    Parameters
    ----------
    wells : mapping of str to Perturbation
        By well name; spelling is normalised.
    effects : mapping of str to float, optional
        Simulated effect (0 to 1) by well, carried along for evaluation.
    problems : tuple of Problem
        Rows that could not be used.

    Examples
    --------
    >>> platemap = PlateMap.from_perturbations({"a1": Perturbation(Kind.COMPOUND, "nocodazole")})
    >>> platemap.get("A01").name
    'nocodazole'
    """

    def __init__(
        self,
        wells: Mapping[str, Perturbation],
        effects: Mapping[str, float] | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        ordered = sorted(
            ((normalise_well(w), p) for w, p in wells.items()), key=lambda item: parse_well(item[0])
        )
        self.wells: Mapping[str, Perturbation] = MappingProxyType(dict(ordered))
        self.effects: Mapping[str, float] = MappingProxyType(dict(effects or {}))
        self.problems = problems

    @classmethod
    def from_perturbations(cls, wells: Mapping[str, Perturbation]) -> PlateMap:
        """Make a plate map from perturbations by well name."""
        return cls(wells)

    @classmethod
    def read(
        cls,
        path: str | Path,
        metadata: str | Path | None = None,
        plate: str | None = None,
        *,
        decimal: Literal[".", ","] | None = None,
        sheet: str | None = None,
        heading: int | None = None,
        columns: Mapping[str, str | None] | None = None,
    ) -> PlateMap:
        """Read a plate map.

        Parameters
        ----------
        path : str or Path
            CSV, TSV or Excel, a row per well. Columns are found by the names they have in this package, in
            JUMP, LINCS, CellProfiler and everyday tables.
        metadata : str or Path, optional
            Second table with what is known of each sample, joined on ``broad_sample`` (JUMP) or on
            whichever identifier the two tables share.
        plate : str, optional
            Which plate, where the table lists several.
        decimal : {".", ","}, optional
            Decimal sign of the doses. Found out if not given; where ``1,000`` may be either, the well has no
            dose and a problem says so.
        sheet : str, optional
            Sheet of a workbook; the first one with a column of wells unless given.
        heading : int, optional
            Line, counted from 1, with the names of the columns; found out where a title stands above them.
        columns : mapping of str to str or None, optional
            Columns that hold something under another name, such as ``{"well": "Pos.", "treatment": "Cpd"}``;
            ``None`` for one that shall not be used. Keys are those of ``platemaps.columns.CHOICES``.

        Returns
        -------
        PlateMap

        Raises
        ------
        PlateMapError
            If a file cannot be read, has no well column, lists several plates and none is chosen, shares
            no column with ``metadata``, or has no such sheet, line or column.
        """
        file, given = from_home(path), columns or {}
        table = read_table(file, sheet, heading, has_heading)
        if table.empty:
            raise PlateMapError(f"{file.name} has a heading but no rows: export the plate map again")
        if metadata is not None:
            table = _joined(table, read_table(from_home(metadata)), file.name, Path(metadata).name)
        found = Columns.find(list(table.columns)).chosen(given, set(table.columns), file.name)
        if not found.has_wells:
            listed = ", ".join(str(c) for c in list(table.columns)[:8])
            raise PlateMapError(
                f"{file.name} has no column of wells: name one 'well' (B03), or two 'row' and 'column'; "
                f"it has {listed}"
            )
        table = _one_plate(table, found, file.name, plate)
        wells, effects, problems = _rows(table, found, file.name, decimal)
        if not wells:
            raise PlateMapError(f"{file.name} names no well that exists: wells should read like B03")
        return cls(wells, effects, tuple(problems))

    def get(self, well: str) -> Perturbation:
        """Look up the perturbation of a well; an unknown one where the map does not list it."""
        try:
            return self.wells.get(normalise_well(well), Perturbation())
        except CellClipError:
            return Perturbation()

    def __iter__(self) -> Iterator[str]:
        return iter(self.wells)

    def __len__(self) -> int:
        return len(self.wells)

    def __contains__(self, well: object) -> bool:
        return well in self.wells

    def __repr__(self) -> str:
        controls = sum(p.control is not None for p in self.wells.values())
        return f"PlateMap({len(self.wells)} wells, {controls} controls)"

    @property
    def table(self) -> pd.DataFrame:
        """Table of one row per well with ``Metadata_`` columns, as pycytominer has them."""
        rows = [
            {
                "Metadata_Well": well,
                "Metadata_treatment": p.name,
                "Metadata_kind": p.kind.value,
                "Metadata_smiles": p.smiles,
                "Metadata_genes": "|".join(p.genes),
                "Metadata_mechanism": p.mechanism,
                "Metadata_dose": p.dose,
                "Metadata_cell_line": p.cell_line,
                "Metadata_control_type": p.control.value if p.control else "",
                **({"Metadata_effect": self.effects.get(well)} if self.effects else {}),
            }
            for well, p in self.wells.items()
        ]
        table = pd.DataFrame(rows)
        numeric = [c for c in ("Metadata_dose", "Metadata_effect") if c in table]
        return table.astype(dict.fromkeys(numeric, "float64"))

    def to_csv(self, path: str | Path) -> None:
        """Write the plain form: ``well,treatment,kind,smiles,genes,mechanism,dose,effect,control_type``."""
        table = self.table.rename(columns=lambda c: c.removeprefix("Metadata_")).rename(
            columns={"Well": "well"}
        )
        if "effect" not in table:
            table["effect"] = ""
        order = [
            "well",
            "treatment",
            "kind",
            "smiles",
            "genes",
            "mechanism",
            "dose",
            "effect",
            "control_type",
        ]
        if table["cell_line"].any():
            order.append("cell_line")
        table[order].to_csv(path, index=False)

    def blind(self) -> PlateMap:
        """Copy the wells with nothing but their control types: no names, structures, genes or mechanisms."""
        return PlateMap(
            {
                well: Perturbation(kind=Kind.CONTROL if p.control else Kind.UNKNOWN, control=p.control)
                for well, p in self.wells.items()
            }
        )

    def check(self, plate: Plate) -> list[Problem]:
        """Compare with a plate.

        Returns
        -------
        list of Problem
            Rows that were unusable, wells that do not exist on the plate, wells that were not imaged, imaged
            wells the map does not list.
        """
        found = list(self.problems)
        rows, columns = plate.shape
        imaged = {well.name for well in plate.wells if well.known}
        beyond = [w for w in self.wells if parse_well(w)[0] >= rows or parse_well(w)[1] >= columns]
        absent = [w for w in self.wells if w not in imaged and w not in beyond]
        unlisted = [well.name for well in plate.wells if well.name not in self.wells]
        if beyond:
            what = _counted(beyond, "well of the plate map does", "wells of the plate map do")
            what += (
                f" not exist on a plate of {rows} x {columns} wells: check that this is the right plate map"
            )
            found.append(Problem(_some(beyond), what))
        if absent:
            what = _counted(absent, "well of the plate map has", "wells of the plate map have")
            found.append(Problem(_some(absent), f"{what} no images on this plate"))
        if unlisted:
            what = _counted(unlisted, "imaged well is", "imaged wells are")
            found.append(Problem(_some(unlisted), f"{what} not in the plate map: shown without a treatment"))
        return found


def has_heading(cells: list[str]) -> bool:
    """Tell whether these cells are names of columns, one of them of the wells."""
    return Columns.find(cells).has_wells


def _counted(wells: Sequence[str], of_one: str, of_many: str) -> str:
    """Count wells, in words that fit one of them and many."""
    return f"{len(wells)} {of_one if len(wells) == 1 else of_many}"


def _some(wells: list[str]) -> str:
    return ", ".join(wells[:5]) + (", …" if len(wells) > 5 else "")


def _joined(table: pd.DataFrame, metadata: pd.DataFrame, name: str, metadata_name: str) -> pd.DataFrame:
    """Join on the shared identifier; wells with none take the metadata's row that has none (JUMP's DMSO)."""
    for key in (
        "broad_sample",
        "Metadata_broad_sample",
        "broad_id",
        "pert_id",
        "Metadata_JCP2022",
        "JCP2022",
        "InChIKey",
    ):
        if key in table.columns and key in metadata.columns:
            break
    else:
        shared = [c for c in table.columns if c in set(metadata.columns)]
        if not shared:
            raise PlateMapError(
                f"{name} and {metadata_name} share no column such as broad_sample to be joined on"
            )
        key = str(shared[0])
    left = table.assign(**{key: ["" if is_blank(v) else v for v in table[key]]})
    right = metadata.assign(**{key: ["" if is_blank(v) else v for v in metadata[key]]}).drop_duplicates(key)
    new = [c for c in right.columns if c == key or c not in set(left.columns)]
    return left.merge(right[new], on=key, how="left").fillna("")


def _one_plate(table: pd.DataFrame, columns: Columns, name: str, wanted: str | None) -> pd.DataFrame:
    if columns.plate is None:
        return table
    plates = [p for p in dict.fromkeys(table[columns.plate]) if not is_blank(p)]
    if len(plates) < 2 and (wanted is None or wanted not in plates):
        return table
    listed = ", ".join(plates[:10])
    if wanted is None:
        raise PlateMapError(f"{name} lists {len(plates)} plates: choose one with plate= ({listed})")
    if wanted not in plates:
        raise PlateMapError(f"{name} does not list plate {wanted!r}: it has {listed}")
    return table[table[columns.plate] == wanted]


def _rows(
    table: pd.DataFrame, columns: Columns, name: str, decimal: str | None
) -> tuple[dict[str, Perturbation], dict[str, float], list[Problem]]:
    wells: dict[str, Perturbation] = {}
    effects: dict[str, float] = {}
    problems: list[Problem] = []
    records = [{str(k): str(v) for k, v in record.items()} for record in table.to_dict("records")]
    first, decimal = columns.first_number(records), decimal or columns.decimal(records)
    for line, record in zip(table.index, records, strict=True):
        subject = f"{name} line {int(line) + 2}"
        try:
            well = _well(record, columns, first)
            if well is None:
                continue
        except CellClipError as error:
            problems.append(Problem(subject, f"{error}; this row is left out"))
            continue
        dose = None
        try:
            dose = columns.dose_of(record, decimal)
        except CellClipError as error:  # what was done is known all the same
            problems.append(Problem(subject, f"{error}; well {well} has no dose"))
        perturbation = columns.perturbation(record, dose)
        if well in wells and wells[well] != perturbation:
            first_one = wells[well].treatment
            what = f"well {well} is listed again with another treatment; the first one ({first_one}) is used"
            problems.append(Problem(subject, what))
            continue
        wells[well] = perturbation
        if (effect := columns.effect_of(record)) is not None:
            effects[well] = effect
    return wells, effects, problems


def _well(record: dict[str, str], columns: Columns, first: int) -> str | None:
    """Well of a row, ``None`` for a row without one."""
    if columns.well is not None:
        text = record[columns.well]
        return None if is_blank(text) else normalise_well(text)
    assert columns.row is not None
    assert columns.column is not None
    row, column = record[columns.row], record[columns.column]
    if is_blank(row) or is_blank(column):
        return None
    number = columns.whole_number(column)
    if row.isalpha():
        return normalise_well(f"{row}{number if first else number + 1}")
    return well_name(columns.whole_number(row) - first, number - first)
