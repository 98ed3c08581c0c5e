"""What an answer says about the limits of its references."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from napari_cellclip import ask
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.screen import Screen, import_profiles
from tests.profile_tables import COMPOUNDS, made_table, write_annotations


def screen_of(folder: Path, tables: list[pd.DataFrame]) -> Screen:
    pd.concat(tables).to_csv(folder / "plates.csv", index=False)
    notes = write_annotations(folder / "compounds.tsv")
    return import_profiles(folder / "plates.csv", folder / "screen", annotations=notes, model="")


def notes_of(screen: Screen) -> str:
    return " ".join(ask(screen, "tubulin inhibitor", structures=False).notes)


def shifted(table: pd.DataFrame) -> pd.DataFrame:
    """The same plate with the positions of its treatments in another order."""
    treated = table["Metadata_pert_iname"] != "DMSO"
    wells = table.loc[treated, "Metadata_Well"].to_numpy()
    table.loc[treated, "Metadata_Well"] = [*wells[1:], wells[0]]
    return table


def test_one_layout_on_all_plates_is_warned_of(tmp_path: Path) -> None:
    plates = [made_table(p, controls=12, replicates=1) for p in ("P1", "P2")]
    assert "Treatments lie at one position on all plates" in notes_of(screen_of(tmp_path, plates))


def test_two_layouts_are_not(tmp_path: Path) -> None:
    plates = [made_table("P1", controls=12, replicates=1), made_table("P2", controls=12, replicates=1)]
    plates[1] = shifted(plates[1])
    assert "one position" not in notes_of(screen_of(tmp_path, plates))


@pytest.mark.parametrize(
    ("left", "said"),
    [(1, "Only one reference treatment carries this"), (2, "Only two reference compounds carry this")],
)
def test_few_references_are_ranked_and_never_significant(tmp_path: Path, left: int, said: str) -> None:
    """Two that look alike are one likeness: it says nothing about a third."""
    table = made_table(controls=12, replicates=3)
    tubulin = [name for name, (_, mechanism) in COMPOUNDS.items() if mechanism == "tubulin inhibitor"]
    gone = table["Metadata_pert_iname"].isin(tubulin[left:])
    table.loc[gone, "Metadata_pert_iname"] = "a compound that nobody knows"
    answer = ask(screen_of(tmp_path, [table]), "tubulin inhibitor", structures=False)
    assert answer.outcome is not Verdict.SIGNIFICANT
    assert said in " ".join(answer.notes)
    assert answer.treatments_table["score"].notna().any()
    assert answer.references is not None
    assert not answer.references.recognisable.open
