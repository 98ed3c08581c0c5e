"""Phrases that the text tower of the bundled profile model learns to read as a sentence encoder does."""

from __future__ import annotations

from collections.abc import Iterable

from napari_cellclip.vocabulary.annotations import annotated_mechanisms

ROLES = (
    *("inhibitor", "antagonist", "agonist", "blocker", "activator", "modulator"),
    *("stabilizer", "poison", "degrader", "agent"),
)
"""Last words of the names of mechanisms."""

DOINGS = (*("inhibits {target}", "inhibitors of {target}", "activates {target}", "targeting {target}"),)

APPEARANCES = (
    *("rounded cells", "large flat cells", "small cells", "elongated cells", "spindle-shaped cells"),
    *("multinucleated cells", "binucleated cells", "fragmented nuclei", "condensed chromatin"),
    *("enlarged nuclei", "small nuclei", "irregular nuclei", "micronuclei", "mitotic arrest", "apoptosis"),
    *("cell death", "necrosis", "fewer cells", "cytotoxic", "growth arrest", "cells in mitosis"),
    *("actin stress fibres", "loss of actin filaments", "disrupted cytoskeleton", "membrane blebbing"),
    *("fragmented mitochondria", "perinuclear mitochondria", "loss of mitochondrial membrane potential"),
    *("endoplasmic reticulum stress", "swollen endoplasmic reticulum", "dispersed Golgi", "vacuoles"),
    *("fewer nucleoli", "large nucleoli", "loss of nucleolar RNA", "less RNA", "lysosomal swelling"),
    *("DNA damage", "oxidative stress", "protein aggregation", "autophagy", "ferroptosis", "no effect"),
    *("looks like untreated cells", "negative control", "DMSO", "vehicle control", "untreated cells"),
)


def package_phrases() -> list[str]:
    """Names and synonyms of the mechanisms in this package's own tables."""
    found: dict[str, None] = {}
    for mechanism in annotated_mechanisms():
        found |= dict.fromkeys((mechanism.name, *mechanism.synonyms))
    return list(found)


def wide_phrases(names: Iterable[str], genes: Iterable[str]) -> list[str]:
    """Phrases made of what mechanisms act on, in many wordings, and of genes.

    Parameters
    ----------
    names : iterable of str
        Names of mechanisms, such as ``Aurora kinase inhibitor``.
    genes : iterable of str
        Symbols.
    """
    targets: dict[str, None] = {}
    for name in names:
        words = name.split()
        if len(words) > 1 and words[-1].lower() in ROLES:
            targets[" ".join(words[:-1])] = None
    found = dict.fromkeys(APPEARANCES)
    for target in targets:
        for role in ROLES:
            found[f"{target} {role}"] = None
        found |= dict.fromkeys(doing.format(target=target) for doing in DOINGS)
    for gene in genes:
        found |= dict.fromkeys((gene, f"{gene} inhibitor"))
    return list(found)
