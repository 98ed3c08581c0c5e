"""Damaged plate maps are refused in a sentence, or read with every well one that a plate has."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from napari_cellclip.plates import PlateMap
from napari_cellclip.vocabulary import CellClipError, parse_well
from tests.hostile_files import mutate

TABLE = pd.DataFrame(
    {
        "well": [f"{row}{column:02d}" for row in "ABC" for column in range(1, 5)],
        "treatment": ["DMSO"] * 4 + ["nocodazole"] * 4 + ["vorinostat"] * 4,
        "dose": [0, 0, 0, 0, 1, 3, 10, "30 nM", 0.1, 0.3, "1,5", 3],
        "smiles": ["CS(C)=O"] * 4
        + ["COC(=O)Nc1nc2ccc(cc2[nH]1)C(=O)c1cccs1"] * 4
        + ["ONC(=O)CCCCCCC(=O)Nc1ccccc1"] * 4,
        "genes": [""] * 4 + ["TUBB|TUBA1A"] * 4 + ["HDAC1"] * 4,
    }
)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
@pytest.mark.parametrize("inputs", [60, pytest.param(1500, marks=pytest.mark.slow)])
def test_damaged_plate_maps(tmp_path: Path, suffix: str, inputs: int) -> None:
    good = tmp_path / f"good.{suffix}"
    if suffix == "xlsx":
        TABLE.to_excel(good, index=False)
    else:
        TABLE.to_csv(good, index=False, sep="\t" if suffix == "tsv" else ",")
    assert len(PlateMap.read(good).wells) == 12
    rng = random.Random(f"{suffix} {inputs}")
    came: Counter[str] = Counter()
    path = tmp_path / f"map.{suffix}"
    for number in range(inputs):
        path.write_bytes(good.read_bytes())
        for _ in range(rng.choice([1, 1, 2, 5])):
            mutate(path, rng)
        try:
            read = PlateMap.read(path)
            for well in read.wells:
                parse_well(well)
            came["read"] += 1
        except CellClipError:
            came["refused"] += 1
        except Exception as error:
            pytest.fail(f"input {number}: {type(error).__name__}: {error}")
    assert sum(came.values()) == inputs
    assert came["refused"], "the damage reached the reader"
