"""Losses against their formulas, sample by sample."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from napari_cellclip.model import clip_loss, cwcl_loss
from napari_cellclip.model.losses import profile_similarity


@pytest.fixture
def batch():
    torch.manual_seed(0)
    image, text = F.normalize(torch.randn(6, 8), dim=1), F.normalize(torch.randn(6, 8), dim=1)
    return image, text, torch.randn(6, 5, 12), torch.tensor(2.0)


GROUPS = torch.tensor([0, 1, 0, 2, 1, 0])


def cross_entropy(logits, i, targets, ignored=()):
    """-mean over targets of log p in row i, with some columns left out."""
    columns = [j for j in range(len(logits)) if j not in ignored]
    total = math.log(sum(math.exp(logits[i][j]) for j in columns))
    return sum(total - logits[i][j] for j in targets) / len(targets)


def same(i):
    return [j for j in range(6) if GROUPS[j] == GROUPS[i] and j != i]


@pytest.mark.parametrize("how", ["negative", "positive", "ignore"])
def test_clip_loss(batch, how):
    image, text, _, scale = batch
    logits = (scale.exp() * image @ text.T).tolist()
    columns = [list(row) for row in zip(*logits, strict=True)]
    expected = 0.0
    for table in (logits, columns):
        for i in range(6):
            targets = [i, *same(i)] if how == "positive" else [i]
            ignored = same(i) if how == "ignore" else []
            expected += cross_entropy(table, i, targets, ignored) / 12
    found = clip_loss(image, text, scale, groups=GROUPS, same_perturbation=how)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("how", ["negative", "positive", "ignore"])
def test_cwcl_loss(batch, how):
    image, text, pooled, scale = batch
    logits = (scale.exp() * image @ text.T).tolist()
    columns = [list(row) for row in zip(*logits, strict=True)]
    expected = 0.0
    for i in range(6):
        ignored = same(i) if how == "ignore" else []
        weights = {}
        for j in range(6):
            cosines = [F.cosine_similarity(pooled[i, c], pooled[j, c], dim=0).item() for c in range(5)]
            weights[j] = 1.0 if how == "positive" and j in same(i) else sum(cosines) / 10 + 0.5
        total = sum(w for j, w in weights.items() if j not in ignored)
        soft = sum(
            w / total * cross_entropy(logits, i, [j], ignored) for j, w in weights.items() if j not in ignored
        )
        targets = [i, *same(i)] if how == "positive" else [i]
        expected += (soft + cross_entropy(columns, i, targets, ignored)) / 6
    found = cwcl_loss(image, text, pooled, scale, groups=GROUPS, same_perturbation=how)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_groups_of_one_change_nothing(batch):
    image, text, pooled, scale = batch
    alone = torch.arange(6)
    for how in ("positive", "ignore"):
        assert torch.isclose(
            clip_loss(image, text, scale, groups=alone, same_perturbation=how), clip_loss(image, text, scale)
        )
        grouped = cwcl_loss(image, text, pooled, scale, groups=alone, same_perturbation=how)
        assert torch.isclose(grouped, cwcl_loss(image, text, pooled, scale))


def test_weights_are_constants_unless_asked(batch):
    image, text, pooled, scale = batch
    pooled.requires_grad_()
    image.requires_grad_()
    cwcl_loss(image, text, pooled, scale).backward()
    assert pooled.grad is None
    cwcl_loss(image, text, pooled, scale, detach_weights=False).backward()
    assert pooled.grad.abs().sum() > 0


@pytest.mark.parametrize("how", ["positive", "ignore"])
def test_gradients_are_finite_when_all_are_one_group(batch, how):
    image, text, pooled, scale = (t.clone().requires_grad_() for t in batch)
    groups = torch.zeros(6, dtype=torch.long)
    loss = clip_loss(image, text, scale, groups=groups, same_perturbation=how)
    loss = loss + cwcl_loss(image, text, pooled, scale, groups=groups, same_perturbation=how)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(image.grad).all()
    assert torch.isfinite(scale.grad)


def test_similarity_is_symmetric_and_bounded_even_for_blank_wells(batch):
    pooled = batch[2]
    pooled[3] = 0
    weights = profile_similarity(pooled)
    torch.testing.assert_close(weights, weights.T)
    assert weights.min() >= 0
    assert weights.max() <= 1 + 1e-6
    assert (weights[3] == 0.5).all()


def test_groups_are_needed_where_they_matter(batch):
    image, text, _, scale = batch
    with pytest.raises(ValueError, match="group"):
        clip_loss(image, text, scale, same_perturbation="positive")
