"""Fused convolutions give the features of the encoder whose weights they have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_cellclip.model import Model, SmallEncoder
from napari_cellclip.model.encoders.fused_convolutions import FusedSmallEncoder, fused
from napari_cellclip.model.encoders.precision import reduced
from tests.tiny import tiny_card, tiny_network, tiny_tokenizer

pytestmark = pytest.mark.skipif(
    not isinstance(fused(SmallEncoder(4, (4,), (1,)).eval()), FusedSmallEncoder),
    reason="this torch has no oneDNN, and the encoder stays as it is",
)


def trained(seed: int = 0, **shape) -> SmallEncoder:
    """An encoder whose normalisations do something, as after training."""
    torch.manual_seed(seed)
    encoder = SmallEncoder(**shape).eval()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.2, 3)
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    return encoder


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    depth=st.integers(0, 2),
    stem=st.sampled_from((2, 4)),
    crops=st.integers(1, 6),
    height=st.integers(8, 61),
    width=st.integers(8, 61),
    seed=st.integers(0, 99),
)
def test_features_are_equal_to_a_hundred_thousandth(widths, depth, stem, crops, height, width, seed) -> None:
    encoder = trained(seed, dim=8, widths=widths, depths=[depth] * len(widths), stem=stem)
    images = torch.rand(crops, 1, height, width)
    with torch.inference_mode():
        expected = encoder(images)
        np.testing.assert_allclose(fused(encoder)(images), expected, rtol=0, atol=1e-5 * expected.abs().max())


def test_the_size_of_the_bundled_encoder_in_both_formats() -> None:
    encoder = trained()
    half = reduced(encoder)
    assert isinstance(half.encoder, FusedSmallEncoder)
    images = torch.rand(5, 1, 224, 224)
    with torch.inference_mode():
        expected = encoder(images)
        np.testing.assert_allclose(fused(encoder)(images), expected, rtol=0, atol=1e-5 * expected.abs().max())
        assert nn.functional.cosine_similarity(half(images), expected).min() > 0.999


def test_a_model_encodes_by_them_and_keeps_its_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    words, encoder = tiny_tokenizer(), trained(3, dim=16, widths=(4, 8), depths=(1, 1))
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    model = Model(tiny_card(), tiny_network(words), words, encoder, device="cpu")
    crops = np.random.default_rng(0).random((3, 5, 32, 32), np.float32)
    calls = []
    monkeypatch.setattr(SmallEncoder, "forward", lambda *_: calls.append(1))
    found = model.pixels.scaled_crops(crops)
    monkeypatch.undo()
    assert not calls
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(crops).flatten(0, 1)[:, None]).reshape(3, 5, 16)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.encoder is encoder
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_other_networks_and_a_torch_without_onednn_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    assert fused(other) is other
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    encoder = trained(dim=4, widths=(4,), depths=(1,))
    assert fused(encoder) is encoder
