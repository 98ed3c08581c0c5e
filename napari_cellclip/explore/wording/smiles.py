"""SMILES that people type: recognised by their letters, checked by RDKit where it is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ATOM = r"\[[^\[\]\s]{1,20}\]|Br|Cl|[BCNOPSFIbcnops]"
_SMILES = re.compile(rf"(?:{_ATOM}|[=#$/\\.\-+:()~\[\]]|%\d\d|\d)++")
# Possessive: "[C]" is an atom or three signs, and trying both of each takes 2 ** n steps.
_BOND = re.compile(r"[=#\[(]")


@dataclass(frozen=True)
class Structure:
    """Outcome of a check.

    Attributes
    ----------
    smiles : str
        Canonical where RDKit is installed.
    error : str
        What is wrong, empty if nothing is.
    doubtful : bool
        Whether the text may well be no structure at all, such as ``p53``.
    notes : tuple of str
    """

    smiles: str
    error: str = ""
    doubtful: bool = False
    notes: tuple[str, ...] = ()


def is_like_structure(text: str) -> bool:
    """Tell whether a text is written in the letters and signs of SMILES, be it right or wrong.

    Examples
    --------
    >>> is_like_structure("CC(=O)Oc1ccccc1"), is_like_structure("CC(=O"), is_like_structure("taxol")
    (True, True, False)
    """
    if len(text) < 3 or _SMILES.fullmatch(text) is None:
        return False
    return _BOND.search(text) is not None or re.search(r"[bcnops]\d", text) is not None


def check_structure(smiles: str) -> Structure:
    """Check a SMILES.

    Without RDKit only brackets and ring numbers are looked at.
    """
    doubtful = len(re.findall(_ATOM, smiles)) < 5 and _BOND.search(smiles) is None
    if error := _unbalanced(smiles):
        return Structure(smiles, error, doubtful)
    try:
        from rdkit import Chem
        from rdkit.rdBase import BlockLogs
    except ImportError:
        note = 'The structure was not checked: RDKit is not installed (pip install "napari-cellclip[chem]").'
        return Structure(smiles, notes=(note,))
    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is not None and molecule.GetNumAtoms():
            return Structure(str(Chem.MolToSmiles(molecule)))
        syntax = Chem.MolFromSmiles(smiles, sanitize=False) is None
    error = "RDKit cannot read it" if syntax else "an atom has too many bonds or a ring cannot be aromatic"
    return Structure(smiles, error, doubtful)


def _unbalanced(smiles: str) -> str:
    for opening, closing, name in (("(", ")", "a bracket"), ("[", "]", "a square bracket")):
        if smiles.count(opening) != smiles.count(closing):
            return f"{name} is not closed or not opened"
    outside = re.sub(r"\[[^\]]*\]", "", smiles)
    rings = re.findall(r"%\d\d|\d", outside)
    odd = [ring for ring in dict.fromkeys(rings) if rings.count(ring) % 2]
    return f"ring {odd[0].strip('%')} is not closed" if odd else ""
