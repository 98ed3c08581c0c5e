"""Which stains a feature belongs to, and where it stands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.screen.imports.stain_groups import StainGroups, is_brightfield, is_feature, stains_of
from napari_cellclip.vocabulary import STAINS, ScreenError, Stain


@pytest.mark.parametrize(
    ("name", "stains"),
    [
        ("Cells_Texture_Contrast_ER_3_00_256", "ER"),
        ("Nuclei_Intensity_MeanIntensity_DNA", "DNA"),
        ("Cells_Correlation_K_DNA_ER", "DNA ER"),
        ("Cytoplasm_Correlation_RWC_Mito_RNA", "RNA Mito"),
        ("Nuclei_AreaShape_Zernike_2_0", ""),
        ("Nuclei_Neighbors_AngleBetweenNeighbors_1", ""),
        ("Cells_RadialDistribution_MeanFrac_AGP_1of4", "AGP"),
        ("Cells_Granularity_3_OrigMito", "Mito"),
        ("Cells_Granularity_3_CorrDNA", "DNA"),
        ("Cells_Granularity_3_Brightfield", ""),
        ("Cells_Correlation_K_AGP_LowZBF", "AGP"),
    ],
)
def test_stains_are_read_from_the_name(name: str, stains: str) -> None:
    assert " ".join(stains_of(name)) == stains


def test_compartment_names_no_stain() -> None:
    assert stains_of("Nuclei_AreaShape_Area") == ()


@pytest.mark.parametrize("name", ["Metadata_Well", "Cells_Parent_Nuclei", "Cells_Location_Center_X", "ER"])
def test_what_is_no_measurement_of_cells(name: str) -> None:
    assert not is_feature(name)


@pytest.mark.parametrize("word", ["Brightfield", "LowZBF", "HighZBF", "OrigBrightfield"])
def test_transmitted_light_is_recognised(word: str) -> None:
    assert is_brightfield(f"Cells_Granularity_3_{word}")


NAMES = ["A_x_y_DNA", "Cells_Intensity_a_DNA", "Cells_Correlation_K_DNA_ER", "Cells_AreaShape_Area"]


def test_a_feature_of_two_stains_stands_in_both_and_one_of_none_in_all() -> None:
    groups = StainGroups.of(NAMES[1:])
    assert groups.of_stain[Stain.DNA] == tuple(NAMES[1:])
    assert groups.of_stain[Stain.ER] == ("Cells_Correlation_K_DNA_ER", "Cells_AreaShape_Area")
    for stain in (Stain.RNA, Stain.AGP, Stain.MITO):
        assert groups.of_stain[stain] == ("Cells_AreaShape_Area",)
    assert groups.width == 3
    assert groups.counts == {
        "one stain": 1,
        "several stains": 1,
        "no stain": 1,
        "left out": 0,
        "padding": 1 + 2 + 2 + 2,
    }


def test_fill_puts_every_feature_in_its_places_and_zeros_elsewhere() -> None:
    groups = StainGroups.of(NAMES[1:])
    filled = groups.fill(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(filled[0], [[1, 2, 3], [2, 3, 0], [3, 0, 0], [3, 0, 0], [3, 0, 0]])
    assert not filled[:, ~groups.mask].any()


def test_brightfield_is_left_out_and_named_or_kept_on_request() -> None:
    names = [*NAMES[1:], "Cells_Granularity_3_Brightfield", "Cells_Correlation_K_AGP_LowZBF"]
    groups = StainGroups.of(names)
    assert groups.left_out == tuple(names[-2:])
    assert set(groups.names) == set(NAMES[1:])
    kept = StainGroups.of(names, brightfield=True)
    assert kept.left_out == ()
    assert all("Cells_Granularity_3_Brightfield" in row for row in kept.of_stain.values())
    assert [s for s in STAINS if "Cells_Correlation_K_AGP_LowZBF" in kept.of_stain[s]] == [Stain.AGP]


def test_names_without_any_stain_are_refused() -> None:
    with pytest.raises(ScreenError, match="no feature names a stain"):
        StainGroups.of(["Cells_AreaShape_Area", "Nuclei_AreaShape_Area"])


PARTS = st.sampled_from(["DNA", "ER", "RNA", "AGP", "Mito", "Area", "3", "Correlation"])


@given(st.lists(st.tuples(PARTS, PARTS, PARTS), min_size=1, max_size=12, unique=True))
def test_every_feature_is_used_where_it_belongs(parts: list[tuple[str, str, str]]) -> None:
    names = [f"Cells_Measure_{'_'.join(p)}" for p in parts]
    if not any(stains_of(name) for name in names):
        return
    groups = StainGroups.of(names)
    for name in names:
        rows = [stain for stain in STAINS if name in groups.of_stain[stain]]
        assert rows == list(stains_of(name) or STAINS)
    values = np.arange(1.0, len(names) + 1)[None]
    filled = groups.fill(values)
    assert sorted(set(filled[filled != 0])) == sorted(values[0])
    assert (filled != 0).sum() == groups.mask.sum()


@pytest.mark.real_data
def test_features_of_cpjump1(real_data: object) -> None:
    """Counts that docs/cpjump1.md tells; the table has one column more, of object numbers."""
    folder = real_data / "prof_cpjump1_cellprofiler"  # type: ignore[operator]
    path = next(iter(sorted(folder.glob("BR*.csv.gz"))))
    columns = pd.read_csv(path, nrows=1).columns
    features = [name for name in columns if is_feature(name)]
    assert len([name for name in columns if not name.startswith("Metadata_")]) == 904
    assert len(features) == 903
    both = StainGroups.of(features, brightfield=True).counts
    assert (both["several stains"], both["no stain"]) == (121, 301)
    alone = StainGroups.of(features)
    assert alone.counts == {
        "one stain": 388,
        "several stains": 121,
        "no stain": 92,
        "left out": 302,
        "padding": 95,
    }
    assert alone.width == 237
