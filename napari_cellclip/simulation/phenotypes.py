"""Phenotypes of cells, in parameters a cell biologist can read, and the changes that each mechanism makes."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from napari_cellclip.vocabulary import CellClipError, Stain


@dataclass(frozen=True, slots=True)
class Phenotype:
    """Look of a cell; the defaults are an untreated, well-spread U2OS cell.

    Lengths are multiples of the untreated cell's unless a unit is given; brightnesses multiply the stain's.

    Attributes
    ----------
    survival : float
        Share of cells still attached.
    area, elongation, roughness : float
        Of the cell's outline: size, long over short axis, and irregularity (0 is an ellipse).
    nucleus_area, nucleus_brightness : float
        Of the nucleus in the DNA stain.
    lobes, micronuclei, binucleate, condensed : float
        Multi-lobed nuclei (0..1), micronuclei a cell, share of cells with two nuclei, share of cells with
        condensed (mitotic or apoptotic) chromatin.
    chromatin, chromatin_grain : float
        Contrast and grain size of chromatin.
    er_brightness, er_spread, er_vacuoles, er_clumps : float
        Brightness; how far ER reaches from the nucleus; dark vacuoles a cell; contrast of bright clumps.
    nucleoli, nucleolus_area, nucleolus_brightness, rna_cytoplasm : float
        Number a nucleus, size, brightness; RNA outside the nucleus.
    fibres, membrane, actin_foci, golgi, golgi_spread, vesicles : float
        Stress fibres, plasma membrane, bright actin foci a cell, Golgi brightness, how far the Golgi
        stacks scatter (1 is a compact ribbon), bright vesicles a cell.
    mito_brightness, mito_network, mito_spread, mito_clump : float
        Brightness; 1 for filaments, 0 for fragments; how far mitochondria reach; contrast of one-sided
        clumping beside the nucleus.
    """

    survival: float = 1.0
    area: float = 1.0
    elongation: float = 1.0
    roughness: float = 1.0
    nucleus_area: float = 1.0
    nucleus_brightness: float = 1.0
    lobes: float = 0.0
    micronuclei: float = 0.0
    binucleate: float = 0.03
    condensed: float = 0.02
    chromatin: float = 1.0
    chromatin_grain: float = 1.0
    er_brightness: float = 1.0
    er_spread: float = 1.0
    er_vacuoles: float = 0.6
    er_clumps: float = 0.0
    nucleoli: float = 4.0
    nucleolus_area: float = 1.0
    nucleolus_brightness: float = 1.0
    rna_cytoplasm: float = 1.0
    fibres: float = 1.0
    membrane: float = 1.0
    actin_foci: float = 0.0
    golgi: float = 1.0
    golgi_spread: float = 1.0
    vesicles: float = 4.0
    mito_brightness: float = 1.0
    mito_network: float = 1.0
    mito_spread: float = 1.0
    mito_clump: float = 0.0


UNTREATED = Phenotype()

# The fully developed phenotype of each mechanism: what differs from an untreated cell. A mechanism that
# changes one stain only lists parameters of that stain alone.
_FULL: dict[str, dict[str, float]] = {
    # Rounded, shrunken cells with multi-lobed nuclei and micronuclei; Golgi and mitochondria fall apart.
    "tubulin_destabiliser": {
        "survival": 0.75,
        "area": 0.62,
        "elongation": 0.3,
        "roughness": 0.6,
        "lobes": 0.75,
        "micronuclei": 2.2,
        "condensed": 0.2,
        "er_spread": 0.75,
        "golgi_spread": 3.0,
        "mito_spread": 0.55,
        "mito_clump": 0.8,
        "fibres": 1.4,
    },
    # Large flat cells with several micronuclei, ER and mitochondria along bundles.
    "tubulin_stabiliser": {
        "survival": 0.65,
        "area": 1.2,
        "elongation": 0.5,
        "roughness": 0.8,
        "lobes": 0.9,
        "micronuclei": 4.5,
        "nucleus_area": 1.35,
        "binucleate": 0.0,
        "condensed": 0.12,
        "golgi_spread": 2.4,
        "mito_spread": 1.6,
        "er_spread": 1.5,
        "er_clumps": 0.5,
    },
    # Retracted, arborised cells; no stress fibres, bright actin foci.
    "actin_inhibitor": {
        "survival": 0.85,
        "area": 0.6,
        "roughness": 2.6,
        "elongation": 1.3,
        "binucleate": 0.35,
        "fibres": 0.05,
        "membrane": 0.35,
        "actin_foci": 16.0,
        "er_spread": 0.85,
        "mito_spread": 0.75,
    },
    # Few, large cells with large, uneven nuclei and few fused nucleoli.
    "dna_damage": {
        "survival": 0.5,
        "area": 1.55,
        "nucleus_area": 1.9,
        "nucleus_brightness": 0.85,
        "chromatin": 2.0,
        "chromatin_grain": 1.5,
        "nucleoli": 2.0,
        "nucleolus_area": 1.9,
        "nucleolus_brightness": 0.75,
        "fibres": 1.3,
        "mito_brightness": 1.15,
    },
    "er_stress": {
        "er_brightness": 0.95,
        "er_vacuoles": 9.0,
        "er_clumps": 1.1,
        "er_spread": 1.2,
    },
    "mito_uncoupler": {
        "mito_brightness": 0.8,
        "mito_network": 0.05,
        "mito_spread": 0.85,
    },
    "pol1_inhibitor": {
        "nucleoli": 1.6,
        "nucleolus_area": 0.55,
        "nucleolus_brightness": 0.75,
        "rna_cytoplasm": 0.85,
    },
    "golgi_disruptor": {"golgi": 0.7, "golgi_spread": 4.6, "vesicles": 1.0},
    # Rounded cells, bright juxtanuclear aggregate, bright nucleoplasmic RNA.
    "proteasome_inhibitor": {
        "survival": 0.65,
        "area": 0.72,
        "roughness": 1.6,
        "nucleus_area": 0.85,
        "nucleus_brightness": 1.15,
        "er_brightness": 1.2,
        "er_vacuoles": 7.0,
        "nucleoli": 5.0,
        "nucleolus_area": 1.5,
        "nucleolus_brightness": 1.5,
        "rna_cytoplasm": 1.25,
        "actin_foci": 5.0,
        "mito_clump": 0.9,
        "condensed": 0.1,
    },
    "translation_inhibitor": {
        "er_brightness": 0.72,
        "er_spread": 0.65,
        "nucleoli": 2.2,
        "nucleolus_area": 1.6,
        "nucleolus_brightness": 0.4,
        "rna_cytoplasm": 0.7,
    },
    # Flat, very large cells, many thick fibres, smooth large nuclei.
    "hdac_inhibitor": {
        "survival": 0.75,
        "area": 1.6,
        "elongation": 1.7,
        "nucleus_area": 1.3,
        "nucleus_brightness": 0.8,
        "chromatin": 0.4,
        "fibres": 2.6,
        "membrane": 0.8,
        "mito_spread": 1.5,
        "er_spread": 1.3,
        "nucleoli": 6.0,
        "nucleolus_area": 0.8,
    },
    "lysosomotropic": {"vesicles": 38.0, "er_vacuoles": 15.0, "rna_cytoplasm": 1.2},
    # Cells held in mitosis: round and condensed; the others shrink.
    "plk_inhibitor": {
        "survival": 0.6,
        "area": 0.8,
        "condensed": 0.5,
        "micronuclei": 1.0,
        "lobes": 0.35,
        "elongation": 0.4,
        "membrane": 1.5,
    },
    # Failed cytokinesis: huge cells with two or several large nuclei.
    "aurora_inhibitor": {
        "survival": 0.55,
        "area": 1.9,
        "nucleus_area": 1.9,
        "lobes": 0.45,
        "binucleate": 0.6,
        "micronuclei": 0.8,
        "nucleoli": 9.0,
        "mito_spread": 1.3,
    },
    # Arrest in S phase: enlarged cells and nuclei, fine smooth chromatin, nucleoli kept.
    "dna_synthesis_inhibitor": {
        "survival": 0.65,
        "area": 1.3,
        "nucleus_area": 1.55,
        "nucleus_brightness": 1.1,
        "chromatin": 0.35,
        "chromatin_grain": 0.7,
        "nucleoli": 4.5,
        "nucleolus_area": 1.35,
        "elongation": 1.25,
    },
    # Nucleoli break up into a necklace; chromatin coarse and dim.
    "transcription_inhibitor": {
        "nucleus_brightness": 0.75,
        "chromatin": 2.2,
        "chromatin_grain": 1.7,
        "nucleoli": 12.0,
        "nucleolus_area": 0.4,
        "nucleolus_brightness": 0.9,
        "rna_cytoplasm": 0.75,
    },
    # One or two round, large, bright nucleoli; chromatin coarser.
    "bet_inhibitor": {
        "chromatin": 1.6,
        "chromatin_grain": 1.35,
        "nucleoli": 1.4,
        "nucleolus_area": 3.0,
        "nucleolus_brightness": 1.4,
        "rna_cytoplasm": 0.85,
    },
    "rock_inhibitor": {"fibres": 0.06, "membrane": 1.7},
}

_SHARES = frozenset({"survival", "lobes", "binucleate", "condensed", "mito_network"})

_TOUCHES: dict[str, Stain] = {
    name: stain
    for stain, names in {
        Stain.DNA: "nucleus_brightness chromatin chromatin_grain",
        Stain.ER: "er_brightness er_spread er_vacuoles er_clumps",
        Stain.RNA: "nucleoli nucleolus_area nucleolus_brightness rna_cytoplasm",
        Stain.AGP: "fibres membrane actin_foci golgi golgi_spread vesicles",
        Stain.MITO: "mito_brightness mito_network mito_spread mito_clump",
    }.items()
    for name in names.split()
}
"""The stain a parameter belongs to; parameters of shape belong to all."""


def developed(mechanism: str, amount: float = 1.0, off_target: dict[str, float] | None = None) -> Phenotype:
    """Compute the phenotype of a mechanism at some strength.

    Parameters
    ----------
    mechanism : str
        Key in the mechanism table.
    amount : float
        0 is an untreated cell, 1 the full phenotype; a little more is possible.
    off_target : dict of str to float, optional
        Natural logarithms added to parameters, scaled with `amount`.

    Raises
    ------
    CellClipError
        If the mechanism has no phenotype.
    """
    if mechanism and mechanism not in _FULL:
        raise CellClipError(f"the simulator has no phenotype for {mechanism!r}; it has {', '.join(_FULL)}")
    changes = _FULL.get(mechanism, {})
    amount = min(max(amount, 0.0), 1.4)
    values = {}
    for name, full in changes.items():
        start = getattr(UNTREATED, name)
        if start > 0 and full > 0 and name not in _SHARES:
            value = start * (full / start) ** amount
        else:
            value = start + (full - start) * amount
        values[name] = min(max(value, 0.0), 1.0) if name in _SHARES else max(value, 0.0)
    for name, shift in (off_target or {}).items():
        values[name] = values.get(name, getattr(UNTREATED, name)) * math.exp(shift * min(amount, 1.0))
    return replace(UNTREATED, **values)


def stains_changed(mechanism: str) -> tuple[Stain, ...]:
    """List the stains a mechanism changes in this simulator; changes of shape show in all of them."""
    names = set(_FULL[mechanism]) & {field.name for field in fields(Phenotype)}
    if names - set(_TOUCHES):
        return tuple(Stain)
    return tuple(stain for stain in Stain if stain in {_TOUCHES[name] for name in names})
