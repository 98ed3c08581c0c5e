"""What compounds do: mechanisms with their synonyms, compounds and targets.

To add a synonym of a mechanism, write it under ``synonyms`` in ``mechanisms.json`` beside this file, or in
``simulated_mechanisms.json`` for the 18 that can also be simulated
(:mod:`napari_cellclip.vocabulary.mechanisms`); the two files repeat nothing of each other. Structures are
those of the Drug Repurposing Hub (Corsello et al. 2017, doi:10.1038/nm.4306) where it has the compound; each
row was gone through by hand with the hub's annotation beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS, Compound

OWN_TABLE = "table of this package"
"""How the table that comes with this package is called where a source is shown."""


class Effect(StrEnum):
    """Effect of a mechanism on its targets."""

    INHIBITS = "inhibits"
    ACTIVATES = "activates"
    OTHER = "other"


@dataclass(frozen=True)
class AnnotatedMechanism:
    """A mechanism of action with all that a text about it may name.

    Attributes
    ----------
    key : str
        Identifier, ``"egfr_inhibitor"``.
    name : str
        Usual name, ``"EGFR inhibitor"``.
    synonyms : tuple of str
        Other ways of saying it.
    compounds : tuple of Compound
        Best known first.
    targets : tuple of str
        Genes whose products the compounds act upon (HGNC symbols).
    knockouts : tuple of str
        Genes whose knockout is expected to look alike; none for activators.
    effect : Effect
    """

    key: str
    name: str
    synonyms: tuple[str, ...]
    compounds: tuple[Compound, ...]
    targets: tuple[str, ...]
    knockouts: tuple[str, ...]
    effect: Effect


_ACTIVATING = ("tubulin_stabiliser", "er_stress", "mito_uncoupler", "lysosomotropic")


def _simulated() -> tuple[AnnotatedMechanism, ...]:
    """The mechanisms of ``simulated_mechanisms.json``; its genes are those whose knockout looks alike."""
    return tuple(
        AnnotatedMechanism(
            found.key,
            found.name,
            found.synonyms,
            found.compounds,
            tuple(dict.fromkeys(gene for c in found.compounds for gene in c.genes)),
            found.genes,
            Effect.OTHER if found.key in _ACTIVATING else Effect.INHIBITS,
        )
        for found in MECHANISMS
    )


def _row(row: dict[str, Any]) -> AnnotatedMechanism:
    effect, genes = Effect(row["effect"]), tuple(row["genes"])
    compounds = tuple(
        Compound(c["name"], c["smiles"], tuple(c["genes"]), tuple(c["synonyms"])) for c in row["compounds"]
    )
    knockouts = genes if effect is Effect.INHIBITS else ()
    return AnnotatedMechanism(
        row["key"], row["name"], tuple(row["synonyms"]), compounds, genes, knockouts, effect
    )


@cache
def annotated_mechanisms() -> tuple[AnnotatedMechanism, ...]:
    """List all mechanisms of this package's table, those that can be simulated first."""
    text = Path(__file__).with_name("mechanisms.json").read_text(encoding="utf-8")
    return (*_simulated(), *(_row(row) for row in json.loads(text)["mechanisms"]))


@cache
def known_compounds() -> tuple[Compound, ...]:
    """List all compounds of this package's table, the inert ones last."""
    return (*(compound for found in annotated_mechanisms() for compound in found.compounds), *INERT_COMPOUNDS)
