"""A channel encoder out of an installed package: the network it was published as, offline."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellclip.model import ModelCard, known_cards, load_model
from napari_cellclip.model import packaged as packages
from napari_cellclip.model.encoders.intensity import IntensityStats
from napari_cellclip.model.packaged import PACKAGED, packaged_card
from napari_cellclip.model.registry import known_models
from napari_cellclip.model.weights import model_folders
from napari_cellclip.model.weights.packaged_encoders import read_packaged
from napari_cellclip.vocabulary import ModelError

NAME = "efficientnet-lite0"

needs_package = pytest.mark.skipif(PACKAGED[NAME].path is None, reason="the extra 'pixels' is not installed")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    return tmp_path


@needs_package
def test_features_equal_those_of_the_published_implementation() -> None:
    """Golden numbers of efficientnet-lite-pytorch 0.1.0 (extract_features, mean over places) for this picture."""
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    picture = (0.5 + 0.5 * torch.sin(x * 0.11) * torch.cos(y * 0.07 + x * y * 1e-4))[None, None]
    with torch.no_grad():
        found = read_packaged(PACKAGED[NAME], packaged_card(NAME)).eval()(picture)[0]
    assert found.shape == (1280,)
    some = found[[0, 7, 100, 333, 640, 901, 1111, 1279]].numpy()
    np.testing.assert_allclose(some, [0.32803, 0.17758, 1.02044, 0.0, 0.0, 0.0, 0.06277, 0.0], atol=1e-5)
    assert float(found.norm()) == pytest.approx(14.47723, abs=2e-5)
    assert float(found.sum()) == pytest.approx(122.3269, abs=1e-3)


@needs_package
def test_the_padding_of_tensorflow_matters() -> None:
    """timm's network of the same shapes without it gives other features: nothing but the padding differs."""
    card = packaged_card(NAME)
    plain = card.model_copy(
        update={"encoder": card.encoder.model_copy(update={"name": "efficientnet_lite0"})}
    )
    picture = torch.rand(1, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = read_packaged(PACKAGED[NAME], card).eval()(picture)
        other = read_packaged(PACKAGED[NAME], plain).eval()(picture)
    assert float((ours - other).abs().max()) > 0.1


@needs_package
def test_it_is_loaded_by_name_and_written_once(cache: Path) -> None:
    assert known_cards()[NAME].title.startswith(NAME)
    assert not (cache / "models").exists()
    model = load_model(NAME, device="cpu")
    written = (cache / "models" / NAME / "card.json").stat().st_mtime_ns
    again = load_model(NAME, device="cpu")
    assert again.card == model.card == known_cards()[NAME]
    assert (cache / "models" / NAME / "card.json").stat().st_mtime_ns == written
    field = np.random.default_rng(0).integers(100, 4000, (5, 230, 230)).astype(np.uint16)
    features = model.fields_features([field], IntensityStats.measure([field]))[0]
    assert features.shape == (5, 1280)
    assert np.isfinite(model.embed_wells([features[None]])).all()


def test_without_the_package_the_message_says_how_to_get_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(PACKAGED[NAME], package="no_such_package")
    monkeypatch.setitem(packages.PACKAGED, NAME, absent)
    assert NAME not in known_cards()
    with pytest.raises(ModelError, match=r"napari-cellclip\[pixels\]"):
        load_model(NAME)


@needs_package
def test_another_file_is_refused() -> None:
    with pytest.raises(ModelError, match="not the file that efficientnet-lite0 was checked with"):
        read_packaged(replace(PACKAGED[NAME], sha256="0" * 64), packaged_card(NAME))


@needs_package
def test_programs_that_use_it_first_at_once_keep_one_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sixteen tasks of a cluster do: nobody writes over files that another one reads."""
    folder = cache / "models" / NAME
    made, inodes = model_folders.packaged_parts, []

    def while_another_one_writes(card: ModelCard) -> tuple:
        parts = made(card)
        if not inodes:
            inodes.append(0)
            load_model(NAME, device="cpu")
            inodes.append((folder / "encoder.safetensors").stat().st_ino)
        return parts

    monkeypatch.setattr(model_folders, "packaged_parts", while_another_one_writes)
    load_model(NAME, device="cpu")
    assert (folder / "encoder.safetensors").stat().st_ino == inodes[1]
    assert [path.name for path in (cache / "models").iterdir()] == [NAME]


@needs_package
def test_what_a_stopped_program_left_of_it_is_written_anew(cache: Path) -> None:
    folder = cache / "models" / NAME
    folder.mkdir(parents=True)
    (folder / "encoder.safetensors").write_bytes(b"half")
    assert load_model(NAME, device="cpu").encoder is not None
    (cache / "models" / ".other.partial").mkdir()
    shutil.copy(folder / "card.json", cache / "models" / ".other.partial")
    assert known_models()[NAME][1] == folder  # and not the hidden one, which is not whole yet
