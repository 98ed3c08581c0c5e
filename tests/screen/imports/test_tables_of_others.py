"""Profile tables as other laboratories write them: names of columns, controls, mechanisms, embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import Screen, import_profiles
from napari_cellclip.cli.import_profiles import describe
from napari_cellclip.screen.imports.profiles import import_report
from napari_cellclip.vocabulary import ScreenError
from napari_cellclip.vocabulary.mechanism_lists import listed_mechanisms
from tests.profile_tables import COMPOUNDS, FEATURES, made_table

BLANK = {"Metadata_smiles", "Metadata_control_type", "Metadata_target_sequence"}


def imported(folder: Path, table: pd.DataFrame) -> Screen:
    table.to_parquet(folder / "table.parquet")
    return import_profiles(folder / "table.parquet", folder / "screen", model="")


def bare(plate: str = "P1", *, dmso: str = "DMSO") -> pd.DataFrame:
    """A plate whose table names treatments and nothing else."""
    table = made_table(plate).drop(columns=list(BLANK))
    return table.replace({"Metadata_pert_iname": {"DMSO": dmso}})


def lincs(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of the LINCS A549 plates."""
    control = table["Metadata_pert_iname"] == "DMSO"
    return table.assign(
        Metadata_broad_sample=np.where(control, "DMSO", "BRD-K0000000" + table.index.astype(str).str[-1]),
        Metadata_moa=[COMPOUNDS[n][1] if n in COMPOUNDS else "" for n in table["Metadata_pert_iname"]],
        Metadata_mmoles_per_liter=np.where(control, 0.0, 3.33),
        Metadata_dose_recode=np.where(control, 0, 5),
    )


def test_columns_of_lincs(tmp_path: Path) -> None:
    screen = imported(tmp_path, lincs(bare()))
    row = screen.wells.loc["P1/A07"]
    assert (row["Metadata_treatment"], row["Metadata_dose"]) == ("nocodazole", 3.33)
    assert row["Metadata_mechanism"] == "tubulin inhibitor"
    assert int(screen.negative_controls.sum()) == 6


def test_numbers_of_doses_are_not_taken_for_doses(tmp_path: Path) -> None:
    table = lincs(bare())
    screen = imported(tmp_path, table.drop(columns="Metadata_mmoles_per_liter"))
    assert screen.wells["Metadata_dose"].isna().all()
    report = import_report(screen)
    assert report["numbered doses"] == "Metadata_dose_recode"
    assert "add a column with doses in micromolar" in describe(report)
    (tmp_path / "with").mkdir()
    told = import_report(imported(tmp_path / "with", table))
    assert told["numbered doses"] == ""
    assert "micromolar" not in describe(told)


@pytest.mark.parametrize("sign", ["|", "; ", ", "])
@pytest.mark.parametrize("column", ["Metadata_moa", "Metadata_moa_list", "Metadata_mechanism"])
def test_mechanisms_by_whichever_sign(tmp_path: Path, sign: str, column: str) -> None:
    table = lincs(bare()).rename(columns={"Metadata_moa": column})
    table[column] = table[column].str.replace("|", sign)
    row = imported(tmp_path, table).wells.loc["P1/B03"]
    assert row["Metadata_treatment"] == "belinostat"
    assert row["Metadata_mechanism"] == "HDAC inhibitor|epigenetic agent"


def test_pert_name_gene_name_and_the_first_block_of_the_inchikey(tmp_path: Path) -> None:
    table = bare().rename(columns={"Metadata_pert_iname": "Metadata_pert_name"})
    table = table.assign(Metadata_gene_name="TUBB", Metadata_InChIKey14="KYRVNWMVYQXFEU")
    row = imported(tmp_path, table).wells.loc["P1/A07"]
    assert (row["Metadata_treatment"], row["Metadata_genes"]) == ("nocodazole", "TUBB")
    assert row["Metadata_InChIKey"] == "KYRVNWMVYQXFEU"


@pytest.mark.parametrize("called", ["DMSO", "dmso", "negcon", "DMSO 0.1%", "vehicle"])
def test_controls_by_their_names(tmp_path: Path, called: str) -> None:
    assert int(imported(tmp_path, bare(dmso=called)).negative_controls.sum()) == 6


@pytest.mark.parametrize("word", ["ctl_vehicle", "control"])
@pytest.mark.parametrize("name", ["BRD-K00000001-001-01-1", ""])
def test_controls_by_their_type(tmp_path: Path, word: str, name: str) -> None:
    table = bare(dmso=name)
    table["Metadata_pert_type"] = np.where(table["Metadata_pert_iname"] == name, word, "trt")
    screen = imported(tmp_path, table)
    assert list(screen.wells.index[screen.negative_controls]) == [f"P1/A0{i}" for i in range(1, 7)]


def test_two_samples_called_controls_are_not_guessed_at(tmp_path: Path) -> None:
    table = bare(dmso="BRD-K00000001")
    some = table["Metadata_pert_iname"].isin(["BRD-K00000001", "vorinostat"])
    table["Metadata_pert_type"] = np.where(some, "control", "trt")
    with pytest.raises(ScreenError, match=r"plate P1 has 0 negative controls .*negcon"):
        imported(tmp_path, table)


@pytest.mark.parametrize("change", [str.lower, lambda name: name.removeprefix("Metadata_")])
def test_prefixes_and_numbers_for_plates(tmp_path: Path, change: Callable[[str], str]) -> None:
    table = pd.concat([lincs(bare(plate)) for plate in ("P1", "P2")], ignore_index=True)
    table["Metadata_Plate"] = table["Metadata_Plate"].map({"P1": 20589, "P2": 20590})
    table = table.rename(columns=lambda name: name if name in FEATURES else change(name))
    screen = imported(tmp_path, table)
    assert list(screen.plates) == ["20589", "20590"]
    assert screen.wells.loc["20590/A07", "Metadata_mechanism"] == "tubulin inhibitor"


def test_columns_of_cellprofiler_itself(tmp_path: Path) -> None:
    table = made_table().rename(columns=lambda n: n.replace("Metadata_", "Image_Metadata_"))
    assert list(imported(tmp_path, table).plates) == ["P1"]


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("a kinase inhibitor|b agonist", ("a kinase inhibitor", "b agonist")),
        ("a; b ;", ("a", "b")),
        ("; JAK inhibitor, FLT3 inhibitor", ("JAK inhibitor", "FLT3 inhibitor")),
        ("JAK inhibitor,FLT3 inhibitors", ("JAK inhibitor", "FLT3 inhibitors")),
        ("inhibitor of 1,4-glucosidase", ("inhibitor of 1,4-glucosidase",)),
        ("blocker (sodium, potassium)", ("blocker (sodium, potassium)",)),
        ("transport inhibitor, mitochondrial", ("transport inhibitor, mitochondrial",)),
        ("", ()),
    ],
)
def test_mechanisms_that_a_cell_lists(cell: str, parts: tuple[str, ...]) -> None:
    assert listed_mechanisms(cell) == parts


def test_features_with_many_gaps_are_left_out_and_listed(tmp_path: Path) -> None:
    table = made_table()
    table.loc[:4, FEATURES[2]] = np.nan
    table[FEATURES[5]] = np.inf
    screen = imported(tmp_path, table)
    assert import_report(screen)["left out for gaps"] == [FEATURES[2], FEATURES[5]]
    assert np.isfinite(screen.embeddings).all()


def test_a_consensus_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ScreenError, match=r"a consensus, level 5"):
        imported(tmp_path, lincs(bare()).drop(columns=["Metadata_Well", "Metadata_Plate"]))
