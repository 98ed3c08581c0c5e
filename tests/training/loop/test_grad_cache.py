"""Gradients of a batch embedded in chunks are those of the whole batch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_cellclip.model import CellCLIP
from napari_cellclip.model.losses import FURTHER_LOSSES, LOSSES, contrastive, needs_bias
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.loop.batches import Batches
from napari_cellclip.training.loop.distributed import Processes
from napari_cellclip.training.loop.grad_cache import Chunk, batch_backward
from napari_cellclip.training.loop.text_training import TextTraining
from napari_cellclip.training.loop.training_step import Stepper
from tests.training.toy_problem import CONFIG, network, tokenise, toy_bags

ALONE = Processes(torch.device("cpu"))


def tiny(**sizes: bool) -> CellCLIP:
    """Without dropout, and with a class token that layer normalisation is no cliff for, as 0 is."""
    net = network(dropout=False, **sizes)
    nn.init.normal_(net.visual.cls_token)  # type: ignore[arg-type]
    return net


def gradients(net: CellCLIP, config: TrainingConfig) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients of the first batch, as a training has them."""
    batches = Batches(toy_bags(), config)
    with TextTraining(net, batches.texts, tokenise, config, unknown_token=2) as text:
        loss = Stepper(net, text, config, 10, ALONE).backward(0, batches(0))
        found = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    return loss, found


def direct(net: CellCLIP, config: TrainingConfig) -> tuple[float, dict[str, Tensor]]:
    """The same, by one forward pass of the whole batch and one backward pass."""
    batches = Batches(toy_bags(), config)
    batch = batches(0)
    tokens = tokenise(batches.texts)
    rows = torch.from_numpy(batch.captions)
    net.train()
    pooled = net.encode_mil(torch.from_numpy(batch.images))
    image = functional.normalize(net.encode_image(pooled), dim=-1)
    text = functional.normalize(net.encode_text(*(tokens[n][rows] for n in tokens)), dim=-1)
    options = dict(config.loss_options)
    if options:
        options["channel_embed"] = net.visual.channel_embed  # type: ignore[assignment]
    loss = contrastive(
        config.loss,
        image,
        text,
        net.logit_scale,
        pooled=pooled,
        bias=net.bias if needs_bias(config.loss) else None,
        groups=torch.from_numpy(batch.groups),
        same_perturbation=config.same_perturbation,
        **options,  # type: ignore[arg-type]
    )
    loss.backward()
    return float(loss.detach()), {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Nothing may be missing but what is zero."""
    for name in one.keys() | other.keys():
        zero = torch.zeros_like(one[name] if name in one else other[name])
        largest = max(float(g.get(name, zero).abs().max()) for g in (one, other))
        difference = (one.get(name, zero) - other.get(name, zero)).abs().max()
        assert float(difference) <= 1e-4 * largest + 1e-6, name


@pytest.mark.parametrize("same", ["positive", "ignore", "negative"])
@pytest.mark.parametrize("loss", [*LOSSES, *FURTHER_LOSSES])
def test_chunks_give_the_gradient_of_the_whole_batch(loss: str, same: str) -> None:
    config = replace(CONFIG, loss=loss, same_perturbation=same)  # type: ignore[arg-type]
    bias = needs_bias(loss)
    expected_loss, expected = direct(tiny(bias=bias), config)
    for chunk in (0, 1, 5, 16):
        got_loss, got = gradients(tiny(bias=bias), replace(config, micro_batch=chunk))
        assert got_loss == pytest.approx(expected_loss, rel=1e-5)
        assert_same(got, expected)
    assert float(expected["logit_scale"].abs()) > 0
    assert float(expected["image_pool.V.weight"].abs().max()) > 0


def test_gradients_through_the_pooled_features_and_the_channel_embedding_are_there_too() -> None:
    """As published, the weights of cwcl are not detached and see features with the channel embedding added."""
    config = replace(CONFIG, loss_options={"reference_quirks": True}, same_perturbation="negative")
    expected_loss, expected = direct(tiny(), config)
    got_loss, got = gradients(tiny(), replace(config, micro_batch=3))
    assert got_loss == pytest.approx(expected_loss, rel=1e-5)
    assert_same(got, expected)
    usual = direct(tiny(), CONFIG)[1]
    difference = (usual["visual.channel_embed"] - expected["visual.channel_embed"]).abs().max()
    assert float(difference) > 1e-5


@pytest.mark.parametrize("text", ["frozen", "lora"])
def test_so_they_do_with_a_text_tower_that_is_frozen_or_has_adapters(text: str) -> None:
    config = replace(CONFIG, text=text)  # type: ignore[arg-type]
    whole = gradients(tiny(), config)[1]
    assert_same(gradients(tiny(), replace(config, micro_batch=5))[1], whole)
    learnt = {name for name in whole if name.startswith("text.")}
    assert learnt == set() if text == "frozen" else all("lora_" in name for name in learnt)


def towers() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return tuple(  # type: ignore[return-value]
        nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 4))
        for _ in range(2)
    )


@pytest.mark.parametrize("sizes", [(4, 4), (1, 2, 5), (8,)])
def test_dropout_is_the_same_when_a_chunk_is_computed_again(sizes: tuple[int, ...]) -> None:
    """With the graph of every chunk kept there is no second pass: both must find the same gradient."""
    rows = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
    found = []
    for keep in (True, False):
        image, text = towers()
        torch.manual_seed(7)

        def chunks(tower: nn.Module, *, pooled: bool, keep: bool = keep) -> list[Chunk]:
            def forward(part: Tensor) -> tuple[Tensor, ...]:
                unit = functional.normalize(tower(part), dim=-1)
                return (unit, part) if pooled else (unit,)

            parts = rows.split(list(sizes))
            return [Chunk(partial(forward, p), keep=keep, device=torch.device("cpu")) for p in parts]

        scale = nn.Parameter(torch.tensor(2.0))
        loss = batch_backward(
            chunks(image, pooled=True),
            chunks(text, pooled=False),
            torch.arange(8),
            lambda i, t, _, scale=scale: contrastive("clip", i, t, scale, same_perturbation="negative"),
            [scale],
            ALONE,
            gather_pooled=False,
        )
        after = torch.rand(1)
        found.append(
            (loss, after, [p.grad.clone() for p in (*image.parameters(), *text.parameters(), scale)])
        )
    (one, draw, kept), (two, other_draw, replayed) = found
    assert one == two
    assert torch.equal(draw, other_draw)  # the second pass leaves the random numbers outside alone
    for a, b in zip(kept, replayed, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
    # And it matters: with other masks the gradient is another one.
    torch.manual_seed(8)
    image, _ = towers()
    image(rows).sum().backward()
    assert any(not torch.allclose(p.grad, g) for p, g in zip(image.parameters(), kept, strict=False))


def test_only_one_chunk_has_a_graph_at_a_time() -> None:
    passes: list[bool] = []

    def forward() -> tuple[Tensor, ...]:
        passes.append(torch.is_grad_enabled())
        return (weight * 2,)

    weight = nn.Parameter(torch.ones(3))
    chunk = Chunk(forward, keep=False, device=torch.device("cpu"))
    assert passes == [False]
    assert not chunk.outputs[0].requires_grad
    chunk.backward([torch.ones(3)])
    assert passes == [False, True]
    assert torch.equal(weight.grad, torch.full((3,), 2.0))
