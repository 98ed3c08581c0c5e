"""Screens as they are opened, looked at and handed over."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.plates import PlateMap
from napari_cellclip.screen import Screen, encode
from napari_cellclip.screen.storage.labels import label_table, merged, perturbation
from napari_cellclip.screen.storage.previews import composite, shrink
from napari_cellclip.vocabulary import STAINS, Control, Kind, Perturbation, ScreenError, Stain

PLATEMAP = PlateMap.from_perturbations(
    {
        "A01": Perturbation(
            Kind.COMPOUND, "nocodazole", "CC", ("TUBB", "TUBA1A"), "tubulin inhibitor", 1.5, "A549"
        ),
        "A02": Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE),
    }
)


@pytest.fixture
def screen(tmp_path, make_plate, make_model) -> Screen:
    plate = make_plate(broken=["P1/A01/1", "P1/B01/1", "P1/B01/2", "P1/B01/3"])
    return encode(plate, PLATEMAP, make_model(), tmp_path / "my screen", shard_sites=2)


def test_screen_opens_without_torch_and_pixels(screen) -> None:
    code = (
        "import sys\n"
        "from napari_cellclip.screen import Screen\n"
        "s = Screen.open(sys.argv[1])\n"
        "print(len(s.wells), s.embeddings.shape[0], s.preview('P1/A01').ndim, len(s.failures), len(s.fields),\n"
        "      s.card.name, s.name, [m for m in ('torch', 'transformers', 'umap', 'napari', 'qtpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(screen.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split(maxsplit=5) == ["3", "3", "3", "4", "5", "fake my screen []\n"]


def test_folders_that_are_no_screen_are_refused(tmp_path, screen) -> None:
    with pytest.raises(ScreenError, match="is no screen"):
        Screen.open(tmp_path / "nothing")
    record = json.loads((screen.path / "screen.json").read_text())
    (screen.path / "screen.json").write_text(json.dumps(record | {"format": 99, "version": "7.0"}))
    with pytest.raises(ScreenError, match=r"newer napari-cellclip \(7.0, format 99"):
        Screen.open(screen.path)
    for damaged in ("{", "[]", json.dumps(record | {"plates": 3}), json.dumps(record | {"card_hash": "x"})):
        (screen.path / "screen.json").write_text(damaged)
        with pytest.raises(ScreenError, match="damaged"):
            Screen.open(screen.path)


def test_preview_is_the_first_readable_site_in_the_plates_contrast(screen, make_plate) -> None:
    contrast = screen.contrast("P1")
    pixels = make_plate().pixels("P1/A01/2")
    low, high = (np.array([contrast[s][i] for s in STAINS])[:, None, None] for i in (0, 1))
    wanted = np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(screen.preview_stains("P1/A01"), wanted)
    np.testing.assert_array_equal(screen.preview("P1/A01"), composite(wanted))
    with pytest.raises(ScreenError, match=r"no preview of well P1/B01: .*cut off"):
        screen.preview("P1/B01")
    with pytest.raises(ScreenError, match="no well 'P1/H12'"):
        screen.preview("P1/H12")


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_shrinking_keeps_means_and_bounds(height, width, longest) -> None:
    contrast = dict.fromkeys(STAINS, (0.0, 255.0))
    small = shrink(np.full((5, height, width), 100, np.uint16), contrast, longest)
    assert max(small.shape[1:]) <= longest
    assert (small == 100).all()


def test_shrinking_averages_blocks_and_clips() -> None:
    pixels = np.zeros((5, 4, 4), np.uint16)
    pixels[0, :2, :2] = [[100, 200], [300, 400]]
    pixels[1], pixels[2] = 5000, 10
    contrast = dict.fromkeys(STAINS, (50.0, 560.0))
    small = shrink(pixels, contrast, 2)
    assert small[0].tolist() == [[100, 0], [0, 0]]
    assert (small[1] == 255).all()
    assert (small[2] == 0).all()


def test_composite_shows_a_lone_stain_in_its_colour_and_never_overflows() -> None:
    image = np.zeros((5, 1, 4), np.uint8)
    dna = STAINS.index(Stain.DNA)
    image[dna, 0, 0], image[dna, 0, 1] = 255, 51
    image[:, 0, 2] = 255
    colour = composite(image)[0].astype(int)
    assert "#" + bytes(colour[0].tolist()).hex() == Stain.DNA.colour
    np.testing.assert_allclose(colour[1], colour[0] / 5, atol=0.5)
    mean = np.mean([[int(s.colour[i : i + 2], 16) for i in (1, 3, 5)] for s in STAINS], axis=0)
    np.testing.assert_allclose(colour[2], mean, atol=0.5)
    assert colour[3].tolist() == [0, 0, 0]


def test_composite_leans_towards_the_brighter_stain() -> None:
    image = np.zeros((5, 1, 1), np.uint8)
    image[STAINS.index(Stain.DNA)], image[STAINS.index(Stain.MITO)] = 200, 100
    red, _, blue = composite(image)[0, 0].tolist()
    weights = np.array([8, 1]) / 9
    assert red == pytest.approx((weights @ [0x4D, 0xFF]) * 200 / 255, abs=0.6)
    assert blue == pytest.approx((weights @ [0xFF, 0xA3]) * 200 / 255, abs=0.6)


def test_run_without_previews_says_so(tmp_path, make_plate, make_model) -> None:
    with pytest.raises(ScreenError, match="no preview"):
        encode(make_plate(), None, make_model(), tmp_path, previews=False).preview("P1/A01")


def test_anndata_holds_embedded_wells(screen) -> None:
    data = screen.to_anndata()
    assert list(data.obs_names) == ["P1/A01", "P1/A02"]
    np.testing.assert_array_equal(data.X, screen.embeddings[:2])
    assert data.obs["Metadata_treatment"].tolist() == ["nocodazole", "DMSO"]
    assert data.uns["cellclip"]["model"] == "fake"
    assert data.uns["cellclip"]["wells_without_embedding"].tolist() == ["P1/B01"]


def test_without_anndata_a_sentence_says_what_to_install(screen, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(ScreenError, match=r"napari-cellclip\[hdf5\]"):
        screen.to_anndata()


def test_anndata_survives_its_file(screen, tmp_path) -> None:
    import anndata

    screen.to_anndata().write_h5ad(tmp_path / "a.h5ad")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(back.X, screen.embeddings[:2])
    assert len(back.uns["cellclip"]["failures"]) == 4


def test_profiles_have_metadata_and_feature_columns(screen, tmp_path) -> None:
    path = screen.to_parquet(tmp_path / "profiles.parquet")
    table = pq.read_table(path).to_pandas()
    features = [c for c in table if not c.startswith("Metadata_")]
    assert features == [f"CellCLIP_{i}" for i in range(4)]
    np.testing.assert_array_equal(table[features].to_numpy(), screen.embeddings[:2])
    assert table["Metadata_Well"].tolist() == ["A01", "A02"]
    assert table["Metadata_Plate"].tolist() == ["P1", "P1"]
    assert table["Metadata_genes"].tolist() == ["TUBB|TUBA1A", ""]


def test_sites_that_are_not_there_are_named(screen) -> None:
    for site in ("P1/A01/9", "other/A01/1"):
        with pytest.raises(ScreenError, match=f"{site}: it is not encoded"):
            screen.features([site])
    assert screen.features([]).shape == (0, 5, 6)


def test_model_with_other_weights_is_refused(screen, make_model, make_card) -> None:
    from napari_cellclip.model import EncoderCard, FileCard

    other_weights = make_card(weights=FileCard(sha256="e" * 64))
    with pytest.raises(ScreenError, match="other weights"):
        screen.require_model(make_model(other_weights))
    screen.require_model(make_model())
    # Asking needs no channel encoder: one from another folder is no reason to refuse.
    other_encoder = EncoderCard(kind="small", name="fake", dim=6, weights=FileCard(sha256="f" * 64))
    screen.require_model(make_model(make_card(encoder=other_encoder)))


def perturbations() -> st.SearchStrategy[Perturbation]:
    text = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="|\0"), max_size=8)
    return st.builds(
        Perturbation,
        kind=st.sampled_from(Kind),
        name=text,
        smiles=text,
        genes=st.lists(text.filter(bool), max_size=3).map(tuple),
        mechanism=text,
        dose=st.none() | st.floats(0, 1e6),
        cell_line=text,
        control=st.none() | st.sampled_from(Control),
    )


@settings(deadline=None)
@given(perturbations(), perturbations())
def test_labels_give_perturbations_back(one, two) -> None:
    table = label_table(["P/A01", "P/C07"], PlateMap.from_perturbations({"A01": one, "C07": two}))
    assert [perturbation(row) for row in table.to_dict("records")] == [one, two]


def test_merged_labels_prefer_the_new_and_keep_other_columns() -> None:
    old = label_table(["P/A01", "Q/A01"], PLATEMAP)
    new = label_table(["P/A01"], None).assign(Metadata_batch="7", Metadata_effect=0.5)
    table = merged(old, new)
    assert table.loc["P/A01", "Metadata_treatment"] == ""
    assert table.loc["Q/A01", "Metadata_treatment"] == "nocodazole"
    assert table["Metadata_batch"].to_dict() == {"Q/A01": "", "P/A01": "7"}
    assert pd.isna(table.loc["Q/A01", "Metadata_effect"])
