"""Pooling and image tower against the formulas of the paper, written a second time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_cellclip.model import CellCLIP
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.network.image_tower import Attention, CrossChannelFormer, LayerNorm
from napari_cellclip.model.network.pooling import GatedAttentionPool, pool_without_weights


@pytest.fixture
def bags():
    torch.manual_seed(1)
    bags = torch.randn(3, 4, 5, 16)
    bags[1, 2:] = 0  # padding
    bags[2, 1, 3] = 0  # one blank stain in one field
    return bags


@pytest.fixture
def pool():
    torch.manual_seed(2)
    return GatedAttentionPool(16, 8).eval()


def test_pooling_follows_its_formula(pool, bags):
    weights = {name: p.detach().double().numpy() for name, p in pool.named_parameters()}
    expected = np.zeros((3, 5, 16))
    for b in range(3):
        for c in range(5):
            vectors = [v for v in bags[b, :, c].double().numpy() if np.any(v)]
            scores = []
            for v in vectors:
                gate = np.tanh(weights["V.weight"] @ v + weights["V.bias"]) / (
                    1 + np.exp(-(weights["U.weight"] @ v + weights["U.bias"]))
                )
                scores.append((weights["attention.weight"] @ gate + weights["attention.bias"])[0])
            share = np.exp(scores) / np.exp(scores).sum()
            expected[b, c] = share @ np.stack(vectors)
    np.testing.assert_allclose(pool(bags).detach().numpy(), expected, atol=1e-6)


def test_padding_and_order_of_fields_do_not_matter(pool, bags):
    padded = torch.cat([bags, torch.zeros(3, 5, 5, 16)], dim=1)
    torch.testing.assert_close(pool(padded), pool(bags))
    torch.testing.assert_close(pool(bags.flip(1)), pool(bags))


def test_single_field_pools_to_itself(pool, bags):
    torch.testing.assert_close(pool(bags[:1, :1]), bags[:1, 0])


def test_blank_stain_gives_zeros_and_finite_gradients(pool, bags):
    bags[0, :, 2] = 0
    pooled = pool(bags)
    assert (pooled[0, 2] == 0).all()
    pooled.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in pool.parameters())


def test_given_mask_wins(pool, bags):
    mask = torch.zeros(3, 4, 5, dtype=torch.bool)
    mask[:, 1] = True
    torch.testing.assert_close(pool(bags, mask)[0], bags[0, 1])


@pytest.mark.parametrize(("how", "statistic"), [("mean", np.mean), ("median", None)])
def test_statistics_leave_padding_out(bags, how, statistic):
    pooled = pool_without_weights(bags, how).numpy()
    statistic = statistic or (lambda v, axis: np.sort(v, axis=axis)[(len(v) - 1) // 2])
    for b in range(3):
        for c in range(5):
            real = np.stack([v for v in bags[b, :, c].numpy() if np.any(v)])
            np.testing.assert_allclose(pooled[b, c], statistic(real, axis=0), atol=1e-6)
    assert (pool_without_weights(torch.zeros(1, 2, 5, 4), how) == 0).all()


def test_attention_is_that_of_torch():
    torch.manual_seed(3)
    ours, theirs = Attention(16, 8), nn.MultiheadAttention(16, 8, batch_first=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(2, 6, 16)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0], atol=1e-6, rtol=1e-5)


def test_attention_refuses_a_width_its_heads_cannot_share():
    with pytest.raises(ValueError, match="18 cannot be shared by 8 heads"):
        Attention(18, 8)


def test_layer_norm_keeps_half_precision_outside():
    x = torch.randn(4, 16).half() * 100
    out = LayerNorm(16).half()(x)
    assert out.dtype is torch.float16
    np.testing.assert_allclose(out.float().mean(-1).detach().numpy(), 0, atol=1e-3)


def oracle(tower, pooled):
    """The tower in plain numpy, from the text of the specification."""
    p = {k: v.detach().double().numpy() for k, v in tower.state_dict().items()}
    heads = tower.transformer.resblocks[0].attn.heads

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * p[f"{name}.weight"] + p[f"{name}.bias"]

    x = norm(pooled.double().numpy() + p["channel_embed"], "channel_ln")
    x = np.concatenate([np.broadcast_to(p["cls_token"], (len(x), 1, x.shape[-1])), x], axis=1)
    x = norm(x, "ln_pre")
    width = x.shape[-1]
    for i in range(len(tower.transformer.resblocks)):
        at = f"transformer.resblocks.{i}."
        y = norm(x, at + "ln_1") @ p[at + "attn.in_proj_weight"].T + p[at + "attn.in_proj_bias"]
        q, k, v = (y[..., j * width : (j + 1) * width] for j in range(3))
        out = np.empty_like(x)
        for h in range(heads):
            s = slice(h * width // heads, (h + 1) * width // heads)
            score = q[..., s] @ k[..., s].swapaxes(1, 2) / np.sqrt(width / heads)
            score = np.exp(score - score.max(-1, keepdims=True))
            out[..., s] = score / score.sum(-1, keepdims=True) @ v[..., s]
        x = x + out @ p[at + "attn.out_proj.weight"].T + p[at + "attn.out_proj.bias"]
        u = norm(x, at + "ln_2") @ p[at + "mlp.c_fc.weight"].T + p[at + "mlp.c_fc.bias"]
        x = x + (u / (1 + np.exp(-1.702 * u))) @ p[at + "mlp.c_proj.weight"].T + p[at + "mlp.c_proj.bias"]
    cls = norm(x[:, 0], "ln_post")
    return cls if tower.width == tower.embed_dim else cls @ p["proj"]


@pytest.mark.parametrize("embed_dim", [8, 16])
def test_image_tower_follows_the_specification(embed_dim):
    torch.manual_seed(4)
    tower = CrossChannelFormer(16, embed_dim, layers=2)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    pooled = torch.randn(3, 5, 16)
    before = pooled.clone()
    found = tower(pooled).detach().numpy()
    np.testing.assert_allclose(found, oracle(tower, pooled), atol=1e-5)
    assert torch.equal(pooled, before)


def test_stains_are_told_apart_by_slot(make_cellclip):
    model = make_cellclip()
    pooled = torch.randn(1, 5, 16)
    assert not torch.allclose(model.encode_image(pooled), model.encode_image(pooled.flip(1)), atol=1e-3)


TEXT = {"vocabulary": 60, "width": 32, "layers": 3, "heads": 4, "intermediate": 64, "positions": 40}


def transformers_bert():
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=TEXT["vocabulary"],
        hidden_size=TEXT["width"],
        num_hidden_layers=TEXT["layers"],
        num_attention_heads=TEXT["heads"],
        intermediate_size=TEXT["intermediate"],
        max_position_embeddings=TEXT["positions"],
        hidden_act="gelu",
        layer_norm_eps=1e-12,
    )
    return BertModel(config, add_pooling_layer=True).eval()


@pytest.fixture
def texts():
    """Token ids of six texts, three of them padded."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 60, (6, 30), generator=generator)
    present = torch.ones_like(ids)
    for row, length in ((1, 3), (2, 10), (5, 29)):
        ids[row, length:], present[row, length:] = 0, 0
    return ids, present


def test_the_text_tower_is_the_bert_of_transformers(texts):
    theirs, ours = transformers_bert(), Bert(**TEXT).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    ids, present = texts
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=present).pooler_output
        torch.testing.assert_close(ours(ids, present), expected, atol=1e-6, rtol=1e-5)
        alone = ours(ids[1:2, :3], present[1:2, :3])  # padding is not seen
        torch.testing.assert_close(alone, expected[1:2], atol=1e-6, rtol=1e-5)


def test_the_text_tower_starts_and_learns_as_the_bert_of_transformers(texts):
    """The same initial weights, dropout and gradients from the same seed: recipes of earlier models hold."""
    torch.manual_seed(3)
    theirs = transformers_bert().train()
    torch.manual_seed(3)
    ours = Bert(**TEXT).train()
    expected = theirs.state_dict()
    assert list(expected) == list(ours.state_dict())
    for name, weight in ours.state_dict().items():
        torch.testing.assert_close(weight, expected[name], atol=1e-7, rtol=0)
    ids, present = texts
    torch.manual_seed(4)
    theirs(input_ids=ids, attention_mask=present).pooler_output.square().sum().backward()
    torch.manual_seed(4)
    ours(ids, present).square().sum().backward()
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, atol=1e-5, rtol=1e-3)


def test_weights_are_loaded_without_being_drawn_first(make_cellclip):
    state = make_cellclip().state_dict()
    before = torch.get_rng_state()
    loaded = CellCLIP.from_state_dict(state, heads=8, text_heads=2)
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, state[name])
