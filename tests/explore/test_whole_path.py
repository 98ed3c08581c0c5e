"""From TIFF files to an answer, with a small random model saved on disk: nothing here is faked."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_cellclip.explore import ask, pca_map
from napari_cellclip.model import Tiling, load_model
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.vocabulary import STAINS, Control, Kind, Perturbation
from tests.tiny import write_tiny_model

WELLS = ["A01", "A02", "A03", "B01", "B02", "B03"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    # Four stages: fields of 48 pixels come down to one, as deep towers bring them.
    return write_tiny_model(
        tmp_path_factory.mktemp("models") / "tiny", widths=(4, 4, 8, 8), tiling=Tiling(mode="grid", size=32)
    )


@pytest.fixture(scope="module")
def plate_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "plate7"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, well in enumerate(WELLS):
        for site in (1, 2):
            for stain in STAINS:
                image = rng.integers(200, 900 + 100 * i, (48, 48)).astype(np.uint16)
                tifffile.imwrite(folder / f"{well}_s{site}_{stain}.tiff", image)
    (folder / "B03_s2_RNA.tiff").write_bytes(b"II*\0 cut off")
    return folder


@pytest.fixture(scope="module")
def screen(model_folder, plate_folder, tmp_path_factory):
    controls = {w: Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE) for w in WELLS[1:5]}
    platemap = PlateMap.from_perturbations(
        controls | {"A01": Perturbation(Kind.COMPOUND, "nocodazole", mechanism="tubulin inhibitor")}
    )
    out = tmp_path_factory.mktemp("screens") / "screen"
    return encode(open_plate(plate_folder), platemap, str(model_folder), out, shard_sites=5, device="cpu")


def test_files_become_embeddings(screen, plate_folder, model_folder) -> None:
    assert list(screen.wells["Metadata_Well"]) == WELLS
    assert np.isfinite(screen.embeddings).all()
    assert screen.embeddings.shape == (6, 8)
    assert list(screen.failures["Metadata_Site_id"]) == ["plate7/B03/2"]
    assert "B03_s2_RNA.tiff" in screen.failures["Metadata_Failure"][0]
    assert list(screen.wells["Metadata_sites"]) == [2, 2, 2, 2, 2, 1]
    assert screen.features(["plate7/A01/1"]).shape == (1, 5, 16)
    assert screen.preview("plate7/B03").shape == (48, 48, 3)


def test_a_screen_finds_its_model_again_and_answers(screen) -> None:
    opened = Screen.open(screen.path)
    answer = ask(opened, "tubulin inhibitor", evidence="words")
    assert opened.card.prompts.for_mechanism("tubulin inhibitor") in answer.prompts
    assert sorted(answer.scores.index) == sorted(opened.well_ids)
    assert np.isfinite(answer.scores["score"]).all()
    assert ask(opened, "tubulin inhibitor", evidence="words").scores.equals(answer.scores)
    assert len(pca_map(opened).ids) == 6


def test_cosine_is_that_of_the_model(screen, model_folder) -> None:
    model = load_model(model_folder, device="cpu")
    answer = ask(screen, "anything", prompts=["tubulin inhibitor"], model=model)
    text = model.embed_texts(["tubulin inhibitor"])[0]
    wanted = [e @ text / np.linalg.norm(e) / np.linalg.norm(text) for e in screen.embeddings]
    np.testing.assert_allclose(answer.scores["cosine"].reindex(screen.well_ids), wanted, atol=1e-5)


def test_encoding_without_labels_gives_the_same_scores(screen, plate_folder, model_folder, tmp_path) -> None:
    controls = {w: Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE) for w in WELLS[1:5]}
    blind = PlateMap.from_perturbations(controls)
    other = encode(open_plate(plate_folder), blind, str(model_folder), tmp_path, shard_sites=5, device="cpu")
    # Labels may word a mechanism where that is allowed; they never enter a score.
    without, with_labels = (ask(s, "tubulin inhibitor", use_platemap=False) for s in (other, screen))
    assert without.scores.equals(with_labels.scores)
