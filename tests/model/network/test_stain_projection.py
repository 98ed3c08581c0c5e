"""Heads on padded profiles: padding is no data, whatever its width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    EncoderCard,
    FileCard,
    ModelCard,
    WordPieceTokenizer,
    load_model,
    save_model,
)
from napari_cellclip.model.encoders.channel_encoders import load_encoder
from napari_cellclip.model.encoders.profile_encoder import ProfileEncoder
from napari_cellclip.model.network.stain_projection import StainProjection
from napari_cellclip.vocabulary import ModelError

TEXT = {
    "text_vocabulary": 200,
    "text_width": 16,
    "text_layers": 1,
    "text_heads": 2,
    "text_intermediate": 16,
    "text_positions": 12,
}
PADDING = 4
WIDTHS = (9, 7, 8, 5, 6)
"""Features of each stain before padding."""


def head(features: int, pooling: str = "attention") -> CellCLIP:
    torch.manual_seed(0)
    config = CellCLIPConfig(width=8, features=features, embed_dim=6, layers=1, heads=2, pool_hidden=4, **TEXT)
    return CellCLIP(config, pooling=pooling).eval()  # type: ignore[arg-type]


def wider(network: CellCLIP, by: int) -> CellCLIP:
    """The same head for rows with `by` more padded places, whose weights are arbitrary."""
    other = head(network.config.feature_width + by, network.pooling)
    for (name, mine), (_, given) in zip(network.named_parameters(), other.named_parameters(), strict=True):
        with torch.no_grad():
            if name == "projection.weight":
                given[:, : mine.shape[1]] = mine
            elif mine.shape != given.shape:
                given[:, : mine.shape[1]] = mine  # V and U of the pooling gate
            else:
                given.copy_(mine)
    return other


def bags() -> torch.Tensor:
    rng = np.random.default_rng(1)
    made = np.zeros((3, 2, 5, max(WIDTHS)), np.float32)
    for stain, width in enumerate(WIDTHS):
        made[:, :, stain, :width] = rng.normal(size=(3, 2, width))
    return torch.from_numpy(made)


def padded(rows: torch.Tensor, by: int = PADDING) -> torch.Tensor:
    return F.pad(rows, (0, by))


def test_projection_is_one_matrix_for_each_stain() -> None:
    projection = StainProjection(5, 9, 3)
    rows = bags()[:, 0]
    expected = np.einsum("bcf,cfw->bcw", rows.double().numpy(), projection.weight.detach().double().numpy())
    np.testing.assert_allclose(projection(rows).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["attention", "mean", "median", "none"])
def test_more_padding_changes_no_embedding(pooling: str) -> None:
    network = head(max(WIDTHS), pooling)
    with torch.no_grad():
        before = network.embed_bags(bags())
        after = wider(network, PADDING).embed_bags(padded(bags()))
    torch.testing.assert_close(after, before)


def test_padding_gets_no_gradient_and_changes_none() -> None:
    # Double: the class token begins at zero, and layer normalisation there blows rounding errors up.
    network = head(max(WIDTHS))
    other = wider(network, PADDING).double()
    network.double().embed_bags(bags().double()).square().sum().backward()
    other.embed_bags(padded(bags().double())).square().sum().backward()
    for (name, mine), (_, given) in zip(network.named_parameters(), other.named_parameters(), strict=True):
        if mine.grad is None:
            continue
        assert given.grad is not None, name
        if mine.shape == given.shape:
            torch.testing.assert_close(given.grad, mine.grad, msg=name)
        else:
            torch.testing.assert_close(given.grad[:, : mine.shape[1]], mine.grad, msg=name)
            assert not given.grad[:, mine.shape[1] :].any(), name
    # The shorter rows' own padding too: DNA has 9 features here, AGP (the fourth) 5.
    assert network.projection is not None
    assert network.projection.weight.grad is not None
    for stain, width in enumerate(WIDTHS):
        assert network.projection.weight.grad[stain, :width].any()
        assert not network.projection.weight.grad[stain, width:].any()


def test_without_projection_padding_would_be_seen() -> None:
    """Why the projection is there: layer normalisation over padded rows is another for each width."""
    torch.manual_seed(0)
    plain = CellCLIP(CellCLIPConfig(width=12, embed_dim=6, layers=1, heads=2, pool_hidden=4, **TEXT)).eval()
    more = CellCLIP(CellCLIPConfig(width=16, embed_dim=6, layers=1, heads=2, pool_hidden=4, **TEXT)).eval()
    rows = padded(bags()[:, 0], 3)
    first = plain.visual.channel_ln(rows)  # type: ignore[operator]
    second = more.visual.channel_ln(padded(rows, 4))[..., :12]  # type: ignore[operator]
    assert (first - second).abs().max() > 0.1


def test_state_tells_the_length_of_features_and_loads_strictly() -> None:
    network = head(9)
    again = CellCLIP.from_state_dict(network.state_dict(), heads=2, text_heads=2)
    assert again.config.features == 9
    assert again.config.feature_width == 9
    assert again.config.width == 8
    torch.testing.assert_close(again.embed_bags(bags()), network.embed_bags(bags()))


def test_a_projection_of_another_shape_is_refused() -> None:
    state = dict(head(9).state_dict())
    state["projection.weight"] = state["projection.weight"][0]
    with pytest.raises(ModelError, match=r"projection.weight has the shape \(9, 8\)"):
        CellCLIP.from_state_dict(state)


def card(dim: int) -> ModelCard:
    return ModelCard(
        name="profiles",
        encoder=EncoderCard(
            kind="profile", name="CellProfiler", dim=dim, weights=FileCard(file="features.json")
        ),
        embed_dim=6,
    )


def test_model_folder_keeps_the_features_byte_for_byte(tmp_path: Path) -> None:
    words = WordPieceTokenizer.build(["U2OS cells"], size=200, max_length=12)
    network = CellCLIP(
        CellCLIPConfig(
            width=8,
            features=9,
            embed_dim=6,
            layers=1,
            heads=2,
            pool_hidden=4,
            **{**TEXT, "text_vocabulary": len(words)},
        )
    )
    text = '{"stains": {"DNA": ["Cells_a_DNA"]}}\n'
    encoder = ProfileEncoder(card(9).encoder, text)
    written = save_model(tmp_path / "m", card(9), encoder, network, words)
    assert (tmp_path / "m" / "features.json").read_bytes() == text.encode()
    model = load_model(tmp_path / "m", device="cpu")
    assert model.card.encoder_hash == written.encoder_hash
    assert model.embed_wells([bags()[0].numpy()]).shape == (1, 6)
    with pytest.raises(ModelError, match="no channel encoder to encode images with"):
        model.encoder(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ModelError, match=r"have shape \(2, 5, 7\)"):
        model.embed_wells([bags()[0, :, :, :7].numpy()])


def test_card_of_another_width_is_refused(tmp_path: Path) -> None:
    words = WordPieceTokenizer.build(["U2OS cells"], size=200, max_length=12)
    with pytest.raises(ModelError, match="have 9 numbers a stain"):
        save_model(tmp_path / "m", card(11), ProfileEncoder(card(11).encoder, "{}"), head(9), words)


def test_list_of_features_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_encoder(card(9).encoder, tmp_path / "features.json")
    (tmp_path / "features.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read"):
        load_encoder(card(9).encoder, tmp_path)
