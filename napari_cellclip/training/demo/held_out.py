"""Compounds that the bundled model never sees: how well it finds them tells what it learnt of mechanisms."""

from __future__ import annotations

from dataclasses import replace

from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS, Mechanism

HELD_OUT: dict[str, tuple[str, ...]] = {
    "tubulin_destabiliser": ("vinblastine", "podophyllotoxin"),
    "tubulin_stabiliser": ("epothilone D", "cabazitaxel"),
    "actin_inhibitor": ("cytochalasin B", "latrunculin A"),
    "dna_damage": ("teniposide", "topotecan"),
    "er_stress": ("cyclopiazonic acid", "nelfinavir"),
    "mito_uncoupler": ("CCCP", "oxyclozanide"),
    "pol1_inhibitor": ("BMH-21", "9-hydroxyellipticine"),
    "golgi_disruptor": ("golgicide A", "Exo1"),
    "proteasome_inhibitor": ("carfilzomib", "delanzomib"),
    "translation_inhibitor": ("emetine", "bruceantin"),
    "hdac_inhibitor": ("belinostat", "scriptaid"),
    "lysosomotropic": ("amiodarone", "perhexiline"),
    "plk_inhibitor": ("GSK461364", "TAK-960"),
    "aurora_inhibitor": ("danusertib", "ZM-447439"),
    "dna_synthesis_inhibitor": ("aphidicolin", "clofarabine"),
    "transcription_inhibitor": ("SNS-032", "triptolide"),
    "bet_inhibitor": ("I-BET151", "PFI-1"),
    "rock_inhibitor": ("ripasudil", "H-1152"),
}
"""Two compounds of each mechanism, by mechanism key; their wells and names take no part in any training."""


def known_mechanisms() -> tuple[Mechanism, ...]:
    """All mechanisms without their held-out compounds."""
    return tuple(
        replace(found, compounds=tuple(c for c in found.compounds if c.name not in HELD_OUT[found.key]))
        for found in MECHANISMS
    )


def training_compounds() -> tuple[str, ...]:
    """Names of all compounds that training plates may hold, inert ones among them."""
    active = [compound.name for found in known_mechanisms() for compound in found.compounds]
    return (*active, *(compound.name for compound in INERT_COMPOUNDS))
