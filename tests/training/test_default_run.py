"""The default settings learn something from measured profiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.training import RunConfig, train
from tests.profile_tables import FEATURES

MECHANISMS = (
    *("tubulin inhibitor", "HDAC inhibitor", "proteasome inhibitor", "calcium channel blocker"),
    *("HSP inhibitor", "CDK inhibitor"),
)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    """Four plates of 36 compounds with made-up names: six of each mechanism, which shifts two features."""
    folder = tmp_path_factory.mktemp("default")
    rng = np.random.default_rng(1)
    syllables = np.array(["ba", "ce", "di", "fo", "gu", "ra", "ne", "mi", "lo", "tu"])
    names = ["".join(rng.choice(syllables, 4)) + f"-{i}" for i in range(36)]
    known = pd.DataFrame({"pert_iname": names, "moa_list": np.repeat(MECHANISMS, 6), "target_list": ""})
    known.to_csv(folder / "known.tsv", sep="\t", index=False)
    tables = []
    for plate in ("P1", "P2", "P3", "P4"):
        values = rng.normal(size=(48, len(FEATURES)))
        for row in range(36):
            kind = row // 6
            values[row, [kind, (kind + 1) % 6]] += 5
        table = pd.DataFrame(values, columns=list(FEATURES))
        table.insert(0, "Metadata_Plate", plate)
        table.insert(1, "Metadata_Well", [f"{'ABCD'[i // 12]}{i % 12 + 1:02d}" for i in range(48)])
        table.insert(2, "Metadata_pert_iname", [*names, *["DMSO"] * 12])
        table.insert(3, "Metadata_smiles", [*("C" * (i + 2) + "O" for i in range(36)), *["CS(C)=O"] * 12])
        table.insert(4, "Metadata_control_type", [*[np.nan] * 36, *["negcon"] * 12])
        table.to_csv(folder / f"{plate}.csv", index=False)
        tables.append(folder / f"{plate}.csv")
    return import_profiles(tables, folder / "screen", annotations=folder / "known.tsv")


@pytest.mark.slow
def test_profiles_pick_weights_that_find_mechanisms(screen: Screen, tmp_path: Path) -> None:
    """Weights were picked by the names of unseen compounds, which no profile tells: the first ones, by chance."""
    run = RunConfig.from_dict({"model": {"device": "cpu"}})
    card = train([screen], tmp_path / "mine", run=run).card
    found = card.scores["mechanisms-by-words"]["figures"]
    assert found["map"] > 1.5 * found["chance"]  # 4 questions about 7 compounds: chance is high
    log = pd.read_csv(tmp_path / "mine" / "log.csv").dropna(subset=["validation_map"])
    assert log["validation_map"].max() > 1.5 * log["validation_map"].iloc[0]
    warm = run.training.warmup_of(run.training.epochs)  # a step an epoch
    picked = int(card.trained_on.split("the weights of epoch ")[1].split()[0])
    assert (
        log.set_index("epoch")["validation_map"][picked] == log["validation_map"][log["epoch"] > warm].max()
    )
