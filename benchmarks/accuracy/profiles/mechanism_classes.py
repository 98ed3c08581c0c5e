"""Classes of mechanisms, as a textbook has them: what a phrase acts on, and what in the cell that is for.

The words of a mechanism say little of how cells look after it: *Aurora kinase inhibitor* is nearer to *EGFR
inhibitor* in words than to *tubulin inhibitor*. The process it belongs to says more. The table was written
from general knowledge, before any profile was compared with it, and names no compound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary.annotations import annotated_mechanisms

_TABLE = (
    (r"\bCDK|\bcyclin|\bCDC inhib|\bCHK|cell cycle kinase|G1 arrest", "kinase, serine kinase, cell cycle"),
    (r"aurora|\bPLK|polo-like", "kinase, serine kinase, cell cycle, mitosis"),
    (r"kinesin|\bEg5|\bKIF11", "mitosis, cell cycle, microtubules, cytoskeleton"),
    (r"tubulin|microtubul|spindle poison|taxane|vinca", "microtubules, cytoskeleton, mitosis"),
    (r"mitotic|in mitosis|multinucleated|binucleated", "mitosis, cell cycle"),
    (r"actin (?:poly|fil|stress)|cytoskelet|F-actin", "actin, cytoskeleton"),
    (r"rho[- ]associated|\bROCK\b|p21 activated", "kinase, serine kinase, actin, cytoskeleton"),
    (
        r"focal adhesion kinase|\bsrc\b|bcr-abl|discoidin|bruton|protein tyrosine kinase",
        "kinase, tyrosine kinase, adhesion, growth signalling",
    ),
    (
        r"PDGFR|VEGFR|FLT3|\bKIT\b|FGFR|\bRET\b|\bALK\b|EGFR|c-met|hepatocyte growth|IGF-1|insulin growth"
        r"|growth factor receptor|\bMER\b|tropomyosin receptor|^tyrosine kinase|tyrosine kinase receptor",
        "kinase, tyrosine kinase, receptor kinase, growth signalling",
    ),
    (r"angiogenesis", "growth signalling"),
    (r"\bB?-?RAF\b|\bMEK|\bp38\b|\bJNK", "kinase, serine kinase, MAPK, growth signalling"),
    (r"PI3K|\bAKT|mTOR|phosphoinositide dep", "kinase, serine kinase, PI3K, growth signalling"),
    (r"\bJAK", "kinase, tyrosine kinase, inflammation, growth signalling"),
    (r"\bPKC|protein kinase C", "kinase, serine kinase, PKC"),
    (r"TGF[- ]?beta|bone morph", "kinase, serine kinase, TGF"),
    (r"\bCLK|DYRK", "kinase, serine kinase, splicing, transcription"),
    (r"\bATM\b", "kinase, DNA damage"),
    (r"^kinase inhib", "kinase"),
    (
        r"ribonucleotide|DNA synth|DNA poly|purine antag|dihydroorot|adenosine deam|DNA alkyl|genotox"
        r"|topoisom|DNA damage",
        "DNA replication, DNA damage",
    ),
    (r"RNA polymerase", "transcription"),
    (r"bromodomain|histone|HDAC|DNA methyl|\bSIRT", "epigenetic, transcription"),
    (r"FOXM1", "transcription, cell cycle"),
    (r"protein synthesis|ribosom(?:e|al) inhib|translation inhib", "translation"),
    (r"bacterial|hemozoin|sterol dem|non-?nucleoside", "antimicrobial"),
    (r"\bHSP|heat shock protein", "protein folding, proteostasis"),
    (r"proteasome|ubiquitin", "protein degradation, proteostasis"),
    (r"golgi|lysosom", "secretion"),
    (r"(?:calcium|sodium|potassium|chloride|ATP) channel|T-type", "ion channel"),
    (
        r"serotonin|dopamine|adrenergic|acetylcholine|histamine|opioid|nociceptin|somatostatin|enkephal"
        r"|oxytocin|vasopressin|cannabinoid|endothelin|growth hormone|G protein-coup",
        "GPCR, neurotransmission",
    ),
    (r"GABA|benzodia|glutamate rec|anaesth", "ion channel, neurotransmission"),
    (r"monoamine ox|catechol|FAAH|neprily|reuptake", "neurotransmission, enzyme"),
    (r"adenosine rec|A1 aden|purinergic|adenosine reup", "GPCR, purine"),
    (
        r"prostanoid|leukotriene|lysophosph|sphingosine|free fatty|prostacyclin",
        "GPCR, lipid signalling",
    ),
    (r"CC chemo|smoothened", "GPCR"),
    (r"smoothened|porcupine", "developmental signalling"),
    (
        r"cyclooxy|prostaglandin|thromboxane|phospholipase|ICAM|interleukin|cytokine|tumor necrosis|NF.?kB"
        r"|\bRAGE",
        "inflammation",
    ),
    (r"glucocort|PPAR|estrogen", "nuclear receptor"),
    (r"11-beta", "nuclear receptor, enzyme"),
    (r"HMGCR|farnesyl|triacyl|lipid|LDL", "lipid metabolism, enzyme"),
    (r"phosphodiest|guanyl", "cyclic nucleotides, enzyme"),
    (
        r"carbonic|aldehyde|alcohol deh|aldose|dehydrog|glucosid|transglut|niacin|mucolytic",
        "enzyme, metabolism",
    ),
    (r"mitochond|uncoup|cytochrome", "mitochondria, energy"),
    (r"ferropt|redox|antioxid|oxidative stress", "oxidative stress"),
    (r"\bBAX|caspase|apoptosis", "apoptosis"),
    (r"matrix metallo|elastase|protease inh|coagul|neprily|integrin", "protease, extracellular"),
    (r"calcineurin|phosphatase", "phosphatase"),
    (r"hypoxia", "hypoxia, transcription"),
    (r"saponin|membrane perm|tannin", "membrane"),
    (r"insulin secret|sulfonyl|glucose dep", "insulin secretion"),
    (r"ha?emoglobin", "blood"),
)
_READ = tuple((re.compile(pattern, re.IGNORECASE), tuple(named.split(", "))) for pattern, named in _TABLE)

CLASSES = tuple(sorted({name for _, named in _READ for name in named}))
"""All classes, in the order of the columns of `class_vectors`."""


def classes_of(phrase: str) -> tuple[str, ...]:
    """List the classes of a mechanism, by what its words name; none where the table knows none of them.

    Examples
    --------
    >>> classes_of("Aurora kinase inhibitor")
    ('kinase', 'serine kinase', 'cell cycle', 'mitosis')
    """
    found: dict[str, None] = {}
    for pattern, named in _READ:
        if pattern.search(phrase):
            found |= dict.fromkeys(named)
    return tuple(found)


def class_vectors(phrases: Sequence[str]) -> NDArray[np.float64]:
    """Give the classes of phrases as rows of length 1, (n, `CLASSES`); zeros for a phrase without one.

    Names and synonyms of a mechanism in this package's own tables share the classes of all of them.
    """
    together: dict[str, str] = {}
    for mechanism in annotated_mechanisms():
        said = " / ".join((mechanism.name, *mechanism.synonyms))
        together |= dict.fromkeys((mechanism.name, *mechanism.synonyms), said)
    found = [frozenset(classes_of(together.get(phrase, phrase))) for phrase in phrases]
    marks = np.array([[name in own for name in CLASSES] for own in found], np.float64)
    return unit_rows(marks.reshape(len(found), len(CLASSES)), np.float64)


def with_classes(vectors: NDArray[np.floating], phrases: Sequence[str], weight: float) -> NDArray[np.float32]:
    """Put the classes of phrases beside their unit vectors (n, d), and scale the whole to length 1."""
    return unit_rows(np.hstack([vectors, weight * class_vectors(phrases)]))
