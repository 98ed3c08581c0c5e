"""Towers and poolings the paper's design is compared with, and the attention with its favourites removed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_cellclip.model import CellCLIP, CellCLIPConfig, Model, load_model, save_model
from napari_cellclip.model.card import CARD_FILE
from napari_cellclip.model.network.pooling import GatedAttentionPool
from napari_cellclip.model.network.stain_perceptron import StainPerceptron
from napari_cellclip.vocabulary import ModelError

TOWERS = ("channel_former", "concatenation", "mean")
POOLINGS = ("attention", "mean", "median", "none")


@pytest.fixture
def bags():
    torch.manual_seed(1)
    bags = torch.randn(3, 4, 5, 16)
    bags[1, 2:] = 0  # padding
    bags[2, 1, 3] = 0  # one blank stain in one field
    return bags


def oracle(tower: StainPerceptron, pooled: torch.Tensor) -> np.ndarray:
    """The perceptron tower in plain float64 NumPy."""
    p = {k: v.detach().double().numpy() for k, v in tower.state_dict().items()}

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * p[f"{name}.weight"] + p[f"{name}.bias"]

    x = norm(pooled.double().numpy() + p["channel_embed"], "channel_ln")
    if tower.join == "mean":
        x = sum(x[:, stain] for stain in range(5)) / 5
    else:
        x = (
            np.concatenate([x[:, stain] for stain in range(5)], axis=1) @ p["concatenation.weight"].T
            + p["concatenation.bias"]
        )
    x = norm(x, "ln_pre")
    for i in range(len(tower.perceptrons)):
        u = norm(x, f"perceptrons.{i}.ln") @ p[f"perceptrons.{i}.mlp.c_fc.weight"].T
        u = u + p[f"perceptrons.{i}.mlp.c_fc.bias"]
        x = x + (u / (1 + np.exp(-1.702 * u))) @ p[f"perceptrons.{i}.mlp.c_proj.weight"].T
        x = x + p[f"perceptrons.{i}.mlp.c_proj.bias"]
    x = norm(x, "ln_post")
    return x if tower.width == tower.embed_dim else x @ p["proj"]


@pytest.mark.parametrize("join", ["concatenation", "mean"])
@pytest.mark.parametrize("embed_dim", [8, 16])
def test_perceptron_tower_follows_its_description(join, embed_dim):
    torch.manual_seed(2)
    tower = StainPerceptron(join, 16, embed_dim, layers=2)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    pooled = torch.randn(3, 5, 16)
    before = pooled.clone()
    np.testing.assert_allclose(tower(pooled).detach().numpy(), oracle(tower, pooled), atol=1e-5)
    assert torch.equal(pooled, before)


def test_towers_are_as_deep_as_the_transformer_they_replace():
    towers = {kind: CellCLIP(CellCLIPConfig(**SMALL, image_tower=kind)).visual for kind in TOWERS}
    sizes = {kind: sum(p.numel() for p in tower.parameters()) for kind, tower in towers.items()}
    assert sizes["mean"] < sizes["concatenation"] < sizes["channel_former"]
    assert len(towers["mean"].perceptrons) == len(towers["channel_former"].transformer.resblocks)


SMALL = {
    "width": 16,
    "embed_dim": 8,
    "layers": 2,
    "pool_hidden": 8,
    "text_vocabulary": 40,
    "text_width": 16,
    "text_layers": 1,
    "text_heads": 2,
    "text_intermediate": 16,
    "text_positions": 12,
}


@pytest.mark.parametrize("text", ["bert", "fingerprint"])
@pytest.mark.parametrize("kind", TOWERS)
def test_kind_and_sizes_are_read_off_the_weights(kind, text):
    torch.manual_seed(3)
    made = CellCLIP(CellCLIPConfig(**SMALL, image_tower=kind, text_tower=text)).eval()
    assert not any(name.startswith("module") for name in made.state_dict())
    loaded = CellCLIP.from_state_dict(made.state_dict(), text_heads=2)
    read = loaded.config
    assert (read.image_tower, read.text_tower) == (kind, text)
    if text == "bert":
        assert read == made.config
    assert (read.layers, read.text_layers, read.text_vocabulary, read.text_width) == (2, 1, 40, 16)
    pooled, ids = torch.randn(2, 5, 16), torch.tensor([[2, 7, 9], [3, 1, 0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.encode_image(pooled), made.encode_image(pooled))
        torch.testing.assert_close(loaded.encode_text(ids, mask), made.encode_text(ids, mask))


def test_weights_of_one_tower_do_not_pass_for_another():
    state = CellCLIP(CellCLIPConfig(**SMALL, image_tower="mean")).state_dict()
    with pytest.raises(ModelError, match=r"missing \(visual.cls_token"):
        CellCLIP.from_state_dict(state, image_tower="channel_former", text_heads=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CellCLIPConfig(image_tower="resnet"), "no image tower 'resnet'"),
        (lambda: CellCLIPConfig(text_tower="gpt"), "no text tower 'gpt': use one of bert, fingerprint"),
        (lambda: CellCLIP(CellCLIPConfig(**SMALL), pooling="max"), "no pooling 'max'"),
    ],
)
def test_unknown_kinds_are_refused(make, message):
    with pytest.raises(ModelError, match=message):
        make()


# --- pooling -----------------------------------------------------------------------------------------------


def test_without_pooling_each_field_is_a_sample(bags):
    model = CellCLIP(CellCLIPConfig(**SMALL), pooling="none").eval()
    samples, owner = model.samples(bags)
    assert owner.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]
    torch.testing.assert_close(samples[4:6], bags[1, :2])
    with torch.no_grad():
        fields = F.normalize(model.encode_image(samples), dim=1)
        expected = torch.stack([fields[:4].mean(0), fields[4:6].mean(0), fields[6:].mean(0)])
        torch.testing.assert_close(model.embed_bags(bags), expected)
    assert (model.embed_bags(torch.zeros(2, 3, 5, 16)) == 0).all()
    with pytest.raises(ModelError, match="pools none"):
        model.encode_mil(bags)


@pytest.mark.parametrize("pooling", ["attention", "mean", "median"])
def test_with_pooling_each_well_is_a_sample(bags, pooling):
    model = CellCLIP(CellCLIPConfig(**SMALL), pooling=pooling).eval()
    samples, owner = model.samples(bags)
    assert owner.tolist() == [0, 1, 2]
    torch.testing.assert_close(samples, model.encode_mil(bags))
    torch.testing.assert_close(model.embed_bags(bags), model.encode_image(model.encode_mil(bags)))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_never_counts(bags, pooling):
    model = CellCLIP(CellCLIPConfig(**SMALL), pooling=pooling).eval()
    padded = torch.cat([bags, torch.zeros(3, 3, 5, 16)], dim=1)
    torch.testing.assert_close(model.embed_bags(padded), model.embed_bags(bags))


def test_the_most_attended_instances_go_first_and_one_stays(bags):
    torch.manual_seed(4)
    pool = GatedAttentionPool(16, 8).eval()
    weights = pool.weights(bags)
    for count in range(6):
        kept = pool.without_most_attended(bags, count)
        for b in range(3):
            for c in range(5):
                real = [i for i in range(4) if bags[b, i, c].any()]
                order = sorted(real, key=lambda i: -weights[b, i, c].item())
                expected = set(order[min(count, len(real) - 1) :])
                assert set(kept[b, :, c].nonzero().flatten().tolist()) == expected
    assert not pool.without_most_attended(torch.zeros(1, 3, 5, 16), 1).any()


def test_embedding_without_the_most_attended_is_that_of_the_rest():
    torch.manual_seed(5)
    model = CellCLIP(CellCLIPConfig(**SMALL)).eval()
    # One stain tells the fields apart; the others are the same in all, so that removing any is removing none.
    bags = torch.randn(1, 1, 5, 16).expand(1, 3, 5, 16).clone()
    bags[0, :, 2] = torch.randn(3, 16)
    most = int(model.image_pool.weights(bags)[0, :, 2].argmax())
    rest = bags[:, [i for i in range(3) if i != most]]
    torch.testing.assert_close(model.embed_bags(bags, without_most_attended=1), model.embed_bags(rest))
    torch.testing.assert_close(model.embed_bags(bags, without_most_attended=0), model.embed_bags(bags))


def test_only_attention_has_favourites(bags):
    model = CellCLIP(CellCLIPConfig(**SMALL), pooling="mean").eval()
    with pytest.raises(ModelError, match="this model pools by 'mean'"):
        model.embed_bags(bags, without_most_attended=1)


# --- folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pooling"), [("concatenation", "none"), ("mean", "median"), ("mean", "none")]
)
def test_ablated_models_come_back_from_their_folder(
    tmp_path, tiny_card, make_encoder, make_cellclip, tokenizer, kind, pooling
):
    state = make_cellclip(image_tower=kind).state_dict()
    made = CellCLIP.from_state_dict(state, pooling=pooling, text_heads=2)
    card = save_model(tmp_path / "m", tiny_card, make_encoder(), made, tokenizer)
    assert (card.image_tower, card.pooling, card.text_tower) == (kind, pooling, "bert")
    model = load_model(tmp_path / "m", device="cpu")
    wells = [np.random.default_rng(i).standard_normal((i + 1, 5, 16)).astype(np.float32) for i in range(3)]
    in_memory = Model(card, made, tokenizer, make_encoder(), device="cpu")
    np.testing.assert_allclose(model.embed_wells(wells), in_memory.embed_wells(wells), atol=1e-6)
    plain = save_model(tmp_path / "n", tiny_card, make_encoder(), make_cellclip(), tokenizer)
    assert plain.card_hash != card.card_hash


def test_a_card_of_another_tower_is_refused(tiny_folder):
    text = (tiny_folder / CARD_FILE).read_text(encoding="utf-8")
    changed = text.replace('"channel_former"', '"mean"')
    assert changed != text
    (tiny_folder / CARD_FILE).write_text(changed, encoding="utf-8")
    with pytest.raises(ModelError, match=r"image tower of the kind 'channel_former', the card of .* 'mean'"):
        load_model(tiny_folder, device="cpu")


def test_wells_without_their_most_attended_fields(tiny_folder):
    model = load_model(tiny_folder, device="cpu")
    wells = [np.random.default_rng(i).standard_normal((3, 5, 16)).astype(np.float32) for i in range(2)]
    whole, without = (model.embed_wells(wells, without_most_attended=n) for n in (0, 2))
    assert np.abs(whole - without).max() > 1e-4
