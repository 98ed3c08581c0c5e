"""CellProfiler tables as screens: standardisation, labels, layout on disk, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import Screen, import_profiles
from napari_cellclip.screen.imports.profile_labels import annotated
from napari_cellclip.screen.imports.profiles import import_report
from napari_cellclip.screen.imports.stain_groups import StainGroups
from napari_cellclip.screen.imports.standardise import CLIP, standardise
from napari_cellclip.vocabulary import STAINS, ScreenError
from tests.profile_tables import COMPOUNDS, FEATURES, made_table, write_annotations


def written(folder: Path, table: pd.DataFrame, name: str = "P1.csv.gz") -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    files = [written(tmp_path, made_table(p), f"{p}.csv.gz") for p in ("P1", "P2")]
    notes = write_annotations(tmp_path / "compounds.tsv")
    return import_profiles(files, tmp_path / "screen", annotations=notes, cell_line="U2OS")


def oracle(table: pd.DataFrame, name: str) -> np.ndarray:
    """Robust z from its formula."""
    values = table[name].to_numpy(np.float64)
    controls = values[(table["Metadata_control_type"] == "negcon").to_numpy()]
    middle = np.median(controls)
    return np.clip((values - middle) / (1.4826 * np.median(np.abs(controls - middle))), -CLIP, CLIP)


def test_features_are_robust_z_by_stain(screen: Screen) -> None:
    table = made_table("P1")
    sites = [f"P1/{well}/1" for well in table["Metadata_Well"]]
    features = screen.features(sites)
    groups = StainGroups.of(FEATURES)
    assert features.shape == (len(table), 5, groups.width)
    for row, stain in enumerate(STAINS):
        for place, name in enumerate(groups.of_stain[stain]):
            np.testing.assert_allclose(features[:, row, place], oracle(table, name), rtol=2e-3, atol=2e-3)
    assert not features[:, ~groups.mask].any()


def test_embeddings_before_training_are_each_feature_once(screen: Screen) -> None:
    groups = StainGroups.of(FEATURES)
    assert screen.embeddings.shape == (len(screen.well_ids), len(groups.names))
    ids = [f"P2/{well}" for well in made_table("P2")["Metadata_Well"]]
    rows = [screen.well_ids.index(well) for well in ids]
    expected = np.column_stack([oracle(made_table("P2"), name) for name in groups.names])
    np.testing.assert_allclose(screen.embeddings[rows], expected, rtol=1e-5, atol=1e-5)


def test_labels_come_from_the_table_and_its_annotations(screen: Screen) -> None:
    row = screen.wells.loc["P1/A07"]
    assert row["Metadata_treatment"] == "nocodazole"
    assert row["Metadata_kind"] == "compound"
    assert row["Metadata_smiles"] == COMPOUNDS["nocodazole"][0]
    assert row["Metadata_mechanism"] == "tubulin inhibitor"
    assert row["Metadata_genes"] == "TUBB|TUBA1A"
    assert row["Metadata_cell_line"] == "U2OS"
    assert row["Metadata_moa_list"] == "tubulin inhibitor"
    assert screen.wells.loc["P1/A01", "Metadata_control_type"] == "negcon"
    assert len(screen.control_ids) == 12
    assert screen.perturbation("P1/A07").genes == ("TUBB", "TUBA1A")


def test_it_opens_as_a_screen_that_is_complete_but_has_no_words(screen: Screen, tmp_path: Path) -> None:
    opened = Screen.open(tmp_path / "screen")
    assert opened.complete
    assert opened.failures.empty
    assert opened.card.encoder.kind == "profile"
    assert not opened.has_head
    with pytest.raises(ScreenError, match=r"train a head first .*napari-cellclip train"):
        _ = opened.model
    with pytest.raises(ScreenError, match="there is no preview"):
        opened.preview("P1/A01")
    assert opened.contrast("P1") == {}
    assert opened.to_parquet(tmp_path / "p.parquet").exists()
    assert opened.to_anndata().shape == opened.embeddings.shape


def test_replicates_are_nearer_than_controls(screen: Screen) -> None:
    unit = screen.embeddings / screen.norms[:, None]
    cosine = unit @ unit.T
    names = screen.wells["Metadata_treatment"].to_numpy()
    a = names == "nocodazole"
    assert cosine[np.ix_(a, a)].mean() > cosine[np.ix_(a, names == "DMSO")].mean() + 0.3


def test_same_features_same_encoder_and_others_another(screen: Screen, tmp_path: Path) -> None:
    again = import_profiles(written(tmp_path, made_table("P3"), "P3.csv"), tmp_path / "again")
    assert again.card.encoder_hash == screen.card.encoder_hash
    fewer = made_table("P3").drop(columns=FEATURES[0])
    other = import_profiles(written(tmp_path, fewer, "fewer.csv"), tmp_path / "other")
    assert other.card.encoder_hash != screen.card.encoder_hash


def test_a_plate_is_added_to_a_screen_of_the_same_features(screen: Screen, tmp_path: Path) -> None:
    grown = import_profiles(written(tmp_path, made_table("P3"), "P3.csv"), tmp_path / "screen")
    assert list(grown.plates) == ["P1", "P2", "P3"]
    assert np.isfinite(grown.embeddings).all()
    assert set(import_report(grown)["plates"]) == {"P1", "P2", "P3"}
    with pytest.raises(ScreenError, match=r"plate P3 is in .* already"):
        import_profiles(tmp_path / "P3.csv", tmp_path / "screen")
    fewer = written(tmp_path, made_table("P4").drop(columns=FEATURES[0]), "P4.csv")
    with pytest.raises(ScreenError, match="cannot go on"):
        import_profiles(fewer, tmp_path / "screen")


def test_parquet_and_several_plates_in_one_table(tmp_path: Path) -> None:
    both = pd.concat([made_table("P1"), made_table("P2")])
    screen = import_profiles(written(tmp_path, both, "both.parquet"), tmp_path / "screen")
    assert list(screen.plates) == ["P1", "P2"]


def test_a_table_without_a_plate_column_is_named_by_its_file(tmp_path: Path) -> None:
    table = made_table().drop(columns="Metadata_Plate")
    screen = import_profiles(written(tmp_path, table, "SQ0001.csv.gz"), tmp_path / "screen")
    assert list(screen.plates) == ["SQ0001"]


def test_several_rows_of_a_well_are_its_sites(tmp_path: Path) -> None:
    table = pd.concat([made_table(seed=0), made_table(seed=1)])
    screen = import_profiles(written(tmp_path, table), tmp_path / "screen")
    assert (screen.wells["Metadata_sites"] == 2).all()
    assert "P1/A01/2" in screen.fields.index


def test_gaps_are_filled_and_said_and_empty_wells_are_failures(tmp_path: Path) -> None:
    table = made_table(controls=20)
    table.loc[3, FEATURES[0]] = np.nan
    table.loc[len(table) - 1, list(FEATURES)] = np.inf
    screen = import_profiles(written(tmp_path, table), tmp_path / "screen")
    said = import_report(screen)["plates"]["P1"]
    assert said["with gaps filled"] == [FEATURES[0]]
    assert said["empty wells"] == 1
    assert len(screen.failures) == 1
    assert "no feature of this row is a number" in screen.failures["Metadata_Failure"].iloc[0]
    place = StainGroups.of(FEATURES).of_stain["ER"].index(FEATURES[0])  # type: ignore[index]
    site = f"P1/{table['Metadata_Well'][3]}/1"
    assert screen.features([site])[0, STAINS.index("ER"), place] == 0  # type: ignore[arg-type]


def test_constant_features_become_zero_and_are_said(tmp_path: Path) -> None:
    table = made_table()
    table[FEATURES[0]] = 0.1 + 0.2
    screen = import_profiles(written(tmp_path, table), tmp_path / "screen")
    assert import_report(screen)["plates"]["P1"]["constant"] == [FEATURES[0]]
    column = StainGroups.of(FEATURES).names.index(FEATURES[0])
    assert not screen.embeddings[:, column].any()


def test_huge_values_stay_within_half_precision(tmp_path: Path) -> None:
    table = made_table()
    table.loc[8, FEATURES[0]] = 1e30
    screen = import_profiles(written(tmp_path, table), tmp_path / "screen")
    assert np.abs(screen.embeddings).max() == CLIP


# ------------------------------------------------------------------ what is refused


def test_gaps_in_most_features_are_refused_with_names(tmp_path: Path) -> None:
    table = made_table()
    table.loc[:4, list(FEATURES[:8])] = np.nan
    with pytest.raises(ScreenError, match=rf"missing or infinite in more than 5% .*{FEATURES[0]}"):
        import_profiles(written(tmp_path, table), tmp_path / "screen")
    assert not (tmp_path / "screen").exists()


def test_a_plate_without_controls_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, made_table(controls=2))
    with pytest.raises(ScreenError, match="plate P1 has 2 negative controls"):
        import_profiles(path, tmp_path / "screen")
    screen = import_profiles(path, tmp_path / "screen", standardise_on="all")
    assert np.isfinite(screen.embeddings).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="Metadata_Well"), "does not say the wells"),
        (lambda t: t.drop(columns=list(FEATURES)), "no CellProfiler features"),
        (lambda t: t[[c for c in t if not any(s in c for s in STAINS)]], "no feature names a stain"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(Metadata_Well="somewhere"), "not a well position"),
        (lambda t: t.assign(Metadata_Plate="a/b"), "without a slash"),
        (lambda t: t.assign(**{FEATURES[0]: "many"}), "something other than numbers"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, change: object, said: str) -> None:
    path = written(tmp_path, change(made_table()))  # type: ignore[operator]
    with pytest.raises(ScreenError, match=said):
        import_profiles(path, tmp_path / "screen")


def test_tables_of_other_features_are_refused_or_shared(tmp_path: Path) -> None:
    files = [
        written(tmp_path, made_table("P1"), "P1.csv"),
        written(tmp_path, made_table("P2").drop(columns=FEATURES[1]), "P2.csv"),
    ]
    with pytest.raises(ScreenError, match=rf"P2.csv lacks 1 \({FEATURES[1]}"):
        import_profiles(files, tmp_path / "screen")
    screen = import_profiles(files, tmp_path / "screen", shared=True)
    assert FEATURES[1] not in (tmp_path / "screen" / "features.json").read_text()
    assert len(screen.plates) == 2


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ScreenError, match="no table of profiles"):
        import_profiles(tmp_path / "a.parquet", tmp_path / "screen")
    with pytest.raises(ScreenError, match="cannot be read"):
        import_profiles(tmp_path / "absent.csv", tmp_path / "screen")
    with pytest.raises(ScreenError, match="nothing to import"):
        import_profiles([], tmp_path / "screen")


def test_annotations_that_share_no_identifier(tmp_path: Path) -> None:
    (tmp_path / "notes.tsv").write_text("cas\tmoa_list\n1-1-1\tx\n")
    with pytest.raises(ScreenError, match="share none of the columns broad_sample"):
        import_profiles(
            written(tmp_path, made_table()), tmp_path / "screen", annotations=tmp_path / "notes.tsv"
        )


@pytest.mark.parametrize(
    ("own", "known", "column"),
    [
        ("AAAAAAAAAAAAAA", "AAAAAAAAAAAAAA-UHFFFAOYSA-N", ("InChIKey14", "InChIKey")),
        ("AAAAAAAAAAAAAA-BBBBBBBBBB-M", "AAAAAAAAAAAAAA", ("InChIKey", "InChIKey14")),
        ("BRD-K12345678-001-01-9", "BRD-K12345678", ("broad_sample", "broad_id")),
        ("BRD-K12345678", "BRD-K12345678-003-02-7", ("broad_id", "broad_id")),
    ],
)
def test_identifiers_that_begin_others_are_joined_on(
    tmp_path: Path, own: str, known: str, column: tuple[str, str]
) -> None:
    """Plates of LINCS name the skeleton or the compound, the hub's table salts and batches."""
    (tmp_path / "hub.tsv").write_text(f"{column[1]}\tmoa\n{known}\ttubulin inhibitor\nZ\tother\n")
    joined = annotated(pd.DataFrame({f"Metadata_{column[0]}": [own, "", "else"]}), tmp_path / "hub.tsv")
    assert joined["Metadata_moa"].tolist() == ["tubulin inhibitor", "", ""]


def test_standardise_moves_with_offset_and_unit() -> None:
    """Robust z is the same whatever unit and zero a feature is measured in."""
    values = np.random.default_rng(0).normal(size=(20, 3))
    controls = np.arange(20) < 8
    plain = standardise(values, controls, ["a", "b", "c"], "P").values
    moved = standardise(values * [2.0, 1e3, 1e-3] + [5.0, -7e3, 0.1], controls, ["a", "b", "c"], "P").values
    np.testing.assert_allclose(moved, plain, rtol=1e-4, atol=1e-5)


def test_a_feature_may_lack_in_a_twentieth_of_the_wells_and_in_no_more() -> None:
    values = np.random.default_rng(0).normal(size=(40, 2))
    values[:2, 0] = np.nan
    assert standardise(values, np.ones(40, bool), ["a", "b"], "P").filled == ("a",)
    values[2, 0] = np.inf
    with pytest.raises(ScreenError, match=r"1 features of plate P are missing .* \(a\)"):
        standardise(values, np.ones(40, bool), ["a", "b"], "P")


def test_rounding_of_a_constant_is_no_spread() -> None:
    values = np.array([[0.3, 1.0], [0.3, 2.0], [0.1 + 0.2, 3.0], [0.1 + 0.2, 4.0]])
    assert values[:, 0].std() > 0
    found = standardise(values, np.ones(4, bool), ["a", "b"], "P")
    assert found.constant == ("a",)
    assert not found.values[:, 0].any()
    assert found.values[:, 1].all()


def test_three_controls_are_needed_to_standardise_a_plate() -> None:
    values, names = np.random.default_rng(0).normal(size=(6, 3)), ["a", "b", "c"]
    with pytest.raises(ScreenError, match="plate P has 2 negative controls with numbers, 3 are needed"):
        standardise(values, np.arange(6) < 2, names, "P")
    assert np.isfinite(standardise(values, np.arange(6) < 3, names, "P").values).all()
