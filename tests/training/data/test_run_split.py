"""What a run holds out, told by a rule or by lists; a leak is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from napari_cellclip.training.config_sections import SplitConfig
from napari_cellclip.training.data.run_split import split_of
from napari_cellclip.vocabulary import CellClipError


def screen(plate: str = "P1", treatments: int = 10) -> Any:
    """Two wells of each treatment, and two of DMSO."""
    names = [f"drug {i}" for i in range(treatments) for _ in range(2)] + ["DMSO"] * 2
    wells = [f"{plate}/{'AB'[i % 2]}{i // 2 + 1:02d}" for i in range(len(names))]
    control = [name == "DMSO" for name in names]
    table = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_treatment": names,
            "Metadata_kind": ["control" if c else "compound" for c in control],
            "Metadata_control_type": ["negcon" if c else "" for c in control],
            "Metadata_smiles": "",
            "Metadata_genes": "",
        },
        index=wells,
    )
    return SimpleNamespace(wells=table)


def treatments(wells: tuple[str, ...], table: pd.DataFrame) -> set[str]:
    return set(table.loc[list(wells), "Metadata_treatment"]) - {"DMSO"}


def test_compounds_stay_together_over_screens() -> None:
    screens = [screen("P1"), screen("P2")]
    table = pd.concat([s.wells for s in screens])
    split = split_of(screens, SplitConfig(by="compound", fractions=(0.6, 0.2, 0.2), seed=1))
    sides = [treatments(part, table) for part in split.parts.values()]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert set.union(*sides) == {f"drug {i}" for i in range(10)}
    assert split == split_of(screens, SplitConfig(by="compound", fractions=(0.6, 0.2, 0.2), seed=1))


def test_nothing_is_held_out_if_nothing_is_asked_for() -> None:
    split = split_of([screen()], SplitConfig(by="none"))
    assert split.train == tuple(screen().wells.index)
    assert (split.validation, split.test) == ((), ())


def test_lists_name_wells_plates_or_treatments() -> None:
    one = screen()
    split = split_of([one], SplitConfig(by="lists", validation=("drug 3",), test=("P1/A01", "P1/B01")))
    assert treatments(split.validation, one.wells) == {"drug 3"}
    assert treatments(split.test, one.wells) == {"drug 0"}
    assert treatments(split.train, one.wells) == {f"drug {i}" for i in range(10)} - {"drug 0", "drug 3"}
    plates = split_of([screen("P1"), screen("P2")], SplitConfig(by="lists", train=("P1",), test=("P2",)))
    assert plates.by == "plate"  # the same treatments on both, and said so
    assert {well[:2] for well in plates.train} == {"P1"}


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"test": ("P1/A01",)}, "leaks: drug 0 .* in train and drug 0"),
        ({"test": ("drug 99",)}, "split.test names 'drug 99'"),
        ({"test": ("drug 1",), "validation": ("drug 1",)}, "in validation and in test"),
        ({"test": ("P1",)}, "no well to train on"),
    ],
)
def test_lists_that_leak_or_are_wrong(lists: dict[str, Any], says: str) -> None:
    with pytest.raises(CellClipError, match=says):
        split_of([screen()], SplitConfig(by="lists", **lists))


def test_too_few_treatments_for_the_parts() -> None:
    with pytest.raises(CellClipError, match="parts cannot be made of 2 treatments"):
        split_of([screen(treatments=2)], SplitConfig(by="compound"))
