"""Embeddings from any source come out with the same columns, or are refused in a sentence."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_cellclip.evaluation.protocols.consensus import consensus, entity_map, gene_rows
from napari_cellclip.evaluation.protocols.embeddings import (
    EmbeddingTable,
    compounds_of,
    kinds_present,
    read_embeddings,
    treatments_of,
)
from napari_cellclip.vocabulary import CellClipError, Kind


def test_a_table_gets_the_columns_of_a_screen(table: EmbeddingTable, plates_frame: pd.DataFrame) -> None:
    assert table.vectors.shape == (len(plates_frame), 24)
    assert table.wells.index[0] == "P0/A01"
    assert table.negative.sum() == 36
    assert table.treated.sum() == len(plates_frame) - 36
    assert set(table.wells.loc[table.treated, "Metadata_perturbation"]) >= {"c3 1 µM", "GA_guide_1 knockout"}
    assert kinds_present(table.wells) == ("compound", "crispr", "control")
    assert table.model is None
    assert treatments_of(table.wells)[12].kind is Kind.COMPOUND


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".tsv"])
def test_every_kind_of_table_reads_alike(
    suffix: str, tmp_path: Path, table: EmbeddingTable, plates_frame: pd.DataFrame
) -> None:
    path = tmp_path / f"other{suffix}"
    if suffix == ".parquet":
        plates_frame.to_parquet(path)
    else:
        plates_frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    other = read_embeddings(path)
    pd.testing.assert_frame_equal(other.wells, table.wells, check_dtype=False)
    np.testing.assert_allclose(other.vectors, table.vectors)


@pytest.mark.parametrize("key", ["well_id", "names"])
def test_published_feature_files_with_their_metadata(key: str, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["embeddings"] = vectors
        file[key] = [b"w1", b"w2", b"w3", b"w9"]
    pd.DataFrame(
        {
            key: ["w2", "w1", "w3", "w4"],
            "gene": ["TP53", "EMPTY_control", None, "KRAS"],
            "treatment": ["TP53_guide_1", "EMPTY_control", "taxol", "KRAS_guide_2"],
            "perturbation_type": ["CRISPR", "CRISPR", "COMPOUND", "CRISPR"],
            "concentration": [np.nan, np.nan, 2.5, np.nan],
            "experiment_name": ["e1", "e1", "e2", "e2"],
        }
    ).to_csv(tmp_path / "m.csv", index=False)
    table = read_embeddings(tmp_path / "f.h5", tmp_path / "m.csv").with_controls("gene=EMPTY_control")
    np.testing.assert_array_equal(table.vectors, vectors)
    assert table.wells["Metadata_treatment"].tolist() == ["EMPTY_control", "TP53_guide_1", "taxol", ""]
    assert table.wells["Metadata_kind"].tolist()[:3] == ["crispr", "crispr", "compound"]
    assert table.negative.tolist() == [True, False, False, False]
    assert table.treated.tolist() == [False, True, True, False]
    assert table.column("experiment_name").tolist() == ["e1", "e1", "e2", ""]
    entities = entity_map(table)
    assert gene_rows(entities) == {"TP53": list(entities.wells["entity"]).index("TP53")}


def test_rows_without_an_embedding_are_left_out(plates_frame: pd.DataFrame, as_table: object) -> None:
    plates_frame.loc[[0, 20], "feature_3"] = np.nan
    assert len(as_table(plates_frame)) == len(plates_frame) - 2


def test_an_empty_column_of_guides_makes_no_knockout(plates_frame: pd.DataFrame, as_table: object) -> None:
    compounds = plates_frame[plates_frame["Metadata_kind"] != "crispr"].drop(columns="Metadata_kind")
    table = as_table(compounds.assign(Metadata_target_sequence=np.nan).reset_index(drop=True))
    assert set(table.wells.loc[table.treated, "Metadata_kind"]) == {"compound"}


def write(path: Path, content: object) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.parquet", None, "does not exist"),
        ("broken.parquet", b"PAR1 but no more", "cannot be read as a table"),
        ("posing.parquet", pickle.dumps({"a": 1}), "cannot be read as a table"),
        ("posing.h5", pickle.dumps({"a": 1}), "cannot be read as a file of embeddings"),
        ("empty.csv", b"", "cannot be read as a table"),
        ("one.csv", pd.DataFrame({"Metadata_Well": ["A01"], "x": [1.0]}), "holds no embedding"),
        ("bare.csv", pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 3.0]}), "says nothing of its rows"),
        ("nan.csv", pd.DataFrame({"Metadata_Well": ["A01"], "x": [np.nan], "y": [1.0]}), "no embedding"),
    ],
)
def test_what_holds_no_embeddings(name: str, content: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(CellClipError, match=words) as caught:
        read_embeddings(write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_hdf5_that_does_not_fit(tmp_path: Path) -> None:
    for key, content, words in (
        ("other", [b"a"], "lacks 'embeddings'"),
        ("names", [b"a", b"b", b"c"], "do not fit"),
    ):
        path = tmp_path / f"{key}.h5"
        with h5py.File(path, "w") as file:
            file["embeddings"], file[key] = np.ones((2, 3)), content
        with pytest.raises(CellClipError, match=words):
            read_embeddings(path)


def test_hdf5_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "e.h5").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CellClipError, match=r"napari-cellclip\[hdf5\]"):
        read_embeddings(tmp_path / "e.h5")


def test_what_cannot_be_joined_or_pooled(tmp_path: Path, plates_frame: pd.DataFrame) -> None:
    path = tmp_path / "e.parquet"
    plates_frame.to_parquet(path)
    other = write(tmp_path / "m.csv", pd.DataFrame({"colour": ["red"]}))
    with pytest.raises(CellClipError, match="share no column"):
        read_embeddings(path, other)
    foreign = write(tmp_path / "n.csv", pd.DataFrame({"Plate": ["X"], "colour": ["red"]}))
    with pytest.raises(CellClipError, match="no Metadata_Plate"):
        read_embeddings(path, foreign)
    with pytest.raises(CellClipError, match="either screens"):
        read_embeddings([path, path])


def test_rules_for_controls(table: EmbeddingTable) -> None:
    changed = table.with_controls("treatment = c3")
    assert changed.negative.sum() == 3
    assert set(changed.wells.loc[changed.negative, "Metadata_treatment"]) == {"c3"}
    for rule, words in (
        ("treatment", "write COLUMN=VALUE"),
        ("colour=red", "has no column 'colour'"),
        ("treatment=water", "no row of"),
    ):
        with pytest.raises(CellClipError, match=words):
            table.with_controls(rule)


@pytest.mark.parametrize("how", ["mean", "median"])
def test_consensus_pools_the_wells_of_a_perturbation(how: str, table: EmbeddingTable) -> None:
    pooled = consensus(table.take(table.treated), "treatment", how)
    assert len(pooled) == 24
    assert (pooled.wells["n_wells"] == 3).all()
    rows = (table.wells["Metadata_treatment"] == "c7").to_numpy()
    expected = getattr(np, how)(table.vectors[rows], axis=0)
    np.testing.assert_allclose(pooled.vectors[pooled.wells.index.get_loc("c7")], expected)
    assert compounds_of(pooled.wells).loc["c7"] == "c7"
    with pytest.raises(CellClipError, match="no consensus"):
        consensus(table, "treatment", "mode")


def test_a_map_has_one_row_a_gene_and_one_a_compound_and_dose(
    plates_frame: pd.DataFrame, as_table: object
) -> None:
    plates_frame.loc[plates_frame["Metadata_Plate"] == "P2", "Metadata_dose"] *= 10
    entities = entity_map(as_table(plates_frame))
    assert entities.wells["is_gene"].sum() == 6
    assert (~entities.wells["is_gene"].astype(bool)).sum() == 24
    assert sorted(gene_rows(entities)) == ["GA", "GB", "GC", "GD", "GE", "GF"]
    both = plates_frame.copy()
    both.loc[both["Metadata_treatment"] == "GA_guide_1", "Metadata_kind"] = "orf"
    with pytest.raises(CellClipError, match=r"gene GA .* knocked out and over-expressed"):
        gene_rows(entity_map(as_table(both)))
