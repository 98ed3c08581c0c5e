"""What was done to the cells of a well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_GENE = re.compile(r"[A-Z][A-Z0-9]{1,8}(?:orf\d{1,3}[A-Z]?)?(?:-[A-Z0-9]{1,3})?|C\d{1,2}orf\d{1,3}")


class Kind(StrEnum):
    """Way in which a well was perturbed."""

    COMPOUND = "compound"
    CRISPR = "crispr"
    ORF = "orf"
    CONTROL = "control"
    UNKNOWN = "unknown"


class Control(StrEnum):
    """Purpose of a control well (``trt`` wells have none)."""

    NEGATIVE = "negcon"
    POSITIVE = "poscon"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One treatment, as a plate map tells it.

    Attributes
    ----------
    kind : Kind
        Compound, CRISPR knockout, ORF over-expression, control or unknown.
    name : str
        Compound or gene name, ``"DMSO"``; empty where the map does not say.
    smiles : str
        Structure, empty where unknown.
    genes : tuple of str
        Target genes, HGNC symbols.
    mechanism : str
        Mechanism of action in words, empty where unknown.
    dose : float or None
        Concentration in micromolar.
    cell_line : str
        ``"U2OS"``, ``"A549"``; empty where unknown.
    control : Control or None
        Role as a control, ``None`` for a treatment.

    Examples
    --------
    >>> Perturbation(Kind.COMPOUND, "nocodazole", dose=1.0).is_negative_control
    False
    """

    kind: Kind = Kind.UNKNOWN
    name: str = ""
    smiles: str = ""
    genes: tuple[str, ...] = ()
    mechanism: str = ""
    dose: float | None = None
    cell_line: str = ""
    control: Control | None = None

    @property
    def is_negative_control(self) -> bool:
        """Whether the well is a vehicle or non-targeting control."""
        return self.control is Control.NEGATIVE

    @property
    def treatment(self) -> str:
        """Name, kind and dose as one label, such as ``nocodazole 1 µM`` or ``TUBB knockout``."""
        suffix = {Kind.CRISPR: " knockout", Kind.ORF: " over-expression"}.get(self.kind, "")
        dose = f" {self.dose:g} µM" if self.dose else ""
        return f"{self.name or 'unnamed'}{suffix}{dose}"


def is_gene_symbol(text: str) -> bool:
    """Tell whether a text is written like an HGNC gene symbol.

    Examples
    --------
    >>> is_gene_symbol("HDAC1"), is_gene_symbol("C9orf72"), is_gene_symbol("taxol")
    (True, True, False)
    """
    return _GENE.fullmatch(text) is not None
