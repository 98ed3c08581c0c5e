"""Building CellCLIP from weights, and the refusal of weights that do not fit."""

from __future__ import annotations

import pytest
import torch

from napari_cellclip.model import CellCLIP, CellCLIPConfig
from napari_cellclip.model.network.cellclip import config_from_state
from napari_cellclip.vocabulary import ModelError


def test_full_size_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = CellCLIP()
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert counts == {"visual": 340_783_104, "image_pool": 393_601, "text": 108_310_272, "text_proj": 393_728}
    assert sum(p.numel() for p in model.parameters()) == 449_880_706
    assert config_from_state(model.state_dict()) == CellCLIPConfig()


@pytest.mark.parametrize("wrap", ["plain", "checkpoint", "parallel"])
def test_weights_load_as_they_come(make_cellclip, tokenizer, wrap):
    model = make_cellclip()
    state = dict(model.state_dict())
    state["text.embeddings.position_ids"] = torch.arange(48)[None]  # as old files have it
    given = {
        "plain": state,
        "checkpoint": {"model": state, "epoch": 3},
        "parallel": {"model": {f"module.{k}": v for k, v in state.items()}},
    }[wrap]
    loaded = CellCLIP.from_state_dict(given, text_heads=2)
    assert loaded.config == model.config
    assert not loaded.training
    bags, tokens = torch.randn(2, 3, 5, 16), tokenizer(["tubulin inhibitor", "TUBB"])
    with torch.no_grad():
        assert torch.equal(
            loaded.encode_image(loaded.encode_mil(bags)), model.encode_image(model.encode_mil(bags))
        )
        torch.testing.assert_close(loaded.encode_text(**tokens), model.encode_text(**tokens))


def test_loaded_weights_are_copies(make_cellclip):
    state = make_cellclip().state_dict()
    before = {k: v.clone() for k, v in state.items()}
    loaded = CellCLIP.from_state_dict(state, text_heads=2)
    with torch.no_grad():
        for p in loaded.parameters():
            p.zero_()
    assert all(torch.equal(state[k], before[k]) for k in state)


def test_bias_is_there_when_the_weights_have_one(make_cellclip, tokenizer):
    state = dict(make_cellclip(bias=True).state_dict())
    loaded = CellCLIP.from_state_dict(state, text_heads=2)
    assert len(loaded(torch.randn(2, 5, 16), tokenizer(["a", "b"]))) == 4


def test_misfit_is_told_by_name(make_cellclip):
    state = dict(make_cellclip().state_dict())
    del state["visual.ln_post.weight"]
    state["visual.extra"] = torch.zeros(3)
    state["text_proj.bias"] = torch.zeros(9)
    with pytest.raises(ModelError) as error:
        CellCLIP.from_state_dict(state, text_heads=2)
    message = str(error.value)
    assert "1 missing (visual.ln_post.weight)" in message
    assert "1 unknown (visual.extra)" in message
    assert "text_proj.bias (9,) instead of (8,)" in message


@pytest.mark.parametrize("state", [{"conv.weight": torch.zeros(1)}, {}, {"model": 3}])
def test_other_weights_are_refused(state):
    with pytest.raises(ModelError):
        CellCLIP.from_state_dict(state)


def test_unknown_setting_is_refused(make_cellclip):
    with pytest.raises(ModelError, match="no setting colour"):
        CellCLIP.from_state_dict(make_cellclip().state_dict(), colour="red")


def test_forward_normalises_and_encode_does_not(make_cellclip, tokenizer):
    model = make_cellclip()
    pooled, tokens = torch.randn(3, 5, 16), tokenizer(["a", "tubulin", "nocodazole"])
    with torch.no_grad():
        image, text, scale = model(pooled, tokens)
        raw_image, raw_text = model.encode_image(pooled), model.encode_text(**tokens)
    torch.testing.assert_close(image, raw_image / raw_image.norm(dim=1, keepdim=True))
    torch.testing.assert_close(text, raw_text / raw_text.norm(dim=1, keepdim=True))
    assert scale is model.logit_scale


def test_padding_of_texts_does_not_matter(make_cellclip, tokenizer):
    model = make_cellclip()
    alone = model.encode_text(**tokenizer(["TUBB"]))
    together = model.encode_text(**tokenizer(["TUBB", "U2OS cells treated with tubulin inhibitor"]))
    torch.testing.assert_close(alone[0], together[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["attention", "mean", "median"])
def test_every_pooling_survives_blank_wells(make_cellclip, pooling):
    model = make_cellclip()
    model = CellCLIP.from_state_dict(model.state_dict(), pooling=pooling, text_heads=2)
    out = model.encode_image(model.encode_mil(torch.zeros(2, 3, 5, 16)))
    assert torch.isfinite(out).all()
