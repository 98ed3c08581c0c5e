"""Find the columns of a plate map by the many names they have, and make perturbations of its rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from napari_cellclip.plates.platemaps.doses import decimal_sign, micromolar
from napari_cellclip.vocabulary import Control, Kind, Perturbation, PlateMapError
from napari_cellclip.vocabulary.mechanism_lists import listed_mechanisms

# Names are compared without case, "Metadata_", blanks and punctuation; the first that a table has is taken.
_NAMES: dict[str, str] = {
    "well": "well,wellposition,wellname,wellid,wellno,assayplatewell,assaywell,destinationwell,pertwell,"
    "rnawell,imagemetadatawell,wellcoordinate,wellpos,position",
    "row": "row,wellrow,rowname,rowid,rownumber,rowindex,platerow",
    "column": "column,col,wellcolumn,wellcol,columnid,columnnumber,colnumber,colid,columnindex,"
    "colindex,platecolumn,platecol",
    "plate": "plate,platename,plateid,barcode,assayplatebarcode,platebarcode,detplate,assayplate",
    "name": "treatment,pertiname,pertname,compoundname,compound,perturbation,perturbationname,drug,drugname,"
    "chemical,commonname,name,moleculename,treatmentname,symbol,genesymbol,gene,genename,sgrnatarget,"
    "broadsample,brdid,broadid,pertid,jcp2022,sample,sampleid,compoundid",
    "kind": "kind,modality,perturbationtype,perturbationmodality,treatmenttype",
    "smiles": "smiles,canonicalsmiles,isomericsmiles,cpdsmiles,structure",
    "genes": "genes,targetlist,target,targets,targetgenes,gene,genesymbol,symbol,targetgene,genename",
    "mechanism": "mechanism,moa,mechanismofaction,pertmoa,moas,moaname",
    "dose": "dose,doseum,doseumol,doseµm,doseμm,concentration,concentrationum,concentrationµm,"
    "concentrationμm,concum,conc,concµm,concμm,pertdose,mmolesperliter,dosenm,concentrationnm,concnm,pertidose,doselevelum,"
    "cpdconc,dosemm,concentrationmm,concmm,umolesperliter,micromolesperliter",
    "dose_unit": "doseunit,pertdoseunit,concentrationunit,concunit,unit,units",
    "effect": "effect",
    "cell_line": "cellline,cell,celltype,cellid,cells",
    "control": "controltype,control,welltype,role,wellrole",
    "pert_type": "perttype,pertype,typeofperturbation",
    "solvent": "solvent,vehicle",
}

_NEGATIVE = frozenset(
    [
        "dmso",
        "negcon",
        "negativecontrol",
        "negative",
        "neg",
        "negctrl",
        "nc",
        "vehicle",
        "vehiclecontrol",
        "ctlvehicle",
        "ctlvector",
        "ctluntrt",
        "untreated",
        "mock",
        "solvent",
        "solventcontrol",
        "nontargeting",
        "nontargetingcontrol",
        "nontarget",
        "notargeting",
        "nt",
        "ntc",
        "noguide",
        "scramble",
        "scrambled",
        "intergenic",
        "safeharbor",
        "safeharbour",
        "controlvehicle",
        "water",
        "pbs",
    ]
)
_POSITIVE = frozenset(["poscon", "positivecontrol", "positive", "pos", "posctrl", "pc", "trtposcon"])
_EMPTY = frozenset(
    ["empty", "blank", "nocells", "mediaonly", "mediumonly", "media", "medium", "emptywell", "unused"]
)
# Reporter genes that JUMP uses as negative controls of its ORF and CRISPR plates (perturbation_control.csv).
_REPORTERS = frozenset(["bfp", "hcred", "luciferase", "lacz"])
_ORDINARY = frozenset(
    [
        "trt",
        "trtcp",
        "trtxpr",
        "trtoe",
        "trtsh",
        "treatment",
        "treated",
        "sample",
        "test",
        "compound",
        "none",
        "no",
        "false",
        "control",
    ]
)

_KINDS = {
    Kind.COMPOUND: "compound,cp,trtcp,chemical,drug,smallmolecule,molecule",
    Kind.CRISPR: "crispr,trtxpr,xpr,knockout,ko,crisprko,crispri,sgrna,guide",
    Kind.ORF: "orf,trtoe,oe,overexpression,cdna",
    Kind.CONTROL: "control,ctl,negcon,dmso,vehicle",
    Kind.UNKNOWN: "unknown",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split(",")}


CHOICES: dict[str, str] = {
    "well": "Well, as B03",
    "row": "Row, where wells are in two columns",
    "column": "Column, where wells are in two columns",
    "plate": "Plate, where the table lists several",
    "treatment": "Compound, gene or other treatment",
    "dose": "Dose",
    "dose_unit": "Unit of the dose",
    "mechanism": "Mechanism of action",
    "genes": "Target genes",
    "smiles": "Chemical structure (SMILES)",
    "control": "Control type",
    "kind": "Kind of treatment (compound, CRISPR, ORF)",
    "cell_line": "Cell line",
}
"""What the columns of a plate map may hold, for a user who chooses them."""


def is_blank(text: str) -> bool:
    """Tell whether a cell holds nothing: empty, ``NA``, ``nan``, ``-``."""
    return text.strip().lower() in {"", "na", "n/a", "nan", "none", "null", "-", "#n/a", "<na>"}


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns by what they hold; ``None`` where there is none."""

    well: str | None = None
    row: str | None = None
    column: str | None = None
    plate: str | None = None
    names: tuple[str, ...] = ()
    kind: str | None = None
    smiles: str | None = None
    genes: str | None = None
    mechanism: str | None = None
    dose: str | None = None
    dose_unit: str | None = None
    effect: str | None = None
    cell_line: str | None = None
    control: str | None = None
    pert_type: str | None = None
    solvent: str | None = None
    others: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def find(cls, columns: list[str]) -> Columns:
        """Find the columns of a table by their names."""
        by_word: dict[str, str] = {}
        for column in columns:
            by_word.setdefault(_word(column.removeprefix("Metadata_").removeprefix("metadata_")), column)
        found = {
            key: [by_word[name] for name in names.split(",") if name in by_word]
            for key, names in _NAMES.items()
        }
        single = {key: hits[0] if hits else None for key, hits in found.items() if key != "name"}
        return cls(**single, names=tuple(found["name"]), others=frozenset(by_word))

    def chosen(self, given: Mapping[str, str | None], table: Collection[str], name: str) -> Columns:
        """Return these columns with some as the user chose them.

        Parameters
        ----------
        given : mapping of str to str or None
            Column of the table by what it holds, a key of :data:`CHOICES`; ``None`` for no column.
        table : collection of str
            Columns there are.
        name : str
            Of the file, for messages.

        Raises
        ------
        PlateMapError
            If there is no such choice or no such column.
        """
        changes: dict[str, Any] = {}
        for holds, column in given.items():
            if holds not in CHOICES:
                raise PlateMapError(f"{holds!r} is nothing a plate map holds: choose {', '.join(CHOICES)}")
            if column is not None and column not in table:
                raise PlateMapError(f"{name} has no column {column!r}: choose one that it has")
            if holds == "treatment":
                changes["names"] = () if column is None else (column,)
            else:
                changes[holds] = column
        return replace(self, **changes)

    def column_of(self, holds: str) -> str | None:
        """Column that holds something, a key of :data:`CHOICES`; ``None`` where there is none."""
        if holds == "treatment":
            return self.names[0] if self.names else None
        column: str | None = getattr(self, holds)
        return column

    @property
    def has_wells(self) -> bool:
        """Whether wells can be read, from one column or from two."""
        return self.well is not None or (self.row is not None and self.column is not None)

    def first_number(self, records: list[dict[str, str]]) -> int:
        """Find the number of the first row or column: 0 where a table counts from 0, else 1."""
        if self.well is not None or self.row is None or self.column is None:
            return 1
        cells = [record[c] for record in records for c in (self.row, self.column)]
        return 0 if any(re.fullmatch(r"0+(\.0+)?", cell) for cell in cells) else 1

    @staticmethod
    def whole_number(text: str) -> int:
        """Read a row or column number, also one with the decimals a spreadsheet adds.

        Raises
        ------
        PlateMapError
            If it is none.
        """
        if match := re.fullmatch(r"(\d{1,3})(?:\.0+)?", text):
            return int(match[1])
        raise PlateMapError(f"{text!r} is no row or column number")

    def decimal(self, records: list[dict[str, str]]) -> str | None:
        """Find out the decimal sign of the doses, ``None`` where no dose tells."""
        return decimal_sign(self._cell(record, self.dose) for record in records)

    def dose_of(self, record: dict[str, str], decimal: str | None) -> float | None:
        """Read the dose of one row in micromolar; `decimal` is the sign, ``None`` where not known.

        Raises
        ------
        PlateMapError
            If it is no number, could be one of two, or its unit is no concentration of molecules.
        """
        text = self._cell(record, self.dose)
        if not text or self.dose is None:
            return None
        return micromolar(text, self._cell(record, self.dose_unit) or _unit_of(self.dose), decimal)

    def perturbation(self, record: dict[str, str], dose: float | None) -> Perturbation:
        """Make the perturbation of one row; `dose` is in micromolar."""
        name = next((record[c] for c in self.names if not is_blank(record[c])), "")
        genes = tuple(
            g.strip() for g in re.split(r"[|;,]", self._cell(record, self.genes)) if not is_blank(g)
        )
        smiles = self._cell(record, self.smiles)
        if not name and _word(self._cell(record, self.solvent)) == "dmso":
            name = "DMSO"  # LINCS and JUMP leave the sample of a vehicle well empty
        control = self._control(record, name)
        kind = self._kind(record, name, dose)
        if kind in (Kind.CRISPR, Kind.ORF) and control is None and _word(name) in _REPORTERS:
            control = Control.NEGATIVE
        if control in (Control.NEGATIVE, Control.EMPTY) and kind in (Kind.UNKNOWN, Kind.COMPOUND):
            kind = Kind.CONTROL
        return Perturbation(
            kind=kind,
            name=name,
            smiles=smiles,
            genes=genes,
            mechanism="|".join(listed_mechanisms(self._cell(record, self.mechanism))),
            dose=dose,
            cell_line=self._cell(record, self.cell_line),
            control=control,
        )

    def effect_of(self, record: dict[str, str]) -> float | None:
        """Read the simulated effect of a row (0 to 1), ``None`` if the table has none."""
        text = self._cell(record, self.effect)
        try:
            return float(text) if text else None
        except ValueError:
            return None

    def _cell(self, record: dict[str, str], column: str | None) -> str:
        return record[column] if column is not None and not is_blank(record[column]) else ""

    def _control(self, record: dict[str, str], name: str) -> Control | None:
        for column in (self.control, self.pert_type, self.kind):
            if found := _control_of(self._cell(record, column)):
                return found
        if not name and any(
            _word(self._cell(record, c)) == "control" for c in (self.control, self.pert_type)
        ):
            return Control.NEGATIVE  # a control that got no sample
        # A treatment whose name happens to be "sample" is none of these; "DMSO 0.1 %" is one.
        return _control_of(re.sub(r"[\d.,]+\s*%.*", "", name))

    def _kind(self, record: dict[str, str], name: str, dose: float | None) -> Kind:
        for column in (self.kind, self.pert_type):
            word = _word(self._cell(record, column))
            if word in _KIND_OF and (column == self.kind or word.startswith(("trt", "ctl"))):
                return _KIND_OF[word]
        samples = [record[c] for c in self.names]
        if any(s.startswith("ccsbBroad") for s in samples) or "targetmatchingregionseq" in self.others:
            return Kind.ORF
        if any(s.startswith("BRDN") for s in samples) or self.others & {
            "targetsequence",
            "sgrnasequence",
            "guide",
        }:
            return Kind.CRISPR
        compound = self.smiles is not None or dose is not None or any(s.startswith("BRD-") for s in samples)
        return Kind.COMPOUND if compound and name else Kind.UNKNOWN


def _unit_of(column: str) -> str:
    word = _word(column)
    # mmoles_per_liter of LINCS is the stock's (mg_per_ml over the mass); wells got a thousandth, 10 is 10 µM.
    if word.endswith(("dosemm", "concentrationmm", "concmm")) and not word.startswith("u"):
        return "mM"
    return "nM" if word.endswith("nm") else "uM"


def _control_of(text: str) -> Control | None:
    word = _word(text)
    if not word or word in _ORDINARY:
        return None
    if word in _NEGATIVE or word.startswith(("negcon", "negativecontrol", "nontargeting", "dmso")):
        return Control.NEGATIVE
    if word in _POSITIVE or word.startswith(("poscon", "positivecontrol", "trtposcon")):
        return Control.POSITIVE
    return Control.EMPTY if word in _EMPTY else None


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9µμ]", "", text.lower())
