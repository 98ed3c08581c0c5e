"""Words of pharmacology: which are the same, which mean less and which mean more of something.

Everything here is about single words and abbreviations, never about one mechanism's phrases; those stand in
the tables of :mod:`napari_cellclip.vocabulary`. A word stands for all its forms (see
:func:`napari_cellclip.explore.wording.spelling.stem`); one that ends in a hyphen for all words beginning so.
"""

from __future__ import annotations

LESS = (
    "inhibit", "inhibitory", "block", "blocker", "antagon-", "suppress", "prevent", "stop", "impair",
    "abolish", "abrogate", "disrupt", "interfere", "inactivate", "halt", "reduce", "reduction",
    "decrease", "diminish", "lower", "deplete", "depletion", "loss", "lose", "lack", "destroy",
    "destruction", "dismantle", "fragment", "disperse", "dispersal", "collapse", "dissipate", "dissolve",
    "destabil-", "depolym-", "disassembl-", "disorgani-", "poison", "toxin", "against", "anti",
    "displace", "sever", "silence", "attenuate", "hinder", "unfold", "misfold", "deacetyl-", "demethyl-",
    "hypomethyl-", "hypoacetyl-", "neutralise", "quench", "eliminate", "negative", "without",
)  # fmt: skip
"""Less of it: these turn the sense of a phrase round."""

MORE = (
    "activate", "agonist", "agonism", "induce", "induction", "stimulate", "enhance", "promote",
    "increase", "elevate", "raise", "trigger", "cause", "open", "opener", "potentiate", "stabil-",
    "polymerise", "polymer", "assembl-", "form", "formation", "bundle", "accumulate", "mimetic", "mimic",
    "generate", "upregulate", "hyperacetyl-", "hypermethyl-", "provoke", "evoke", "elicit", "positive",
    "boost", "augment",
)  # fmt: skip
"""More of it. Words for making a polymer stand here: an *inhibitor of tubulin assembly* leaves less of it."""

NOT_ONLY_SENSE = (
    "deacetyl-", "demethyl-", "hypomethyl-", "hypoacetyl-", "hyperacetyl-", "hypermethyl-", "unfold",
    "misfold",
)  # fmt: skip
"""Of these two lists, the words that also say what is acted upon."""

SAME: dict[str, tuple[str, ...]] = {
    "tubulin": ("tubul-", "microtub-", "spindle"),
    "actin": ("actin", "microfilament"),
    "mitochondria": ("mitochond-", "mito"),
    "proteasome": ("proteasom-",),
    "ribosome": ("ribosom-",),
    "lysosome": ("lysosom-", "endolysosom-"),
    "topoisomerase": ("topoisomer-", "topo"),
    "acetyl": ("acetylat-", "acetyl", "deacetyl-", "hyperacetyl-", "hypoacetyl-", "acetyltransfer-"),
    "methyl": ("methylat-", "methyl", "demethyl-", "hypomethyl-", "hypermethyl-", "methyltransfer-"),
    "fold": ("fold", "unfold", "misfold"),
    "synthesis": ("synthes-", "biosynthes-", "manufactur-", "make", "copy", "duplicate", "production"),
    "transport": ("transport", "traffic", "trafficking", "shuttle"),
    "secretion": ("secrete", "secretion", "secretory", "exocytosis"),
    "uncouple": ("uncoupl-", "decoupl-"),
    "damage": ("damage", "lesion", "injury"),
    "break": ("break", "broken"),
    "degrade": ("degrade", "degradation", "proteoly-", "breakdown", "turnover"),
    "nucleoside": ("nucleosid-", "nucleotid-"),
    "nucleolus": ("nucleol-",),
    "cholesterol": ("cholesterol", "sterol"),
    "adrenergic": ("adrenerg-", "adrenocept-", "epinephrine", "adrenaline"),
    "serotonin": ("serotonin", "serotonerg-", "hydroxytryptamine"),
    "dopamine": ("dopamin-",),
    "glucocorticoid": ("glucocort-", "corticoster-"),
    "acetylcholine": ("cholinerg-", "acetylcholine"),
    "chelate": ("chelate", "chelation"),
    "polyploid": ("polyploid-", "endoredupl-", "multinucle-"),
    "mitosis": ("mitosis", "mitotic", "mitoses"),
    "vacuole": ("vacuol-",),
}  # fmt: skip
"""Families of words that stand for one thing."""

SHORT: dict[str, str] = {
    "er": "endoplasmic reticulum",
    "upr": "unfolded protein response",
    "hdac": "histone deacetylase",
    "hat": "histone acetyltransferase",
    "serca": "sarco endoplasmic reticulum calcium atpase",
    "oxphos": "oxidative phosphorylation",
    "mrna": "rna",
    "messenger": "",
    "replicate": "dna synthesis",
    "replication": "dna synthesis",
    "rrna": "ribosomal rna",
    "pol": "polymerase",
    "hsp": "heat shock protein",
    "cdk": "cyclin dependent kinase",
    "plk": "polo like kinase",
    "rock": "rho associated kinase",
    "gef": "guanine exchange factor",
    "dhfr": "dihydrofolate reductase",
    "pde": "phosphodiesterase",
    "cox": "cyclooxygenase",
    "pkc": "protein kinase c",
    "egf": "epidermal growth factor",
    "vegf": "vascular endothelial growth factor",
    "ups": "ubiquitin proteasome system",
    "dsb": "double strand break",
    "ache": "acetylcholinesterase",
    "ht": "hydroxytryptamine",
    "ca": "calcium",
    "ca2": "calcium",
    "na": "sodium",
    "cytoskeletal": "cytoskeleton",
}
"""Abbreviations written out; both ways of writing are then the same."""

ACTING = (
    "target", "targeted", "act", "acting", "directed", "hit", "bind", "binder", "ligand", "modulate",
    "modulator",
)  # fmt: skip
"""Words that say that something is acted upon, but not in which sense."""

_EMPTY = """
    a action agent an and any anything apparatus approved are as at be been being body broad by can cell
    chemical chemotherapeutic chemotherapy clinical compound depend do does drug effect enzyme experimental
    family find for from function general get gets getting group had has have having in inside into is it
    its keep kind known lead leads let lets like look may me mechanism mediat medication medicine member moa
    mode molecule morphology my new novel of on onto or pan pathway phenotype potent profile result
    selectiv show signal signaling signature similar small some something specific spectrum strong substance
    system that the their them therapeutic therapy these thing this those to treat treatment type via was
    weak well wells were what which who whose will with within work would you your
"""
EMPTY = frozenset(_EMPTY.split())
"""Words that say nothing here."""

SHARED_WORDS = frozenset(("class", "receptor", "protein", "factor", "subunit"))
"""Words that many names share."""

TOGETHER: dict[tuple[str, ...], str] = {
    ("fall", "apart"): "disassemble",
    ("break", "down"): "disassemble",
    ("break", "up"): "disassemble",
    ("take", "apart"): "disassemble",
    ("knock", "down"): "inhibit",
    ("shut", "down"): "inhibit",
    ("shut", "off"): "inhibit",
    ("turn", "off"): "inhibit",
    ("switch", "off"): "inhibit",
    ("turn", "on"): "activate",
    ("switch", "on"): "activate",
    ("s", "phase"): "sphase",
    ("5", "atpase"): "vatpase",  # V-ATPase; a Roman number to whoever parts words
    ("stress", "fiber"): "stressfiber",
    ("stress", "fibre"): "stressfiber",
    ("rho", "kinase"): "rho associated kinase",
    ("protein", "translation"): "translation",
    ("translation", "protein"): "translation",
}
"""Words that mean something else together; compared by their stems."""
