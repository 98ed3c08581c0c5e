"""Protocols on embeddings whose truth is known, on shuffled ones, and on what cannot be judged."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.evaluation.protocols.compound_gene import ANY, compound_gene, draw_genes, read_activities
from napari_cellclip.evaluation.protocols.correction import Correction
from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable, read_embeddings
from napari_cellclip.evaluation.protocols.relationships import (
    ALL_PAIRS,
    GENES_ONLY,
    read_relationships,
    relationships,
    tail_recall,
)
from napari_cellclip.evaluation.protocols.replicates import replicates
from napari_cellclip.evaluation.protocols.retrieval import retrieval
from napari_cellclip.evaluation.protocols.sisters import sisters
from napari_cellclip.evaluation.protocols.split_part import part_of_split
from napari_cellclip.training.data.splits import split_wells
from napari_cellclip.vocabulary import CellClipError

QUICK = {"null_size": 1000}
Read = Callable[[pd.DataFrame], EmbeddingTable]


def shuffled(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The same table with embeddings exchanged between its rows."""
    features = [c for c in frame if c.startswith("feature_")]
    order = np.random.default_rng(seed).permutation(len(frame))
    return frame.assign(**{c: frame[c].to_numpy()[order] for c in features})


# ---- Replicates -------------------------------------------------------------------------------


def test_replicates_are_found_where_they_are_alike(table: EmbeddingTable) -> None:
    summary, found, _ = replicates(table, **QUICK)
    assert summary["figures"]["perturbations"] == len(found) == 24
    assert summary["figures"]["wells"] == 72
    assert summary["figures"]["mAP"]["value"] > 0.9
    assert summary["figures"]["fraction retrieved (FDR 0.05)"] > 0.9
    assert summary["figures"]["compound: mAP"] == pytest.approx(
        found.loc[found["kind"] == "compound", "mean_average_precision"].mean()
    )


def test_exchanged_embeddings_fall_to_chance(plates_frame: pd.DataFrame, as_table: Read) -> None:
    summary, found, _ = replicates(as_table(shuffled(plates_frame)), **QUICK)
    error = found["mean_average_precision"].std() / np.sqrt(len(found))
    assert abs(summary["figures"]["mAP"]["value"] - summary["figures"]["random mAP"]) < 4 * error
    assert summary["figures"]["fraction retrieved (FDR 0.05)"] == 0


def test_replicate_map_is_the_mean_over_wells_then_perturbations(table: EmbeddingTable) -> None:
    """The whole protocol against plain NumPy written from its definition."""
    wells, unit = table.wells, table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    similar = unit @ unit.T
    plate, name = wells["Metadata_Plate"].to_numpy(), wells["Metadata_treatment"].to_numpy()
    expected = {}
    for treatment in sorted(set(name) - {"DMSO"}):
        precisions = []
        for i in np.flatnonzero(name == treatment):
            positive = (name == treatment) & (np.arange(len(name)) != i)
            negative = (name == "DMSO") & (plate == plate[i])
            better = [
                (similar[i, positive | negative] >= similar[i, j]).sum() for j in np.flatnonzero(positive)
            ]
            right = [(similar[i, positive] >= similar[i, j]).sum() for j in np.flatnonzero(positive)]
            precisions.append(np.mean(np.array(right) / np.array(better)))
        expected[treatment] = np.mean(precisions)
    _, found, _ = replicates(table, by="treatment", **QUICK)
    got = found.set_index("name")["mean_average_precision"]
    assert set(got.index) == set(expected)
    np.testing.assert_allclose(got, [expected[treatment] for treatment in got.index])


def test_a_correction_takes_out_what_plates_add(plates_frame: pd.DataFrame, as_table: Read) -> None:
    features = [c for c in plates_frame if c.startswith("feature_")]
    plate = plates_frame["Metadata_Plate"].str[1:].astype(int).to_numpy()
    plates_frame[features] += 8.0 * np.random.default_rng(1).normal(size=(3, len(features)))[plate]
    table = as_table(plates_frame)
    before = replicates(table, **QUICK)[0]["figures"]["mAP"]["value"]
    after, _, _ = replicates(table, correction=Correction("center"), **QUICK)
    assert after["figures"]["mAP"]["value"] > before + 0.2
    assert after["data"]["correction"] == "center"


def test_controls_that_are_fitted_on_are_no_negatives(plates_frame: pd.DataFrame, as_table: Read) -> None:
    """Pure noise in many dimensions: sphering makes its own controls stand apart from everything else."""
    features = [c for c in plates_frame if c.startswith("feature_")]
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(len(plates_frame), 60)), columns=[f"n{i}" for i in range(60)])
    wide = wide.mul(rng.uniform(0.2, 3, 60), axis=1) + 1.5 * rng.normal(size=60)
    noise = as_table(pd.concat([plates_frame.drop(columns=features), wide], axis=1))
    correction = Correction("sphering")
    half = replicates(noise, correction=correction, **QUICK)[0]
    both = replicates(noise, correction=correction, fit_on="all", **QUICK)[0]
    fitted_too = half["figures"]["mAP if also fitted on its negatives, as published"]
    assert both["figures"]["mAP"]["value"] == pytest.approx(fitted_too)
    assert fitted_too > both["figures"]["random mAP"] + 0.1  # noise "replicates"
    assert abs(half["figures"]["mAP"]["value"] - half["figures"]["random mAP"]) < 0.06
    plain = half["figures"]["mAP without correction, same negatives"]
    assert abs(plain - half["figures"]["random mAP"]) < 0.06
    assert half["data"]["controls"] == 18
    assert both["data"]["controls"] == 36


def test_half_of_few_controls_is_too_few(plates_frame: pd.DataFrame, as_table: Read) -> None:
    controls = plates_frame["Metadata_control_type"] == "negcon"
    few = plates_frame[~controls | (plates_frame.groupby("Metadata_Plate").cumcount() < 6)]
    table = as_table(few.reset_index(drop=True))
    with pytest.raises(CellClipError, match=r"has 3 negative controls .* half of the controls are kept"):
        replicates(table, correction=Correction("center"), **QUICK)
    replicates(table, correction=Correction("center"), fit_on="all", **QUICK)
    with pytest.raises(CellClipError, match="half or all"):
        replicates(table, correction=Correction("center"), fit_on="some", **QUICK)
    one = plates_frame[~controls | (plates_frame.groupby("Metadata_Plate").cumcount() < 1)]
    with pytest.raises(CellClipError, match="plate P0 has one negative control"):
        replicates(as_table(one.reset_index(drop=True)), correction=Correction("sphering"), **QUICK)


def test_the_same_compound_on_other_cells_is_no_replicate(plates_frame: pd.DataFrame, as_table: Read) -> None:
    lines = np.where(plates_frame["Metadata_Plate"] == "P0", "A549", "U2OS")
    _, found, _ = replicates(as_table(plates_frame.assign(Metadata_cell_line=lines)), **QUICK)
    assert len(found) == 24  # P0 alone has no replicates
    assert all(name.endswith("U2OS") for name in found.index)
    assert (found["n"] == 2).all()


def test_without_controls_or_replicates_there_is_nothing_to_find(
    plates_frame: pd.DataFrame, as_table: Read
) -> None:
    treated = plates_frame[plates_frame["Metadata_control_type"] == ""].reset_index(drop=True)
    with pytest.raises(CellClipError, match="has no negative control"):
        replicates(as_table(treated), **QUICK)
    with pytest.raises(CellClipError, match="has no column 'guide'"):
        replicates(as_table(plates_frame), by="guide", **QUICK)
    single = plates_frame[plates_frame["Metadata_Plate"] == "P0"].reset_index(drop=True)
    with pytest.raises(CellClipError, match="no replicates"):
        replicates(as_table(single), **QUICK)


# ---- Sisters ----------------------------------------------------------------------------------


def test_sisters_within_compounds_may_be_opposite(table: EmbeddingTable) -> None:
    summary, found, _ = sisters(table, kind="compound", **QUICK)
    assert list(found.index) == ["GA", "GB", "GC", "GD", "GE", "GF"]
    assert summary["protocol"]["similarity"] == "abs_cosine"
    assert summary["figures"]["mAP"] > 0.8


def test_sisters_within_guides_keep_their_sign(table: EmbeddingTable) -> None:
    summary, _, _ = sisters(table, kind="crispr", by="treatment", **QUICK)
    assert summary["protocol"]["similarity"] == "cosine"
    assert summary["figures"]["mAP"] > 0.9


def test_sisters_across(table: EmbeddingTable, plates_frame: pd.DataFrame, as_table: Read) -> None:
    summary, found, _ = sisters(table, across=("compound", "crispr"), by="treatment", **QUICK)
    assert summary["figures"]["mAP"] > 0.7
    assert summary["figures"]["perturbations"] == 24
    # A target of compounds only is cut.
    more = plates_frame.copy()
    compound = more["Metadata_kind"] == "compound"
    more.loc[compound, "Metadata_genes"] += "|GZ"
    _, again, _ = sisters(as_table(more), across=("compound", "crispr"), by="treatment", **QUICK)
    pd.testing.assert_frame_equal(found, again)


def test_doses_of_one_compound_are_no_sisters(plates_frame: pd.DataFrame, as_table: Read) -> None:
    compounds = plates_frame[plates_frame["Metadata_kind"] != "crispr"].reset_index(drop=True)
    other = compounds.assign(Metadata_dose=compounds["Metadata_dose"] * 10)
    only_doses = compounds["Metadata_treatment"].isin(["DMSO", "c0", "c1", "c2"])
    both = pd.concat([compounds[only_doses], other[only_doses & (other["Metadata_treatment"] != "DMSO")]])
    with pytest.raises(CellClipError, match="no two perturbations share a target"):
        sisters(as_table(both.reset_index(drop=True)), replicable_only=False, **QUICK)


def test_what_has_no_sisters(table: EmbeddingTable, plates_frame: pd.DataFrame, as_table: Read) -> None:
    for options, words in (
        ({}, "several modalities"),
        ({"kind": "orf"}, "no wells of kind orf"),
        ({"kind": "compound", "labels": "Metadata_smiles"}, "names no target in Metadata_smiles"),
        ({"kind": "compound", "labels": "colour"}, "no column 'colour'"),
    ):
        with pytest.raises(CellClipError, match=words):
            sisters(table, **options, **QUICK)
    with pytest.raises(CellClipError, match="finds its own replicates"):
        sisters(as_table(shuffled(plates_frame)), kind="compound", **QUICK)
    summary, _, _ = sisters(as_table(shuffled(plates_frame)), kind="compound", replicable_only=False, **QUICK)
    assert summary["figures"]["perturbations"] == 12


# ---- Relationships ----------------------------------------------------------------------------


def test_tail_recall_by_counting() -> None:
    null = np.arange(1, 101) / 100
    assert tail_recall(null, [0.05, 0.06, 0.5, 0.95, 0.96, 1.0], 0.05, 0.95) == pytest.approx(3 / 6)
    assert tail_recall(null, null, 0.05, 0.95) == pytest.approx(0.1)
    assert tail_recall(np.ones(50), np.ones(3), 0.05, 0.95) == 0  # equal values are in no tail
    with pytest.raises(CellClipError, match="at least one pair"):
        tail_recall(null, [], 0.05, 0.95)


def test_annotated_pairs_are_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("entity1,entity2,score\nB,A,1\nA,B,2\nC,C,3\nNA,A,4\n")
    assert read_relationships(path).to_numpy().tolist() == [["A", "B"], ["A", "NA"]]
    path.write_text("gene1,gene2\nA,B\n")
    with pytest.raises(CellClipError, match="lacks the column entity1"):
        read_relationships(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CellClipError, match="cannot be read"):
        read_relationships(path)


def gene_frame(n: int = 40, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Genes in pairs that look alike, and compounds that are all far from them and alike."""
    rng = np.random.default_rng(seed)
    genes = rng.normal(size=(n, 16))
    genes[1::2] = genes[::2] + 0.3 * rng.normal(size=(n // 2, 16))
    compounds = 5 * rng.normal(size=16) + rng.normal(size=(60, 16))
    frame = pd.DataFrame(np.vstack([genes, compounds])).add_prefix("f")
    frame["Metadata_treatment"] = [f"G{i:02d}" for i in range(n)] + [f"c{i}" for i in range(60)]
    frame["Metadata_kind"] = ["crispr"] * n + ["compound"] * 60
    known = pd.DataFrame(
        {"entity1": [f"G{i:02d}" for i in range(1, n, 2)], "entity2": [f"G{i:02d}" for i in range(0, n, 2)]}
    )
    return frame, known


def test_relationships_with_both_nulls(as_table: Read, tmp_path: Path) -> None:
    frame, known = gene_frame()
    known.to_csv(tmp_path / "pairs.csv", index=False)
    summary, found, _ = relationships(as_table(frame), [tmp_path / "pairs.csv"])
    at = found[found["tail"] == 0.05].set_index("null")
    assert at.loc[GENES_ONLY, "recall"] == 1.0
    assert at.loc[GENES_ONLY, "null_size"] == 40 * 39 // 2
    assert at.loc[ALL_PAIRS, "null_size"] == 100 * 99 // 2
    # Compounds that are alike fill the upper tail of the published null.
    assert at.loc[ALL_PAIRS, "recall"] < 1.0
    assert summary["figures"]["random (any null, tails of 0.05)"] == 0.1
    assert found["tail"].tolist()[:10] == pytest.approx([i / 100 for i in range(1, 11)])


def test_the_null_of_genes_is_the_plain_computation(as_table: Read, tmp_path: Path) -> None:
    frame, known = gene_frame(seed=4)
    known.iloc[:7].to_csv(tmp_path / "pairs.csv", index=False)
    _, found, _ = relationships(as_table(frame), [tmp_path / "pairs.csv"])
    x = frame.filter(regex="^f").to_numpy()[:40]
    similar = (x @ x.T) / np.outer(*[np.linalg.norm(x, axis=1)] * 2)
    null = similar[np.triu_indices(40, 1)]
    query = [similar[2 * i, 2 * i + 1] for i in range(7)]
    for row in found[found["null"] == GENES_ONLY].itertuples():
        below = np.array([(null <= q).mean() for q in query]) <= row.tail
        above = np.array([(null < q).mean() for q in query]) >= 1 - row.tail
        assert row.recall == pytest.approx((below | above).mean())


def test_relationships_that_cannot_be_judged(table: EmbeddingTable, as_table: Read, tmp_path: Path) -> None:
    pairs = tmp_path / "known.csv"
    pairs.write_text("entity1,entity2\nX,Y\n")
    with pytest.raises(CellClipError, match=r"no pair of known\.csv is among the 6 genes"):
        relationships(table, [pairs])
    with pytest.raises(CellClipError, match="at least one CSV"):
        relationships(table, [])
    frame, _ = gene_frame()
    with pytest.raises(CellClipError, match="0 genes"):
        relationships(as_table(frame[frame["Metadata_kind"] == "compound"].reset_index(drop=True)), [pairs])


@pytest.mark.parity
def test_recall_as_efaar_has_it(golden: Path) -> None:
    with np.load(golden / "efaar.npz", allow_pickle=False) as z:
        for (low, high), recall in zip(z["thresholds"], z["recall"], strict=True):
            assert tail_recall(z["null"], z["query"], low, high) == pytest.approx(recall, abs=1e-12)


@pytest.mark.parity
def test_known_relationships_as_efaar_has_them(golden: Path, as_table: Read) -> None:
    package = importlib.util.find_spec("efaar_benchmarking")
    if package is None or package.origin is None:
        pytest.skip("the annotations are those of efaar_benchmarking 1.0, which is not installed")
    sources = sorted((Path(package.origin).parent / "benchmark_annotations").glob("*.txt"))
    with np.load(golden / "efaar.npz", allow_pickle=False) as z:
        frame = pd.DataFrame(z["gene_features"]).add_prefix("f").assign(Metadata_gene=z["genes"])
    _, found, _ = relationships(as_table(frame.assign(Metadata_perturbation_type="CRISPR")), sources)
    expected = pd.read_csv(golden / "efaar_known_relationship.csv")
    for row in expected.to_dict("records"):
        of_source = found[(found["source"] == row["source"]) & (found["null"] == ALL_PAIRS)].set_index("tail")
        assert set(of_source["pairs"]) == {row["query_distribution_size"]}
        assert set(of_source["null_size"]) == {row["null_distribution_size"]}
        for tail in (0.01, 0.02, 0.05, 0.1):
            assert of_source.loc[tail, "recall"] == pytest.approx(
                row[f"recall_{tail}_{1 - tail:g}"], abs=1e-12
            )


# ---- Compounds and genes ----------------------------------------------------------------------


def activity_frame(
    n_genes: int = 60, compounds: int = 12, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compound i acts on genes 2i and 2i+1, the stronger the higher the dose; opposite ways for odd i."""
    rng = np.random.default_rng(seed)
    genes = rng.normal(size=(n_genes, 32))
    rows, vectors = [], [*genes]
    rows += [(f"G{i:02d}", "crispr", np.nan) for i in range(n_genes)]
    for i in range(compounds):
        for dose in (0.1, 10.0):
            rows.append((f"c{i}", "compound", dose))
            signal = (genes[2 * i] + genes[2 * i + 1]) * (-1) ** i
            vectors.append(signal * dose / 10 + 0.5 * rng.normal(size=32))
    frame = pd.DataFrame(np.stack(vectors)).add_prefix("f")
    frame[["Metadata_treatment", "Metadata_kind", "Metadata_dose"]] = rows
    known = [(f"c{i}", f"G{2 * i + k:02d}", 10.0 * (k + 1)) for i in range(compounds) for k in (0, 1)]
    known += [(f"c{i}", f"G{g:02d}", 5_000.0) for i in range(compounds) for g in (40, 41)]
    known += [("c0", f"G{g:02d}", 50_000.0) for g in range(24, n_genes) if g not in (40, 41)]
    return frame, pd.DataFrame(known, columns=["treatment", "gene_symbol", "nM_value"])


def test_compounds_find_their_genes_at_the_dose_that_acts(as_table: Read, tmp_path: Path) -> None:
    frame, known = activity_frame()
    known.to_csv(tmp_path / "a.csv", index=False)
    summary, found, _ = compound_gene(as_table(frame), tmp_path / "a.csv", seeds=3)
    assert found.index.tolist() == ["0.1 µM", "10 µM", ANY]
    assert found.loc["10 µM", "ap"] > 0.9
    assert found.loc["10 µM", "auc"] > 0.95
    assert abs(found.loc["0.1 µM", "ap"] - found.loc["0.1 µM", "ap_random"]) < 0.15
    assert found.loc["0.1 µM", "auc"] == pytest.approx(0.5, abs=0.2)
    assert (found["compounds"] == 12).all()
    assert summary["figures"]["compounds"] == 12
    again = compound_gene(as_table(frame), tmp_path / "a.csv", seeds=3)[1]
    pd.testing.assert_frame_equal(found, again)
    assert not compound_gene(as_table(frame), tmp_path / "a.csv", seeds=3, seed=50)[1].equals(found)


def test_which_genes_are_drawn() -> None:
    _, known = activity_frame()
    genes = set(known["gene_symbol"])
    drawn = draw_genes(known, genes, seed=0)
    for i in range(12):
        names, active = drawn[f"c{i}"]
        assert [n for n, a in zip(names, active, strict=True) if a] == [f"G{2 * i:02d}", f"G{2 * i + 1:02d}"]
        assert len(names) == 22
        assert len(set(names)) == 22
        assert not {"G40", "G41"} & set(names)
    assert draw_genes(known, genes, seed=0)["c3"][0] == drawn["c3"][0]
    assert draw_genes(known, genes, seed=1)["c3"][0] != drawn["c3"][0]
    assert draw_genes(known, {f"G{i:02d}" for i in range(12)}, seed=0) == {}  # too few others


def test_activities_on_the_limits_of_the_benchmark() -> None:
    """At most 1,000 nM is active, up to 10,000 nM counts neither way, and others must be 20."""
    others = [f"N{i:02d}" for i in range(19)]
    rows = [("c", "A", 1000.0), ("c", "B", 1001.0), ("c", "C", 10_000.0), ("c", "D", 10_001.0)]
    rows += [("another", gene, 5.0) for gene in others]
    known = pd.DataFrame(rows, columns=["treatment", "gene_symbol", "nM_value"])
    genes = set(known["gene_symbol"])
    names, active = draw_genes(known, genes, seed=0)["c"]
    assert [name for name, yes in zip(names, active, strict=True) if yes] == ["A"]
    assert set(names) == {"A", "D", *others}
    assert "c" not in draw_genes(known, genes - {"N00"}, seed=0)


def test_activities_that_cannot_be_used(as_table: Read, tmp_path: Path) -> None:
    frame, known = activity_frame()
    path = tmp_path / "a.csv"
    for change, words in (
        (known.rename(columns={"nM_value": "value"}), "lacks the column nM_value"),
        (known.assign(nM_value=["strong", *known["nM_value"][1:]]), "line 2: nM_value 'strong'"),
        (known.assign(treatment="unknown"), "shares no compound, or no gene"),
        (known[known["nM_value"] > 1000], "has an active gene"),
    ):
        change.to_csv(path, index=False)
        with pytest.raises(CellClipError, match=words):
            compound_gene(as_table(frame), path, seeds=1)
    twice = pd.DataFrame({"treatment": "c0", "gene_symbol": "G00", "nM_value": [20_000, 5]})
    twice.to_csv(path, index=False)
    assert read_activities(path)["nM_value"].tolist() == [5]
    with pytest.raises(CellClipError, match="at least once"):
        compound_gene(as_table(frame), path, seeds=0)


# ---- Cross-modal retrieval of a table ---------------------------------------------------------


@pytest.fixture
def texts(tmp_path: Path, table: EmbeddingTable) -> EmbeddingTable:
    """One text a treatment, near the mean of its wells."""
    names = sorted(set(table.wells["Metadata_treatment"]))
    rows = [(table.wells["Metadata_treatment"] == name).to_numpy() for name in names]
    frame = pd.DataFrame(np.stack([table.vectors[row].mean(0) for row in rows])).add_prefix("f")
    frame.assign(Metadata_treatment=names).to_parquet(tmp_path / "texts.parquet")
    return read_embeddings(tmp_path / "texts.parquet")


def test_retrieval_both_ways(table: EmbeddingTable, texts: EmbeddingTable) -> None:
    summary, queries, _ = retrieval(table, texts=texts, draws=50)
    figures = summary["figures"]
    assert summary["data"]["pool of images"] == summary["data"]["pool of texts"] == 24
    assert figures["text to image: R@1 cosine"]["value"] == 1.0
    assert figures["image to text: R@1 cosine"]["value"] == 1.0
    assert figures["image to text: R@1 raw"]["value"] < 1.0  # long texts win dot products they should not
    assert figures["text to image: R@5 random"] == pytest.approx(5 / 24)
    assert figures["text to image: mean rank random"] == pytest.approx(12.5)
    assert queries["direction"].value_counts().to_dict() == {"text to image": 24, "image to text": 24}
    assert "DMSO" not in set(queries["text"])


def test_wells_that_share_a_text_are_one_group(table: EmbeddingTable, texts: EmbeddingTable) -> None:
    summary, queries, _ = retrieval(table, texts=texts, unit="well", draws=20)
    assert summary["data"]["pool of images"] == 72
    assert summary["data"]["pool of texts"] == summary["data"]["texts of several images"] == 24
    assert set(queries.loc[queries["direction"] == "text to image", "hits_in_pool"]) == {3}
    # 1 - C(69, 1) / C(72, 1)
    assert summary["figures"]["text to image: R@1 random"] == pytest.approx(3 / 72)


def test_retrieval_of_exchanged_wells_is_random(
    plates_frame: pd.DataFrame, as_table: Read, texts: EmbeddingTable
) -> None:
    figures = retrieval(as_table(shuffled(plates_frame)), texts=texts, draws=200)[0]["figures"]
    interval = figures["text to image: mean rank cosine"]
    assert interval["low"] <= figures["text to image: mean rank random"] <= interval["high"]


def test_what_cannot_be_retrieved(table: EmbeddingTable, texts: EmbeddingTable) -> None:
    nobody = np.zeros(len(table), bool)
    for options, words in (
        ({}, "give embedded texts too"),
        ({"texts": texts, "unit": "plate"}, "no unit of a pool"),
        ({"texts": texts, "chosen": nobody}, "no treated well is left"),
        ({"texts": texts.take(np.arange(3))}, "have no text of their Metadata_treatment"),
        ({"texts": texts, "text_key": "colour"}, "no column 'colour'"),
    ):
        with pytest.raises(CellClipError, match=words):
            retrieval(table, **options)


def test_parts_of_a_split(table: EmbeddingTable, tmp_path: Path) -> None:
    rows, name = part_of_split(table, "compound", seed=2)
    train, _ = part_of_split(table, "compound", part="train", seed=2)
    tested, trained = (set(table.wells.loc[r & table.treated, "Metadata_genes"]) for r in (rows, train))
    compounds = [set(table.wells.loc[r & table.treated, "Metadata_treatment"]) for r in (rows, train)]
    assert compounds[0]
    assert not compounds[0] & compounds[1]
    assert tested | trained
    assert "test part of a split by compound" in name
    listed = tmp_path / "wells.txt"
    listed.write_text("P0/B01\nP1/B01\n")
    rows, _ = part_of_split(table, str(listed))
    assert list(table.wells.index[rows]) == ["P0/B01", "P1/B01"]
    for split, part, words in (
        ("card", "test", "names no split"),
        ("compound", "exam", "no part of a split"),
        ("position", "test", "is no split"),
    ):
        with pytest.raises(CellClipError, match=words):
            part_of_split(table, split, part=part)
    listed.write_text("X/A01\n")
    with pytest.raises(CellClipError, match="no well of"):
        part_of_split(table, str(listed))


def test_the_split_of_a_card_is_made_again_of_the_same_wells_only(table: EmbeddingTable) -> None:
    """Among fewer wells the same seed deals training compounds into the test."""
    split = split_wells(table.wells, "compound", (0.7, 0.1, 0.2), 3)
    said: dict[str, Any] = {"by": "compound", "seed": 3, "fractions": [0.7, 0.1, 0.2]}

    def on_screen(training: dict[str, Any], wells: pd.DataFrame) -> EmbeddingTable:
        screen = SimpleNamespace(card=SimpleNamespace(training=training), wells=wells)
        return replace(table, screens=(screen,))  # type: ignore[arg-type]

    known = {"split": said, "split_wells": split.digests}
    whole = on_screen(known, table.wells)
    for judged in (whole, whole.take(np.arange(len(table)) != 5)):  # a well that was not embedded
        rows, name = part_of_split(judged, "card")
        assert set(judged.wells.index[rows]) == set(split.test) & set(judged.wells.index)
        assert name == "test part of a split by compound, seed 3"

    some = table.wells[table.wells["Metadata_treatment"] != "c1"]
    trained = set(table.wells.loc[list(split.train), "Metadata_treatment"])
    again = split_wells(some, "compound", (0.7, 0.1, 0.2), 3)
    assert trained & set(some.loc[list(again.test), "Metadata_treatment"]) - {"DMSO"}
    for other in (on_screen(known, some), on_screen({"split": said}, table.wells)):
        with pytest.raises(CellClipError, match="differ from those the model was trained on"):
            part_of_split(other, "card")
