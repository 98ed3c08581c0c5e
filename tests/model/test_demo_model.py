"""A loaded model: batching, stain order, padding and caching change no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cachetools import LRUCache

from napari_cellclip.model import IntensityScaling, IntensityStats, Model, Tiling, resolve_device
from napari_cellclip.model.encoders.intensity import scale_field
from napari_cellclip.vocabulary import STAINS, ModelError, Stain


@pytest.fixture
def model(tiny_card, make_encoder, make_cellclip, tokenizer):
    return Model(tiny_card, make_cellclip(), tokenizer, make_encoder(), device="cpu")


@pytest.fixture
def stats(fields, tiny_card):
    return IntensityStats.measure(fields, tiny_card.intensity)


def with_card(model, **update):
    card = model.card.model_copy(update=update)
    return Model(
        card, model.cellclip, model.tokenizer, model.encoder, device="cpu", batch_size=model.batch_size
    )


def test_features_are_the_mean_over_crops_of_each_stain(model, fields, stats):
    found = model.fields_features(fields, stats)
    for field, features in zip(fields, found, strict=True):
        crops = model.card.tiling.crops(scale_field(field, model.card.intensity, stats))
        for stain in range(5):
            with torch.no_grad():
                each = model.encoder(torch.tensor(crops[:, stain : stain + 1]))
            np.testing.assert_allclose(features[stain], each.mean(0).numpy(), atol=1e-5)
    np.testing.assert_allclose(model.fields_features([fields[1]], stats)[0], found[1], atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 5, 7, 1000])
def test_batching_changes_nothing_and_nothing_is_mutated(model, fields, stats, batch_size):
    expected = model.fields_features(fields, stats)
    before = [f.copy() for f in fields]
    model.batch_size = batch_size
    np.testing.assert_allclose(model.fields_features(fields, stats), expected, atol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(fields, before, strict=True))


def test_stains_arrive_in_the_order_of_the_card(model, fields, stats):
    order = (Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA)
    published = with_card(model, stain_order=order)
    expected = model.fields_features(fields, stats)[:, [STAINS.index(s) for s in order]]
    np.testing.assert_allclose(published.fields_features(fields, stats), expected, atol=1e-6)


def test_brightness_of_the_plate_is_kept_or_hidden_as_the_card_says(model, fields, stats):
    halved = [f // 2 for f in fields]
    kept = model.fields_features(fields, stats) - model.fields_features(halved, stats)
    image = with_card(model, intensity=IntensityScaling(kind="image"))
    hidden = image.fields_features(fields) - image.fields_features(halved)
    assert np.abs(hidden).max() < 0.2 * np.abs(kept).max()


def test_blank_and_tiny_fields_give_finite_features(model, stats):
    for tiling in (Tiling(mode="grid", size=32), Tiling(mode="random", size=32, n=3)):
        cut = with_card(model, tiling=tiling)
        features = cut.fields_features(
            [np.zeros((5, 40, 40), np.uint16), np.ones((5, 3, 1), np.uint8)], stats
        )
        assert np.isfinite(features).all()
        assert np.isfinite(cut.embed_wells(list(features[:, None]))).all()


def test_no_field_gives_no_feature(model, stats):
    assert model.fields_features([], stats).shape == (0, 5, 16)
    assert model.embed_wells([]).shape == (0, 8)
    assert model.embed_texts([]).shape == (0, 8)


def test_pixels_that_are_no_field_are_refused(model, stats):
    with pytest.raises(ModelError, match="not finite"):
        model.fields_features([np.full((5, 40, 40), np.nan)], stats)
    with pytest.raises(ModelError, match="shape"):
        model.fields_features([np.zeros((40, 40))], stats)
    with pytest.raises(ModelError, match="measure IntensityStats"):
        model.fields_features([np.zeros((5, 40, 40))])


def test_wells_do_not_depend_on_each_other_or_on_the_order_of_fields(model):
    rng = np.random.default_rng(0)
    bags = [rng.normal(size=(m, 5, 16)).astype(np.float16) for m in (1, 9, 3)]
    bags[1][4] = 0
    before = [b.copy() for b in bags]
    together = model.embed_wells(bags)
    alone = np.concatenate([model.embed_wells([bag]) for bag in bags])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(model.embed_wells(bags, at_once=1), together, atol=1e-5)
    np.testing.assert_allclose(model.embed_wells([b[::-1] for b in bags]), together, atol=1e-5)
    assert together.dtype == np.float32
    assert all(np.array_equal(a, b) for a, b in zip(bags, before, strict=True))
    with torch.no_grad():
        first = model.cellclip.encode_image(torch.tensor(bags[0]).float())
    np.testing.assert_allclose(together[:1], first.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("bag", "message"),
    [
        (np.zeros((2, 5, 15)), "well 1 have shape"),
        (np.zeros((5, 16)), "well 1 have shape"),
        (np.zeros((0, 5, 16)), "well 1 has no field"),
        (np.full((2, 5, 16), np.inf), "well 1 are not finite"),
    ],
)
def test_bad_bags_are_refused_with_their_number(model, bag, message):
    with pytest.raises(ModelError, match=message):
        model.embed_wells([np.ones((1, 5, 16)), bag])


def test_texts_are_remembered(model, monkeypatch):
    texts = ["nocodazole", "TUBB", "nocodazole"]
    first = model.embed_texts(texts)
    assert np.array_equal(first[0], first[2])
    assert not np.allclose(first[0], first[1])
    with torch.no_grad():
        direct = model.cellclip.encode_text(**model.tokenizer(["TUBB"]))
    np.testing.assert_allclose(first[1], direct[0].numpy(), atol=1e-5)

    def forbidden(**tokens):
        raise AssertionError("encoded again")

    monkeypatch.setattr(model.cellclip, "encode_text", forbidden)
    assert np.array_equal(model.embed_texts(texts[::-1]), first[::-1])


def test_memory_of_texts_is_bounded(model, monkeypatch):
    monkeypatch.setattr(model, "_texts", LRUCache(3))
    out = model.embed_texts([f"text {i}" for i in range(7)])
    assert out.shape == (7, 8)
    assert len(model._texts) == 3


def test_remembered_texts_cannot_be_spoilt_from_outside(model):
    first = model.embed_texts(["nocodazole"])
    expected = first.copy()
    first[:] = 0
    assert np.array_equal(model.embed_texts(["nocodazole"]), expected)


def test_asking_texts_does_not_load_the_encoder(model):
    def load():
        raise AssertionError("loaded")

    lazy = Model(model.card, model.cellclip, model.tokenizer, load, device="cpu")
    assert lazy.embed_texts(["nocodazole"]).shape == (1, 8)
    assert "tiny" in repr(lazy)


def test_devices():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(ModelError, match="not a device"):
        resolve_device("abacus")
    with pytest.raises(ModelError, match="no device 'cuda:99'"):
        resolve_device("cuda:99")
