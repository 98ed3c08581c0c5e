"""Linear layers by another library give the same features from the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_cellclip.model import Model
from napari_cellclip.model.encoders import onednn_linear
from napari_cellclip.model.encoders.onednn_linear import OneDnnLinear, faster_linear, onednn_gains
from napari_cellclip.model.encoders.precision import reduced
from napari_cellclip.model.encoders.transformers_encoder import IMAGENET, TransformersEncoder
from tests.tiny import tiny_card, tiny_encoder, tiny_network, tiny_tokenizer


@pytest.fixture
def encoder() -> TransformersEncoder:
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=5, num_attention_heads=2, image_size=56, patch_size=14
    )
    return TransformersEncoder(Dinov2Model(config).eval(), *IMAGENET)


@pytest.fixture
def gains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let oneDNN seem faster, and small networks worth it."""
    monkeypatch.setattr(onednn_linear, "onednn_gains", lambda: True)
    monkeypatch.setattr(onednn_linear, "MIN_WEIGHTS", 1)


@pytest.mark.usefixtures("gains")
def test_features_are_the_same_and_so_are_the_weights(encoder: TransformersEncoder) -> None:
    fast = faster_linear(encoder)
    assert any(type(module) is OneDnnLinear for module in fast.modules())
    assert not any(type(module) is OneDnnLinear for module in encoder.modules())
    images = torch.rand(3, 1, 42, 56)
    with torch.inference_mode():
        np.testing.assert_allclose(fast(images), encoder(images), rtol=1e-5, atol=1e-5)
    places = [{tensor.data_ptr() for tensor in net.parameters()} for net in (fast, encoder)]
    assert places[0] == places[1]


@pytest.mark.usefixtures("gains")
def test_layers_without_a_bias_and_of_another_kind(encoder: TransformersEncoder) -> None:
    class Own(nn.Linear):
        """Computes something else."""

    network = nn.Sequential(nn.Linear(7, 5, bias=False), Own(5, 3))
    fast = faster_linear(network)
    assert isinstance(fast, nn.Sequential)
    assert [type(layer) for layer in fast] == [OneDnnLinear, Own]
    x = torch.rand(2, 4, 7)
    with torch.inference_mode():
        np.testing.assert_allclose(fast(x), network(x), rtol=1e-5, atol=1e-6)


def test_nothing_is_copied_where_nothing_is_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn_linear, "onednn_gains", lambda: False)
    large = nn.Sequential(nn.Linear(1000, 1001))
    assert faster_linear(large) is large
    monkeypatch.setattr(onednn_linear, "onednn_gains", lambda: pytest.fail("measured for nothing"))
    small = nn.Sequential(nn.Linear(2, 2))
    assert faster_linear(small) is small
    monkeypatch.setattr(onednn_linear, "MIN_WEIGHTS", 1)
    few = nn.Sequential(nn.Conv2d(1, 9, 3), nn.Flatten(), nn.Linear(9, 2))
    assert faster_linear(few) is few
    double = nn.Sequential(nn.Linear(2, 2).double())
    assert faster_linear(double) is double


@pytest.mark.usefixtures("gains")
def test_wells_are_embedded_as_by_the_network_itself() -> None:
    words = tiny_tokenizer()
    model = Model(tiny_card(), tiny_network(words, layers=8), words, tiny_encoder(), device="cpu")
    bags = [np.random.default_rng(n).normal(size=(3, 5, 16)).astype(np.float32) for n in range(150)]
    found = model.embed_wells(bags)
    assert any(type(module) is OneDnnLinear for module in model._network().modules())
    with torch.inference_mode():
        expected = model.cellclip.embed_bags(torch.from_numpy(np.stack(bags)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():  # weights are shared: training goes on with those that are used
        for weight in model.cellclip.parameters():
            weight.mul_(1.5)
    assert np.abs(model.embed_wells(bags) - found).max() > 1e-3


@pytest.mark.parametrize(("times", "expected"), [((2.0, 1.0), True), ((1.1, 1.0), False)])
def test_the_gain_is_measured(monkeypatch: pytest.MonkeyPatch, times, expected) -> None:
    told = iter(times)

    def seconds(work) -> float:
        work()
        return next(told)

    monkeypatch.setattr(onednn_linear, "seconds", seconds)
    assert onednn_gains.__wrapped__() is expected


def test_a_torch_without_onednn_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(onednn_linear, "seconds", lambda work: pytest.fail("measured"))
    assert onednn_gains.__wrapped__() is False


def test_bfloat16_attends_by_plain_products_on_a_processor(encoder: TransformersEncoder) -> None:
    if not hasattr(encoder.network, "set_attn_implementation"):
        pytest.skip("older releases of transformers let nobody choose how a loaded network attends")
    half = reduced(encoder)
    assert half.encoder.network.config._attn_implementation == "eager"
    assert encoder.network.config._attn_implementation != "eager"
    images = torch.rand(4, 1, 56, 56)
    with torch.inference_mode():
        both = [nn.functional.normalize(net(images)) for net in (half, encoder)]
    assert (both[0] * both[1]).sum(dim=1).min() > 0.999
