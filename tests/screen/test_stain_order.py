"""The published card wants Mito, ER, RNA, AGP, DNA: however a plate stores its channels, they arrive so."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import tifffile
import torch

from napari_cellclip.model import CellCLIP, CellCLIPConfig, Model, Tiling, WordPieceTokenizer
from napari_cellclip.model.registry import published_card
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from napari_cellclip.vocabulary import STAINS, Stain

PUBLISHED = [Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA]
SHARE = {stain: (i + 1) / 8 for i, stain in enumerate(STAINS)}
"""Share of bright pixels by which a stain is known again after scaling."""

ORDERS = list(permutations(STAINS))
NAMES = {
    Stain.DNA: "HOECHST 33342",
    Stain.ER: "Alexa 488",
    Stain.RNA: "488 long",
    Stain.AGP: "Alexa 568",
    Stain.MITO: "MitoTracker Deep Red",
}


class ShareOfBright(torch.nn.Module):
    """A channel encoder that only says which share of a crop is bright."""

    dim = 8

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images > 0.5).float().mean(dim=(1, 2, 3))[:, None].repeat(1, 8)


@pytest.fixture(scope="module")
def published_at_toy_size() -> Model:
    words = WordPieceTokenizer.build(["U2OS cells"], size=250, max_length=16)
    real = published_card()
    card = real.model_copy(
        update={
            "encoder": real.encoder.model_copy(update={"kind": "small", "dim": 8}),
            "tiling": Tiling(mode="grid", size=64),
            "embed_dim": 8,
        }
    )
    torch.manual_seed(0)
    sizes = {"width": 8, "embed_dim": 8, "layers": 1, "pool_hidden": 8, "text_vocabulary": len(words)}
    text = {"text_width": 8, "text_layers": 1, "text_heads": 2, "text_intermediate": 8, "text_positions": 16}
    return Model(card, CellCLIP(CellCLIPConfig(**sizes, **text)), words, ShareOfBright(), device="cpu")


def picture(stain: Stain) -> np.ndarray:
    image = np.zeros((64, 64), np.uint16)
    image[: round(64 * SHARE[stain])] = 4000
    return image


def stored_features(plate, model, out) -> np.ndarray:
    screen = encode(plate, None, model, out, previews=False, workers=0)
    return screen.features(list(screen.fields.index))


def test_the_published_order():
    assert list(published_card().stain_order) == PUBLISHED


@pytest.mark.parametrize("order", ORDERS[7::29], ids=lambda order: "-".join(order))
def test_multi_channel_files_in_any_order(tmp_path, published_at_toy_size, order):
    (tmp_path / "plate").mkdir()
    tifffile.imwrite(
        tmp_path / "plate" / "B03_s1.ome.tif",
        np.stack([picture(stain) for stain in order]),
        metadata={"axes": "CYX", "Channel": {"Name": [NAMES[stain] for stain in order]}},
    )
    found = stored_features(open_plate(tmp_path / "plate"), published_at_toy_size, tmp_path / "screen")
    np.testing.assert_allclose(found[0, :, 0], [SHARE[stain] for stain in PUBLISHED])


@pytest.mark.parametrize("order", ORDERS[3::31], ids=lambda order: "-".join(order))
def test_tables_with_columns_in_any_order(tmp_path, published_at_toy_size, order):
    folder = tmp_path / "plate"
    folder.mkdir()
    columns = {"Metadata_Plate": "P1", "Metadata_Well": "C05", "Metadata_Site": "1"}
    for i, stain in enumerate(order):  # the file names tell nothing
        tifffile.imwrite(folder / f"image{i}.tiff", picture(stain))
        columns[f"FileName_Orig{stain}"] = f"image{i}.tiff"
        columns[f"PathName_Orig{stain}"] = "/somewhere/else"
    (folder / "load_data.csv").write_text(",".join(columns) + "\n" + ",".join(columns.values()) + "\n")
    found = stored_features(open_plate(folder), published_at_toy_size, tmp_path / "screen")
    np.testing.assert_allclose(found[0, :, 0], [SHARE[stain] for stain in PUBLISHED])


@pytest.mark.parametrize("order", ORDERS[11::37], ids=lambda order: "-".join(order))
def test_the_users_word_on_nameless_channels(tmp_path, published_at_toy_size, order):
    (tmp_path / "plate").mkdir()
    for i, stain in enumerate(order):
        tifffile.imwrite(tmp_path / "plate" / f"D07_s1_w{i + 1}.tiff", picture(stain))
    told = {stain: f"w{i + 1}" for i, stain in enumerate(order)}
    plate = open_plate(tmp_path / "plate", channels=told)
    found = stored_features(plate, published_at_toy_size, tmp_path / "screen")
    np.testing.assert_allclose(found[0, :, 0], [SHARE[stain] for stain in PUBLISHED])
