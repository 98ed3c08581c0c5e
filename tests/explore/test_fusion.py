"""Words and look-alikes joined: p, scores, and what may match."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import ask
from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.calibration.verdict import Verdict
from napari_cellclip.explore.fusion import fuse
from napari_cellclip.explore.references.evidence import ReferenceEvidence
from napari_cellclip.explore.references.probability.recognisable import Recognisable
from napari_cellclip.screen import Screen, import_profiles

MECHANISMS = (
    "CDK inhibitor",
    "src inhibitor",
    "HSP inhibitor",
    "Aurora kinase inhibitor",
    "adrenergic receptor antagonist",
    "calcium channel blocker",
)

WELLS = ("P/A01|P/A02", "P/B01|P/B02", "P/C01|P/C02")


def answer(p: list[float], *, open_gate: bool | None = None) -> Answer:
    score = [-np.log10(x) if x == x else np.nan for x in p]
    table = pd.DataFrame(
        {
            "treatment": ["a", "b", "c"],
            "dose": np.nan,
            "n_wells": 2,
            "n_plates": 1,
            "score": score,
            "p": p,
            "q": benjamini_hochberg(np.array(p)),
            "smallest_p": 0.001,
            "active": True,
        },
        index=list(WELLS),
    )
    ids = [well for wells in WELLS for well in wells.split("|")]
    wells = pd.DataFrame(
        {"cosine": 0.1, "score": np.repeat(score, 2), "z": 0.0, "q": np.nan, "rank": 1}, index=ids
    )
    references = None
    if open_gate is not None:
        gate = Recognisable(3, 0.9, 0.1, 0.001 if open_gate else 0.5)
        references = ReferenceEvidence(pd.DataFrame(), gate, (), 3, 10, 10, False)
    outcome = Verdict.of(table["q"].to_numpy(float), 0.05)
    if open_gate is False:
        outcome = Verdict.NOT_SIGNIFICANT
    return Answer(
        "x",
        (),
        "",
        wells,
        "m",
        outcome=outcome,
        treatments_table=table,
        null={"seed": 0},
        references=references,
    )


@pytest.mark.parametrize("open_gate", [True, False])
def test_words_that_do_not_count_rank_and_never_match(open_gate: bool) -> None:
    words, looks = answer([0.0001, 0.5, 0.9]), answer([0.9, 0.004, 0.8], open_gate=open_gate)
    found = fuse(words, looks, reason="why", words_count=False)
    table = found.treatments_table.loc[list(WELLS)]
    for column in ("p", "q", "smallest_p"):
        np.testing.assert_array_equal(table[column], looks.treatments_table[column])
    mean = (words.treatments_table["score"] + looks.treatments_table["score"]) / 2
    np.testing.assert_allclose(table["score"], mean)
    assert found.outcome is looks.outcome


def test_the_smaller_p_is_doubled() -> None:
    found = fuse(answer([0.2, 0.001, 0.9]), answer([0.004, 0.5, 0.8], open_gate=True), reason="why")
    table = found.treatments_table.set_index("treatment")
    assert table["p"].to_dict() == pytest.approx({"a": 0.008, "b": 0.002, "c": 1.0})
    assert table["words_p"].to_dict() == pytest.approx({"a": 0.2, "b": 0.001, "c": 0.9})
    assert list(found.treatments_table["treatment"]) == ["b", "a", "c"]
    assert set(found.matches["treatment"]) == {"a", "b"}
    assert found.scores.loc["P/A01", "q"] == pytest.approx(table.loc["a", "q"])


def test_references_that_do_not_resemble_each_other_make_no_match() -> None:
    """Words find b alone; that a looks like the references counts for nothing."""
    found = fuse(answer([0.2, 0.001, 0.9]), answer([0.004, 0.5, 0.8], open_gate=False), reason="why")
    assert list(found.matches["treatment"]) == ["b"]
    closed = fuse(answer([0.2, 0.5, 0.9]), answer([0.001, 0.5, 0.8], open_gate=False), reason="why")
    assert closed.match is False


def test_what_one_side_cannot_tell_the_other_decides() -> None:
    found = fuse(
        answer([np.nan, 0.001, np.nan]), answer([0.004, np.nan, np.nan], open_gate=True), reason="why"
    )
    table = found.treatments_table.set_index("treatment")
    assert table["p"].to_dict() == pytest.approx({"a": 0.008, "b": 0.002, "c": np.nan}, nan_ok=True)
    assert np.isnan(table.loc["c", "score"])


@pytest.fixture(scope="module")
def known_compounds(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Screen:
    """Two plates of CPJUMP1, compounds of five mechanisms and controls only, with the bundled model."""
    tables = real_data / "prof_cpjump1_cellprofiler"
    annotations = tables / "JUMP-Target-1_compound_metadata_additional_annotations.tsv"
    told = pd.read_csv(annotations, sep="\t").set_index("broad_sample")["moa_list"].dropna()
    kept = set(told.index[told.isin(MECHANISMS)])
    folder = tmp_path_factory.mktemp("both")
    for plate in ("BR00117010", "BR00117011"):
        table = pd.read_csv(tables / f"{plate}_normalized_feature_select_negcon_batch.csv.gz")
        chosen = table["Metadata_broad_sample"].isin(kept) | (table["Metadata_control_type"] == "negcon")
        table[chosen].to_csv(folder / f"{plate}.csv", index=False)
    files = sorted(folder.glob("*.csv"))
    return import_profiles(files, folder / "screen", annotations=annotations)


@pytest.mark.real_data
def test_words_and_look_alikes_of_real_compounds_in_one_answer(known_compounds: Screen) -> None:
    """The words of the bundled model were fitted in closed form: they move the order and nothing else."""
    asked = {
        how: ask(known_compounds, "CDK inhibitor", evidence=how) for how in ("words", "look-alikes", "both")
    }
    both, looks = asked["both"].treatments_table, asked["look-alikes"].treatments_table
    words = asked["words"].treatments_table.loc[both.index]
    looks = looks.loc[both.index]
    np.testing.assert_array_equal(both["words_score"], words["score"])
    np.testing.assert_array_equal(both[["p", "q", "probability"]], looks[["p", "q", "probability"]])
    known = (looks["score"].notna() & words["score"].notna()).to_numpy()
    assert known.sum() > 20
    np.testing.assert_allclose(both["score"][known], (looks["score"] + words["score"])[known] / 2)
    assert (asked["both"].evidence, asked["both"].outcome) == ("both", asked["look-alikes"].outcome)
    assert asked["words"].verdict == "Significance not tested"
    assert asked["both"].references is not None
    carriers = set(asked["both"].references.members["name"])
    precision = {how: _precision(found, carriers) for how, found in asked.items()}
    assert min(precision.values()) > 2 * len(carriers) / len(both), precision
    assert any("agree on" in note for note in asked["both"].notes)


def _precision(found: Answer, carriers: set[str]) -> float:
    order = found.treatments_table.sort_values("score", ascending=False)["treatment"]
    hit = order.isin(carriers).to_numpy()
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())
