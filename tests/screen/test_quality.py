"""Quality of sites: measured in the run, flagged on the plate, left out on request, never lost."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from napari_cellclip.plates.images.field_quality import FAINT, MEASURES, QUALITY_COLUMNS, column
from napari_cellclip.screen import Screen, check_screen, encode
from napari_cellclip.screen.quality import FEWEST_SITES, FLAGGED, flag_sites
from napari_cellclip.vocabulary import STAINS, ScreenError, site_id
from tests.screen.conftest import FakeModel, MemoryPlate, card

WELLS = tuple(f"A{n:02d}" for n in range(1, 7))
BLURRED, SATURATED, EMPTY = "P1/A02/1", "P1/A03/2", "P1/A04/1"


class CellPlate(MemoryPlate):
    """Fields of round cells; one is out of focus, one saturated in AGP, one shows nothing."""

    def __init__(self, **options):
        super().__init__(wells=WELLS, sites=2, size=(96, 112), **options)

    def pixels(self, site):
        rng = np.random.default_rng(list(site.encode()))
        seeds = np.zeros((5, *self.size))
        for _ in range(18):
            seeds[:, rng.integers(0, 96), rng.integers(0, 112)] = 1
        field = 400 + 90_000 * np.stack([ndimage.gaussian_filter(s, 3.5) for s in seeds])
        if site == BLURRED:
            field = np.stack([ndimage.gaussian_filter(s, 5) for s in field])
        if site == EMPTY:
            field = np.full_like(field, 400.0)
        field = field + rng.normal(0, 12, field.shape)
        if site == SATURATED:
            field[3, :10] = 65535
        return np.clip(field, 0, 65535).astype(np.uint16)


@pytest.fixture
def folder(tmp_path):
    encode(CellPlate(broken={"P1/A06/2"}), None, FakeModel(card()), tmp_path / "s", workers=0, shard_sites=5)
    return tmp_path / "s"


def test_what_stands_out_is_flagged_and_nothing_else(folder):
    quality = Screen.open(folder).quality
    assert set(quality.index) == {site_id("P1", well, n) for well in WELLS for n in (1, 2)}
    flags = quality[FLAGGED]
    assert flags[SATURATED] == "saturated (AGP)"
    assert flags[BLURRED].startswith("out of focus (")
    assert flags[EMPTY] == "empty (DNA, ER, RNA, AGP, Mito)"
    assert set(flags.index[flags != ""]) == {SATURATED, BLURRED, EMPTY}
    assert quality.loc["P1/A06/2", list(QUALITY_COLUMNS)].isna().all(), "it could not be read"
    assert quality.loc[EMPTY, "Quality_cells"] == 0


def test_an_empty_image_is_not_out_of_focus_as_well():
    """Its spectrum is that of noise, and may be as steep as that of a blurred one."""
    table = pd.DataFrame(1.0, index=range(12), columns=list(QUALITY_COLUMNS))
    for stain in STAINS:
        table[column("saturated", stain)] = 0.0
        table[column("structure", stain)] = 100 * FAINT
    table.loc[[3, 7], column("focus", "DNA")] = -5.0
    table.loc[7, column("structure", "DNA")] = FAINT / 2
    flags = flag_sites(table)
    assert flags[flags != ""].to_dict() == {3: "out of focus (DNA)", 7: "empty (DNA)"}


def test_wells_sum_their_sites_up(folder):
    screen = Screen.open(folder)
    wells = screen.well_quality
    assert list(wells.index) == list(screen.well_ids)
    assert wells["Quality_flagged_sites"].to_dict() == {
        f"P1/{w}": int(w in ("A02", "A03", "A04")) for w in WELLS
    }
    assert wells.at["P1/A03", "Quality_flags"] == "saturated"
    of_well = screen.quality.loc[["P1/A05/1", "P1/A05/2"], "Quality_cells"]
    assert wells.at["P1/A05", "Quality_cells"] == of_well.median()


def test_measuring_takes_no_second_look_at_the_pixels(folder, tmp_path):
    plate = CellPlate()
    encode(plate, None, FakeModel(card()), tmp_path / "other", workers=0)
    measured, again = plate.reads.copy(), CellPlate(broken={"P1/A06/2"})
    assert max(measured.count(site.id) for site in plate.sites) == 2, "once for intensities, once to encode"
    encode(again, None, FakeModel(card()), folder, workers=0)
    assert again.reads == []


def test_sites_are_left_out_and_taken_back(folder):
    model, screen = FakeModel(card()), Screen.open(folder)
    left_out = screen.exclude(["out of focus", "saturated"], model)
    assert left_out.excluded == {SATURATED: "saturated (AGP)", BLURRED: screen.quality.at[BLURRED, FLAGGED]}
    assert left_out.complete
    assert left_out.wells["Metadata_sites"].to_dict() == {
        **{f"P1/{w}": 2 for w in WELLS},
        "P1/A02": 1,
        "P1/A03": 1,
        "P1/A06": 1,
    }
    row = left_out.well_ids.index("P1/A03")
    alone = model.embed_wells([screen.features(["P1/A03/1"])])[0]
    np.testing.assert_allclose(left_out.embeddings[row], alone, rtol=1e-5)
    assert model.embedded == 3, "the two wells that change, and the one above"
    back = left_out.exclude({}, model)
    np.testing.assert_array_equal(back.embeddings, screen.embeddings)
    assert back.excluded == {}


def test_a_well_without_a_site_stays_and_says_why(folder):
    reasons = {"P1/A01/1": "a bubble", "P1/A01/2": "a bubble", "P1/A02/1": "dust"}
    screen = Screen.open(folder).exclude(reasons, FakeModel(card()))
    assert screen.complete
    assert len(screen.wells) == len(WELLS)
    assert screen.wells["Metadata_Excluded"].to_dict() == {
        f"P1/{w}": "a bubble" * (w == "A01") for w in WELLS
    }
    assert np.isnan(screen.embeddings[0]).all()
    assert np.isfinite(screen.embeddings[1:]).all()
    again = Screen.open(folder)
    assert again.quality.at["P1/A02/1", "Metadata_Excluded"] == "dust"
    assert again.well_quality.at["P1/A01", "Quality_excluded_sites"] == 2


def test_exclusions_outlive_another_run(folder):
    Screen.open(folder).exclude({"P1/A01/1": "dust"}, FakeModel(card()))
    screen = encode(CellPlate(), None, FakeModel(card()), folder, workers=0, retry_failed=True)
    assert screen.wells["Metadata_sites"].to_dict()["P1/A01"] == 1
    assert not screen.quality.loc["P1/A06/2", list(QUALITY_COLUMNS)].isna().any(), "it can be read now"
    assert not screen.quality.loc["P1/A05/1", list(QUALITY_COLUMNS)].isna().any()


def test_what_does_not_exist_is_not_excluded(folder):
    with pytest.raises(ScreenError, match="site P1/Z09/1 is not one of screen"):
        Screen.open(folder).exclude({"P1/Z09/1": "x"}, FakeModel(card()))
    with pytest.raises(ScreenError, match="'ugly' is nothing a site is flagged as: use out of focus"):
        Screen.open(folder).exclude(["ugly"], FakeModel(card()))


def test_a_damaged_file_is_found_and_made_again(folder):
    (path,) = folder.glob("quality/*/shard-00001.parquet")
    before = Screen.open(folder).quality
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    (finding,) = check_screen(folder)
    assert finding.path == path
    with pytest.raises(ScreenError, match="is damaged"):
        _ = Screen.open(folder).quality
    plate = CellPlate(broken={"P1/A06/2"})
    encode(plate, None, FakeModel(card()), folder, workers=0)
    assert len(plate.reads) == 5, "the sites of one shard"
    assert check_screen(folder) == []
    pd.testing.assert_frame_equal(Screen.open(folder).quality, before)


def test_screens_of_before_are_measured_when_they_go_on(folder):
    before = Screen.open(folder).quality
    shutil.rmtree(folder / "quality")
    unmeasured = Screen.open(folder)
    assert check_screen(folder) == []
    assert unmeasured.quality[list(QUALITY_COLUMNS)].isna().all(axis=None)
    assert (unmeasured.quality[FLAGGED] == "").all()
    encode(CellPlate(broken={"P1/A06/2"}), None, FakeModel(card()), folder, workers=2)
    pd.testing.assert_frame_equal(Screen.open(folder).quality, before)


def test_damaged_exclusions_say_what_to_do(folder):
    Screen.open(folder).exclude({"P1/A01/1": "dust"}, FakeModel(card()))
    (folder / "excluded.parquet").write_bytes(b"PAR1")
    with pytest.raises(ScreenError, match="delete it and exclude sites again"):
        _ = Screen.open(folder).excluded
    assert [f.path.name for f in check_screen(folder)] == ["excluded.parquet"]


def table(number: int, **columns: list[float]) -> pd.DataFrame:
    """Sites alike in everything that is not given."""
    plain = {"focus": -3.0, "saturated": 0.0, "structure": 40.0, "low": 100.0, "median": 200.0, "high": 900.0}
    rows = {column(m, s): np.full(number, plain[m]) for s in STAINS for m in MEASURES}
    return pd.DataFrame(
        rows | {"Quality_cells": 50.0} | columns, index=[f"P/A{n:02d}/1" for n in range(number)]
    )


def test_sites_that_are_all_alike_are_not_flagged():
    assert (flag_sites(table(20)) == "").all()
    noisy = table(20, Quality_focus_DNA=np.random.default_rng(0).normal(-3, 0.02, 20))
    assert (flag_sites(noisy) == "").all(), "five tiny deviations are no blur"


@pytest.mark.parametrize(("number", "flagged"), [(FEWEST_SITES - 1, ""), (FEWEST_SITES, "out of focus (ER)")])
def test_few_sites_are_not_compared(number, flagged):
    flags = flag_sites(table(number, Quality_focus_ER=[-5.0, *[-3.0] * (number - 1)]))
    assert list(flags) == [flagged, *[""] * (number - 1)]


def test_a_bright_background_and_many_reasons():
    low = [100.0] * 11 + [151.0]
    flags = flag_sites(table(12, Quality_low_DNA=low, Quality_saturated_Mito=[0.0] * 11 + [0.02]))
    assert flags.iloc[-1] == "background (DNA), saturated (Mito)"
    assert (flags.iloc[:-1] == "").all()


def test_few_cells_are_no_flag():
    assert (flag_sites(table(12, Quality_cells=[50.0] * 11 + [1.0])) == "").all()


# Sites but the first: half at -3.1 and half at -2.9. With a first one far below, the median is -3.1 and the median
# absolute deviation 0.2, so that the limit is 5 * 1.4826 * 0.2 = 1.4826 below -3.1.
UNEVEN = [*[-3.1] * 6, *[-2.9] * 6]


@pytest.mark.parametrize(
    ("name", "others", "within", "beyond", "flag"),
    [
        ("Quality_focus_ER", UNEVEN, -3.1 - 1.47, -3.1 - 1.49, "out of focus (ER)"),
        ("Quality_focus_ER", [-3.0] * 12, -3.29, -3.31, "out of focus (ER)"),
        ("Quality_saturated_AGP", [0.0] * 12, 0.0099, 0.0101, "saturated (AGP)"),
        ("Quality_structure_Mito", [40.0] * 12, 2.01, 1.99, "empty (Mito)"),
        ("Quality_low_RNA", [100.0] * 12, 149.0, 151.0, "background (RNA)"),
        ("Quality_low_RNA", list(np.exp(UNEVEN)), 1.0, 1.0, ""),  # counts below 1 are no background
    ],
)
def test_limits_of_flags_are_those_of_the_page(name, others, within, beyond, flag):
    """docs/quality.md: 5 robust standard deviations and 0.3; 1 % of the pixels; 2; 1.5 times as bright."""
    for value, expected in ((within, ""), (beyond, flag)):
        flags = flag_sites(table(13, **{name: [value, *others]}))
        assert list(flags) == [expected, *[""] * 12]
