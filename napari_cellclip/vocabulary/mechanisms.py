"""Mechanisms of action that can be simulated: names, phrasings, compounds, genes, the stains they change.

Structures come from the Drug Repurposing Hub (Corsello et al. 2017, doi:10.1038/nm.4306) where it has the
compound; the others were written down and checked against their molecular formula.

To add a synonym, write it under ``synonyms`` in ``simulated_mechanisms.json`` beside this file. All other
mechanisms are in ``mechanisms.json`` (:mod:`napari_cellclip.vocabulary.annotations`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from napari_cellclip.vocabulary.errors import CellClipError
from napari_cellclip.vocabulary.stains import Stain


@dataclass(frozen=True)
class Compound:
    """A small molecule.

    Attributes
    ----------
    name : str
        Usual name, as in plate maps.
    smiles : str
        Isomeric SMILES, canonical by RDKit.
    genes : tuple of str
        Target genes (HGNC symbols); empty where the target is no protein.
    synonyms : tuple of str
        Trade names, codes, other spellings.
    """

    name: str
    smiles: str
    genes: tuple[str, ...]
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mechanism:
    """A mechanism of action with a phenotype in Cell Painting.

    Attributes
    ----------
    key : str
        Identifier, ``"tubulin_destabiliser"``.
    name : str
        Name in plate maps, ``"tubulin polymerisation inhibitor"``.
    synonyms : tuple of str
        Other ways in which biologists say it, British and American.
    compounds : tuple of Compound
        Real compounds that act this way.
    genes : tuple of str
        Genes whose knockout gives this phenotype.
    stains : tuple of Stain
        The stains it changes; the others look like those of untreated cells.
    """

    key: str
    name: str
    synonyms: tuple[str, ...]
    compounds: tuple[Compound, ...]
    genes: tuple[str, ...]
    stains: tuple[Stain, ...]


def _compound(row: dict[str, str | list[str]]) -> Compound:
    return Compound(str(row["name"]), str(row["smiles"]), tuple(row["genes"]), tuple(row["synonyms"]))


def _read(path: Path) -> tuple[tuple[Mechanism, ...], tuple[Compound, ...]]:
    table = json.loads(path.read_text(encoding="utf-8"))
    mechanisms = tuple(
        Mechanism(
            row["key"],
            row["name"],
            tuple(row["synonyms"]),
            tuple(_compound(compound) for compound in row["compounds"]),
            tuple(row["genes"]),
            tuple(Stain(stain) for stain in row["stains"]),
        )
        for row in table["mechanisms"]
    )
    return mechanisms, tuple(_compound(compound) for compound in table["inert"])


MECHANISMS, INERT_COMPOUNDS = _read(Path(__file__).with_name("simulated_mechanisms.json"))
"""All mechanisms of the table; compounds without a visible effect at the usual doses."""

_BY_TEXT = {
    text.casefold(): mechanism
    for mechanism in MECHANISMS
    for text in (mechanism.key, mechanism.name, *mechanism.synonyms)
}


def mechanism(text: str) -> Mechanism:
    """Find a mechanism by its key, its name or any of its phrasings, in upper or lower case.

    Parameters
    ----------
    text : str
        ``"tubulin_destabiliser"``, ``"Tubulin inhibitor"``.

    Returns
    -------
    Mechanism

    Raises
    ------
    CellClipError
        If no mechanism is called that.

    Examples
    --------
    >>> mechanism("microtubule destabilizing agent").key
    'tubulin_destabiliser'
    """
    found = _BY_TEXT.get(" ".join(text.split()).casefold())
    if found is None:
        raise CellClipError(
            f"no mechanism is called {text!r}; known are {', '.join(m.name for m in MECHANISMS)}"
        )
    return found
