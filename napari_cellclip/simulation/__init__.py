"""Simulated Cell Painting plates whose truth is known; no real cells, no evidence about real compounds."""

from napari_cellclip.simulation.design import (
    Design,
    Treatment,
    compound_treatment,
    default_design,
    dmso,
    knockout_treatment,
)
from napari_cellclip.simulation.nuisance import Nuisance, Staining
from napari_cellclip.simulation.pharmacology import Pharmacology
from napari_cellclip.simulation.phenotypes import Phenotype, developed, stains_changed
from napari_cellclip.simulation.plate import Simulated, iter_simulate, simulate_plate
from napari_cellclip.simulation.render import Field, render_field
from napari_cellclip.simulation.sample import sample_plate
from napari_cellclip.simulation.treated_well import render_site

__all__ = [
    "Design",
    "Field",
    "Nuisance",
    "Pharmacology",
    "Phenotype",
    "Simulated",
    "Staining",
    "Treatment",
    "compound_treatment",
    "default_design",
    "developed",
    "dmso",
    "iter_simulate",
    "knockout_treatment",
    "render_field",
    "render_site",
    "sample_plate",
    "simulate_plate",
    "stains_changed",
]
