"""Channel encoders: DINOv2 and timm from local files, and the small one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from napari_cellclip.model import ChannelEncoder, EncoderCard, SmallEncoder
from napari_cellclip.model.encoders.channel_encoders import encoder_card, load_encoder
from napari_cellclip.model.weights.weight_files import read_weights
from napari_cellclip.vocabulary import ModelError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    """A random DINOv2 in the hub's layout; the width of the small one, fewer layers."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("hub") / "dinov2-small"
    config = Dinov2Config(
        hidden_size=384, num_hidden_layers=2, num_attention_heads=6, image_size=518, patch_size=14
    )
    network = Dinov2Model(config).eval()
    network.save_pretrained(folder)
    return folder, network


def test_dinov2_gives_the_class_token_of_the_normalised_stain(dinov2):
    folder, network = dinov2
    card = encoder_card(folder)
    assert (card.kind, card.dim, card.name) == ("dinov2", 384, "dinov2-small")
    encoder = load_encoder(card, folder)
    assert isinstance(encoder, ChannelEncoder)
    assert not any(p.requires_grad for p in encoder.parameters())
    images = torch.rand(2, 1, 56, 56)
    colour = torch.cat([(images - m) / s for m, s in zip(MEAN, STD, strict=True)], dim=1)
    with torch.no_grad():
        expected = network(pixel_values=colour)
        found = encoder(images)
    torch.testing.assert_close(found, expected.pooler_output, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [28, 224])
def test_dinov2_takes_crops_of_other_sizes(dinov2, size):
    encoder = load_encoder(encoder_card(dinov2[0]), dinov2[0])
    with torch.no_grad():
        assert encoder(torch.zeros(1, 1, size, size)).shape == (1, 384)


def test_dinov2_that_is_not_one_is_refused(tmp_path, dinov2):
    with pytest.raises(ModelError, match="holds no channel encoder"):
        encoder_card(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    with pytest.raises(ModelError, match="kind 'bert'; channel encoders are CLIP, DINOv2, SigLIP, ViT"):
        encoder_card(tmp_path)
    (tmp_path / "config.json").write_text((dinov2[0] / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(encoder_card(tmp_path), tmp_path)
    with pytest.raises(ModelError, match="gives 384 numbers a stain, the model wants 768"):
        load_encoder(encoder_card(dinov2[0]).model_copy(update={"dim": 768}), dinov2[0])


@pytest.mark.parametrize(("name", "size"), [("resnet10t", 64), ("vit_tiny_patch16_224", 48)])
def test_timm_from_a_local_file(tmp_path, name, size):
    import timm

    torch.manual_seed(0)
    # With a classifier of its own, as published files have it.
    settings = {"img_size": size} if name.startswith("vit") else {}
    whole = timm.create_model(name, pretrained=False, num_classes=7, **settings).eval()
    torch.save(whole.state_dict(), tmp_path / "timm.pth")
    card = EncoderCard(kind="timm", name=name, dim=whole.num_features)
    encoder = load_encoder(card, tmp_path / "timm.pth", size=size)
    images = torch.rand(2, 1, size, size)
    colour = torch.cat([(images - m) / s for m, s in zip(MEAN, STD, strict=True)], dim=1)
    with torch.no_grad():
        expected = whole.forward_head(whole.forward_features(colour), pre_logits=True)
        torch.testing.assert_close(encoder(images), expected, atol=1e-5, rtol=1e-4)


def test_timm_refusals(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="no network named 'resnet10000'"):
        load_encoder(EncoderCard(kind="timm", name="resnet10000", dim=8), tmp_path / "other.pth")
    with pytest.raises(ModelError, match="does not hold the weights of timm's resnet10t"):
        load_encoder(EncoderCard(kind="timm", name="resnet10t", dim=512), tmp_path / "other.pth")
    with pytest.raises(ModelError, match="no weights in"):
        load_encoder(EncoderCard(kind="timm", name="resnet10t", dim=512), tmp_path / "none")


class Bomb:
    def __reduce__(self):
        return (print, ("boom",))


def test_files_that_would_run_code_are_refused(tmp_path, capsys):
    (tmp_path / "bomb.pth").write_bytes(pickle.dumps({"weight": Bomb()}))
    torch.save({"weight": Bomb()}, tmp_path / "zip.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "list.pth").write_bytes(b"")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    for name in ("bomb.pth", "zip.pth", "empty.pth", "list.pth", "absent.safetensors"):
        with pytest.raises(ModelError, match=name):
            read_weights(tmp_path / name)
    assert "boom" not in capsys.readouterr().out


def test_small_encoder_size_and_shapes():
    encoder = SmallEncoder().eval()
    assert 0.5e6 < sum(p.numel() for p in encoder.parameters()) < 1.5e6
    for side in (4, 33, 160):
        out = encoder(torch.rand(3, 1, side, side))
        assert out.shape == (3, 128)
        assert torch.isfinite(out).all()
    with pytest.raises(ValueError, match="one depth for each width"):
        SmallEncoder(8, (4, 8), (1,))


def test_a_finer_stem_sees_where_a_dot_lies():
    """Four pixels are one step of the usual stem; one of two tells which half of them holds the dot."""
    torch.manual_seed(0)
    for stem, side in ((4, 8), (2, 16)):
        encoder = SmallEncoder(8, (4, 8), (1, 1), stem=stem).eval()
        maps = encoder.stem(torch.rand(2, 1, 32, 32))
        assert maps.shape == (2, 4, side, side)
        assert encoder(torch.rand(2, 1, 5, 7)).shape == (2, 8)


def test_small_encoder_sees_brightness(make_encoder):
    encoder = make_encoder()
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.4
    with torch.no_grad():
        dim, bright = encoder(image), encoder(2 * image)
    assert (bright - dim).norm() > 0.1 * dim.norm()


def test_small_encoder_takes_every_image_by_itself(make_encoder):
    encoder = make_encoder()
    images = torch.rand(4, 1, 40, 40)
    before = images.clone()
    with torch.no_grad():
        together, alone = encoder(images), torch.cat([encoder(image[None]) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert torch.equal(images, before)


def test_small_encoder_learns_in_two_minutes_of_a_snail():
    """Gradients reach every layer: a few steps tell stripes from dots."""
    torch.manual_seed(0)
    encoder = SmallEncoder(2, (4, 8), (1, 1))
    side = np.arange(32)
    stripes = torch.tensor((side[:, None] + 0 * side) // 4 % 2, dtype=torch.float32)
    dots = stripes * stripes.T
    images = torch.stack([stripes, dots] * 4)[:, None] + 0.1 * torch.randn(8, 1, 32, 32)
    targets = torch.tensor([0, 1] * 4)
    optimiser = torch.optim.Adam(encoder.parameters(), 0.01)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(encoder(images), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert all(p.grad is not None for p in encoder.parameters())
