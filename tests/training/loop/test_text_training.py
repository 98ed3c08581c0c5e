"""Text towers that learn in full, by adapters, or not at all."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cellclip.model import CellCLIP
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.loop.text_training import TextTraining, add_adapters, merge_adapters
from napari_cellclip.vocabulary import CellClipError
from tests.training.toy_problem import CLASSES, CONFIG, accuracy, network, run, tokenise, toy_bags

SHORT = replace(CONFIG, epochs=2)


def text_weights(net: CellCLIP) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.text.state_dict().items()}


def test_a_frozen_tower_stays_as_it_is_and_reads_each_caption_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    before, read = text_weights(net), []
    forward = net.text.forward

    def counted(*args: object, **options: torch.Tensor) -> object:
        read.append(len(options["input_ids"]))
        return forward(*args, **options)

    monkeypatch.setattr(net.text, "forward", counted)
    projection = net.text_proj.weight.detach().clone()
    run(net, toy_bags(), replace(SHORT, text="frozen"), validation=toy_bags(8, seed=5))
    assert sum(read) == 2 * len(CLASSES)  # "red" and "red cells" and so on; validation has no others
    assert all(torch.equal(before[name], value) for name, value in text_weights(net).items())
    assert not torch.equal(projection, net.text_proj.weight)
    assert all(p.requires_grad for p in net.parameters())  # as it was before


def test_a_head_learns_behind_a_frozen_tower() -> None:
    net = network()
    for weight in net.text.parameters():  # a tower that tells words apart, as after pretraining
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.5)
    run(net, toy_bags(), replace(CONFIG, loss="clip", epochs=40, rate=6e-3, text="frozen"))
    assert accuracy(net, toy_bags(40, seed=5)) > 0.9


def test_adapters_are_merged_into_ordinary_weights() -> None:
    net = network()
    before, names, kind = text_weights(net), set(net.state_dict()), type(net.text)
    run(net, toy_bags(), replace(SHORT, text="lora", lora_rank=2), validation=toy_bags(8, seed=5))
    assert set(net.state_dict()) == names
    assert type(net.text) is kind
    assert not hasattr(net.text, "peft_config")
    changed = {name for name, value in text_weights(net).items() if not torch.equal(before[name], value)}
    assert changed == {f"encoder.layer.0.attention.self.{part}.weight" for part in ("query", "value")}
    for name in changed:
        assert torch.linalg.matrix_rank(text_weights(net)[name] - before[name], atol=1e-6) <= 2
    CellCLIP.from_state_dict(net.state_dict(), text_heads=2, heads=2)


def test_merged_adapters_say_what_they_said_before() -> None:
    net = network().eval()
    plain = net.encode_text(**tokenise(["red cells", "blue"]))
    add_adapters(net, replace(CONFIG, text="lora"))
    for name, value in net.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(value)
    adapted = net.encode_text(**tokenise(["red cells", "blue"]))
    assert (adapted - plain).abs().max() > 1e-3
    merge_adapters(net)
    torch.testing.assert_close(
        net.encode_text(**tokenise(["red cells", "blue"])), adapted, rtol=1e-4, atol=1e-5
    )


def test_a_run_that_is_closed_leaves_no_adapters() -> None:
    from napari_cellclip.training.loop.fit import iter_fit

    net = network()
    names = set(net.state_dict())
    steps = iter_fit(net, toy_bags(), tokenise, replace(SHORT, text="lora"))
    next(steps)
    assert set(net.state_dict()) != names
    steps.close()
    assert set(net.state_dict()) == names


def test_adapters_need_a_bert_and_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, text="lora")
    with pytest.raises(CellClipError, match="adapters are for a BERT"):
        run(network(text_tower="fingerprint"), toy_bags(), config)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(CellClipError, match=r"napari-cellclip\[train\]"):
        run(network(), toy_bags(), config)


def test_words_are_dropped_alike_whoever_embeds_them() -> None:
    """Which words fall depends on the place in the whole batch, not on chunk or process."""
    net = network(dropout=False).eval()
    texts = ["red cells", "blue", "green cells", "grey"]
    config = replace(CONFIG, word_dropout=0.5)
    rows = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    with TextTraining(net, texts, tokenise, config, unknown_token=2) as side, torch.no_grad():

        def embedded(part: np.ndarray, at_once: int, first: int) -> torch.Tensor:
            lots = side.lots(part, at_once, step=4, first=first)
            places = torch.cat([where for where, _ in lots])
            return torch.cat([embed() for _, embed in lots])[torch.argsort(places)]

        whole = embedded(rows, 0, 0)
        torch.testing.assert_close(embedded(rows, 3, 0), whole, rtol=1e-5, atol=1e-6)
        halves = torch.cat([embedded(rows[:4], 0, 0), embedded(rows[4:], 0, 4)])
        torch.testing.assert_close(halves, whole, rtol=1e-5, atol=1e-6)
    with pytest.raises(CellClipError, match="tokenizer with an unknown word"):
        TextTraining(net, texts, tokenise, config)


def test_frozen_and_dropped_words_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="frozen tower"):
        TrainingConfig(text="frozen", word_dropout=0.1)
