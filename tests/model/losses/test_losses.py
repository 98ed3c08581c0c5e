"""Losses against their formulas, written a second time in float64 NumPy, and what holds for any batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax as log_softmax_of
from scipy.special import logsumexp, softmax
from torch.nn import functional as F

from napari_cellclip.model import clip_loss, contrastive, cwcl_loss, needs_bias
from napari_cellclip.model.losses import (
    FURTHER_LOSSES,
    LOSSES,
    cloob_loss,
    needs_pooled,
    phenotypic_similarity,
    profile_similarity,
)
from napari_cellclip.model.losses import softmax as softmax_losses
from napari_cellclip.vocabulary import ModelError

ALL = (*LOSSES, *FURTHER_LOSSES)
RULES = ("negative", "positive", "ignore")
GROUPS = torch.tensor([0, 1, 0, 2, 1, 0])


def make_batch(n: int = 6, seed: int = 0, spread: float = 1.0) -> dict[str, torch.Tensor]:
    """A batch in which some wells look alike (small `spread`), as s2l needs to have anything to weigh."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(1, 8, generator=generator) * (1 - spread) * 3
    image = F.normalize(centre + spread * torch.randn(n, 8, generator=generator), dim=1)
    text = F.normalize(torch.randn(n, 8, generator=generator), dim=1)
    pooled = torch.randn(n, 5, 12, generator=generator)
    return {
        "image": image,
        "text": text,
        "logit_scale": torch.tensor(2.0),
        "pooled": pooled,
        "bias": torch.tensor(-3.0),
    }


@pytest.fixture
def batch():
    return make_batch(spread=0.3)


# --- the formulas, once more -------------------------------------------------------------------------------


def pairs(n, rule):
    """[n, n]: another sample of the same perturbation, where the rule makes something of it."""
    groups = GROUPS[:n].numpy()
    same = (groups[:, None] == groups[None]) & ~np.eye(n, dtype=bool)
    return same if rule != "negative" else np.zeros_like(same)


def soft(logits, weights, rule):
    """-mean_i sum_j w_ij log p_ij, with ignored columns out of the softmax of their row."""
    same = pairs(len(logits), rule)
    total = 0.0
    for i, row in enumerate(logits):
        columns = [j for j in range(len(row)) if rule != "ignore" or not same[i, j]]
        log_p = dict(zip(columns, log_softmax_of(row[columns]), strict=True))
        total -= sum(weights[i, j] * log_p[j] for j in columns)
    return total / len(logits)


def hard(logits, rule):
    targets = np.eye(len(logits)) + (pairs(len(logits), rule) if rule == "positive" else 0)
    return soft(logits, targets / targets.sum(1, keepdims=True), rule)


def of_groups(weights, rule):
    same = pairs(len(weights), rule)
    return np.where(same, {"positive": 1.0, "ignore": 0.0}.get(rule, 0.0), weights)


def rows(weights):
    return weights / weights.sum(1, keepdims=True)


def likeness(pooled):
    n, stains, _ = pooled.shape
    found = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            for c in range(stains):
                u, v = pooled[i, c], pooled[j, c]
                found[i, j] += u @ v / np.linalg.norm(u) / np.linalg.norm(v) / stains
    return found / 2 + 0.5


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


def retrieved(queries, stored, scale=14.3):
    found = softmax(scale * queries @ stored.T, axis=1) @ stored
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def loob(a, c, s, rule):
    logits = s * a @ c.T
    same = pairs(len(a), rule)
    total = 0.0
    for i, row in enumerate(logits):
        negative = [j for j in range(len(row)) if j != i and not same[i, j]]
        right = [i, *np.flatnonzero(same[i])] if rule == "positive" else [i]
        total += logsumexp(row[negative]) - row[right].mean()
    return total / len(a) / s


def oracle(name, batch, rule, quirks=False):
    image, text, t, pooled, bias = (v.double().numpy() for v in batch.values())
    s = np.exp(t)
    logits, n = s * image @ text.T, len(image)
    same = pairs(n, rule)
    words = text @ text.T / 2 + 0.5
    if name == "clip":
        return (hard(logits, rule) + hard(logits.T, rule)) / 2
    if name == "cwcl":
        return soft(logits, rows(of_groups(likeness(pooled), rule)), rule) + hard(logits.T, rule)
    if name == "cwcl_ma":
        return soft(logits, rows(of_groups(words, rule)), rule) + hard(logits.T, rule)
    if name == "bi_cwcl":
        back = of_groups(words, rule)
        back = back if quirks else rows(back)
        return soft(logits, rows(of_groups(likeness(pooled), rule)), rule) + soft(logits.T, back, rule)
    if name == "cloob":
        one = loob(retrieved(image, image), retrieved(text, image), s, rule)
        return one + loob(retrieved(text, text), retrieved(image, text), s, rule)
    total, counted = 0.0, 0
    for i in range(n):
        for j in range(n):
            if rule == "ignore" and same[i, j]:
                continue
            counted += 1
            a = logits[j, i] + bias
            if name == "sigclip":
                total -= log_sigmoid(a if i == j or same[i, j] else -a)
            else:
                k = 1 - 4 / np.pi * np.arctan(np.sum((image[i] - image[j]) ** 2) / 0.3)
                k = 1.0 if i == j or (same[i, j] and rule == "positive") else k if k >= 0.75 else 0.0
                total -= k * log_sigmoid(a) + ((1.7 if quirks else 1.75) - 0.75 * k) * log_sigmoid(-a)
    return total / (counted if name == "sigclip" else n)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ALL)
def test_loss_follows_its_formula(batch, name, rule):
    found = contrastive(name, **batch, groups=GROUPS, same_perturbation=rule)
    assert found.shape == ()
    assert found.item() == pytest.approx(oracle(name, batch, rule), rel=1e-5)


@pytest.mark.parametrize("name", ["bi_cwcl", "s2l"])
def test_quirks_follow_the_published_code(batch, name):
    found = contrastive(name, **batch, same_perturbation="negative", reference_quirks=True)
    assert found.item() == pytest.approx(oracle(name, batch, "negative", quirks=True), rel=1e-5)
    assert abs(found.item() - oracle(name, batch, "negative")) > 1e-3


def test_the_batch_of_these_tests_has_wells_that_look_alike(batch):
    alike = phenotypic_similarity(batch["image"])
    assert ((alike > 0) & (alike < 1)).any()
    assert (alike == 0).any()
    assert (alike.diagonal() == 1).all()


# --- what holds for any batch ------------------------------------------------------------------------------

seeds = st.integers(0, 2**31)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=8, deadline=None)
@given(seed=seeds, n=st.integers(3, 9), rule=st.sampled_from(RULES))
def test_the_order_of_the_batch_does_not_matter(name, seed, n, rule):
    batch = make_batch(n, seed, spread=0.4)
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(0, 4, (n,), generator=generator)
    order = torch.randperm(n, generator=generator)
    moved = {key: value[order] if value.ndim else value for key, value in batch.items()}
    one = contrastive(name, **batch, groups=groups, same_perturbation=rule)
    other = contrastive(name, **moved, groups=groups[order], same_perturbation=rule)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_turning_both_spaces_together_does_not_matter(name, seed):
    batch = make_batch(6, seed, spread=0.4)
    generator = torch.Generator().manual_seed(seed)
    turn, _ = torch.linalg.qr(torch.randn(8, 8, generator=generator))
    turned = batch | {"image": batch["image"] @ turn, "text": batch["text"] @ turn}
    one, other = (contrastive(name, **b, groups=GROUPS) for b in (batch, turned))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("rule", ["positive", "ignore"])
def test_groups_of_one_change_nothing(batch, name, rule):
    one = contrastive(name, **batch, groups=torch.arange(6), same_perturbation=rule)
    torch.testing.assert_close(one, contrastive(name, **batch, same_perturbation="negative"))


@pytest.mark.parametrize("name", ALL)
def test_texts_that_fit_their_wells_cost_less(name):
    batch = make_batch(8, 1)
    batch |= {"logit_scale": torch.tensor(3.0)}
    right = contrastive(name, **(batch | {"text": batch["image"]}), same_perturbation="negative")
    wrong = contrastive(name, **(batch | {"text": batch["image"].roll(1, 0)}), same_perturbation="negative")
    assert right < wrong


@pytest.mark.parametrize("name", ALL)
def test_a_wells_replicate_is_no_negative_unless_asked(name):
    """Two replicates with one caption: only where they are negatives does their likeness cost anything."""
    batch = make_batch(6, 2)
    batch["image"], batch["text"], batch["pooled"] = (
        torch.cat([batch[k], batch[k]]) for k in ("image", "text", "pooled")
    )
    groups = torch.arange(6).repeat(2)
    costs = {rule: contrastive(name, **batch, groups=groups, same_perturbation=rule).item() for rule in RULES}
    # Of the 144 pairs, 12 are of one perturbation; sigclip is a mean over those that are counted.
    share = 132 / 144 if name == "sigclip" else 1
    assert share * costs["ignore"] < costs["negative"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("groups", [[0] * 6, [0, 0, 0, 0, 0, 1], [0, 1, 2, 3, 4, 5]])
def test_gradients_are_finite_whatever_the_groups(batch, name, rule, groups):
    leaves = {key: value.clone().requires_grad_() for key, value in batch.items()}
    loss = contrastive(name, **leaves, groups=torch.tensor(groups), same_perturbation=rule)
    loss.backward()
    assert torch.isfinite(loss)
    for key in ("image", "text", "logit_scale"):
        assert torch.isfinite(leaves[key].grad).all(), key


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("rule", ["positive", "ignore"])
def test_gradients_are_those_of_the_value(name, rule):
    batch = {k: v.double().requires_grad_() for k, v in make_batch(5, 3, spread=0.6).items()}

    def loss(image, text, logit_scale, bias):
        parts = {"image": image, "text": text, "logit_scale": logit_scale, "bias": bias}
        given = batch | parts
        return contrastive(
            name, **given, groups=GROUPS[:5], same_perturbation=rule, reference_quirks=name == "s2l"
        )

    leaves = [batch[k] for k in ("image", "text", "logit_scale", "bias")]
    if name in ("bi_cwcl", "cwcl_ma"):
        # Their weights come from the texts and are constants here, so the value moves where the gradient
        # does not; only the image side can be compared.
        leaves[1] = leaves[1].detach()
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-6, atol=1e-5, fast_mode=True)


# --- each for itself ---------------------------------------------------------------------------------------


def test_weights_are_constants_unless_asked(batch):
    for name in ("cwcl", "bi_cwcl"):
        leaves = {key: value.clone().requires_grad_() for key, value in batch.items()}
        contrastive(name, **leaves, same_perturbation="negative").backward()
        assert leaves["pooled"].grad is None
        contrastive(name, **leaves, same_perturbation="negative", reference_quirks=True).backward()
        assert leaves["pooled"].grad.abs().sum() > 0


def test_options_win_over_quirks(batch):
    kept = contrastive("s2l", **batch, same_perturbation="negative", reference_quirks=True, gamma=1.75)
    torch.testing.assert_close(kept, contrastive("s2l", **batch, same_perturbation="negative"))


def test_channel_embedding_enters_the_weights_only_where_given(batch):
    embed = torch.randn(5, 12)
    plain = contrastive("cwcl", **batch, same_perturbation="negative")
    quirk = contrastive("cwcl", **batch, same_perturbation="negative", channel_embed=embed)
    moved = contrastive("cwcl", **(batch | {"pooled": batch["pooled"] + embed}), same_perturbation="negative")
    torch.testing.assert_close(quirk, moved)
    assert not torch.isclose(plain, quirk)


def test_similarity_is_symmetric_and_bounded_even_for_blank_wells(batch):
    pooled = batch["pooled"]
    pooled[3] = 0
    weights = profile_similarity(pooled)
    torch.testing.assert_close(weights, weights.T)
    assert weights.min() >= 0
    assert weights.max() <= 1 + 1e-6
    assert (weights[3] == 0.5).all()


def test_cloob_has_nothing_to_say_of_one_perturbation(batch):
    one = torch.zeros(6, dtype=torch.long)
    loss = cloob_loss(
        batch["image"], batch["text"], batch["logit_scale"], groups=one, same_perturbation="ignore"
    )
    assert loss.item() == 0


def test_names_tell_what_a_loss_needs():
    assert [needs_bias(name) for name in ALL] == [name in ("sigclip", "s2l") for name in ALL]
    assert [needs_pooled(name) for name in ALL] == [name in ("cwcl", "bi_cwcl") for name in ALL]
    for ask in (needs_bias, needs_pooled):
        with pytest.raises(ModelError, match="no loss 'triplet': use one of clip, cwcl, cloob"):
            ask("triplet")


def test_functions_keep_the_published_rule_as_their_default(batch):
    image, text, scale = batch["image"], batch["text"], batch["logit_scale"]
    torch.testing.assert_close(
        clip_loss(image, text, scale), contrastive("clip", **batch, same_perturbation="negative")
    )
    torch.testing.assert_close(
        cwcl_loss(image, text, batch["pooled"], scale),
        contrastive("cwcl", **batch, same_perturbation="negative"),
    )


@pytest.mark.parametrize(
    ("name", "changes", "error", "message"),
    [
        ("triplet", {}, ModelError, "no loss 'triplet'"),
        ("clip", {"gamma": 2}, ModelError, "clip has no option gamma: it has none"),
        ("cloob", {"gamma": 2}, ModelError, "it has hopfield_scale"),
        ("cwcl", {"pooled": None}, ModelError, "give it their pooled features"),
        ("s2l", {"bias": None}, ModelError, "needs a model with a bias"),
        ("clip", {"groups": None}, ValueError, "needs the group of each sample"),
        ("clip", {"groups": GROUPS[:3]}, ValueError, "6 samples need 6 groups"),
        ("clip", {"same_perturbation": "maybe"}, ValueError, "one of positive, ignore, negative"),
    ],
)
def test_what_cannot_be_computed_is_said(batch, name, changes, error, message):
    with pytest.raises(error, match=message):
        contrastive(name, **(batch | {"groups": GROUPS} | changes))


@pytest.mark.parametrize("name", ["bi_cwcl", "cwcl_ma"])
def test_weights_from_texts_are_constants_unless_they_are_to_learn(name: str, monkeypatch) -> None:
    torch.manual_seed(0)
    image, start = (torch.nn.functional.normalize(torch.randn(4, 6), dim=1) for _ in range(2))

    def gradient(*, detach: bool) -> torch.Tensor:
        text = start.clone().requires_grad_()
        options = {"pooled": torch.ones(4, 5, 3), "same_perturbation": "negative", "detach_weights": detach}
        contrastive(name, image, text, torch.tensor(1.0), **options).backward()
        return text.grad

    constant, learnt = gradient(detach=True), gradient(detach=False)
    weights = softmax_losses.text_similarity(start)
    monkeypatch.setattr(softmax_losses, "text_similarity", lambda text: weights)
    torch.testing.assert_close(gradient(detach=False), constant)
    assert not torch.allclose(constant, learnt)
