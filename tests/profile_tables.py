"""CellProfiler tables from formulas: a few features of each kind, with an effect of the treatment in some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = (
    "Cells_Texture_Contrast_ER_3_00_256",
    "Cells_Texture_Contrast_AGP_3_00_256",
    "Cells_Intensity_MeanIntensity_Mito",
    "Nuclei_Intensity_MeanIntensity_DNA",
    "Nuclei_Granularity_2_DNA",
    "Nuclei_Texture_Entropy_RNA_3_00_256",
    "Cells_Correlation_K_DNA_ER",
    "Nuclei_Correlation_Overlap_Mito_AGP",
    "Cells_AreaShape_Area",
    "Nuclei_AreaShape_Zernike_2_0",
    "Cells_Neighbors_PercentTouching_Adjacent",
    "Cells_Granularity_3_Brightfield",
    "Cells_Correlation_K_AGP_LowZBF",
)
COMPOUNDS = {
    "nocodazole": ("COC(=O)Nc1nc2ccc(cc2[nH]1)C(=O)c1cccs1", "tubulin inhibitor"),
    "colchicine": ("COc1cc2CCC(NC(C)=O)c3cc(=O)c(OC)ccc3-c2c(OC)c1OC", "tubulin inhibitor"),
    "vinorelbine": ("CCC1=CC2CN(C1)Cc1c([nH]c3ccccc13)C(C2)(C(=O)OC)C", "tubulin inhibitor"),
    "vorinostat": ("ONC(=O)CCCCCCC(=O)Nc1ccccc1", "HDAC inhibitor"),
    "belinostat": ("ONC(=O)/C=C/c1cccc(c1)S(=O)(=O)Nc1ccccc1", "HDAC inhibitor|epigenetic agent"),
    "scriptaid": ("ONC(=O)CCCCCN1C(=O)c2cccc3cccc(C1=O)c23", "HDAC inhibitor"),
}


def made_table(plate: str = "P1", *, seed: int = 0, controls: int = 6, replicates: int = 2) -> pd.DataFrame:
    """A plate of 96 wells at most: controls in the first wells, then the compounds."""
    rng = np.random.default_rng([seed, *plate.encode()])
    names = ["DMSO"] * controls + [name for name in COMPOUNDS for _ in range(replicates)]
    wells = [f"{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}" for i in range(len(names))]
    values = rng.normal(size=(len(names), len(FEATURES)))
    for row, name in enumerate(names):
        if name != "DMSO":
            kind = COMPOUNDS[name][1].startswith("tubulin")
            values[row, [0, 4] if kind else [2, 3]] += 6
    offsets = rng.uniform(-3, 3, len(FEATURES)) * 10
    table = pd.DataFrame(values * rng.uniform(0.5, 20, len(FEATURES)) + offsets, columns=list(FEATURES))
    table.insert(0, "Metadata_Plate", plate)
    table.insert(1, "Metadata_Well", wells)
    table.insert(2, "Metadata_pert_iname", names)
    table.insert(3, "Metadata_smiles", [COMPOUNDS[n][0] if n in COMPOUNDS else "CS(C)=O" for n in names])
    table.insert(4, "Metadata_control_type", ["negcon" if n == "DMSO" else np.nan for n in names])
    table.insert(5, "Metadata_target_sequence", np.nan)
    return table


def write_annotations(path: Path) -> Path:
    """What is known of the compounds, as the JUMP table has it."""
    rows = [(name, mechanism, "TUBB|TUBA1A") for name, (_, mechanism) in COMPOUNDS.items()]
    table = pd.DataFrame(rows, columns=["pert_iname", "moa_list", "target_list"])
    table.to_csv(path, sep="\t", index=False)
    return path
