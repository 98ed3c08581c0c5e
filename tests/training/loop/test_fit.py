"""A small CellCLIP learns a toy problem, the same way twice, and goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_cellclip.model.losses import FURTHER_LOSSES, LOSSES
from napari_cellclip.training.config_sections import TrainingConfig, ValidationConfig
from napari_cellclip.training.data.bags import Bag, Caption, pad
from napari_cellclip.training.loop.fit import iter_fit
from napari_cellclip.training.loop.text_training import TextTraining, drop_words
from napari_cellclip.training.loop.validation import score_bags
from napari_cellclip.vocabulary import CellClipError
from tests.training.toy_problem import CONFIG, accuracy, fit, losses, network, run, tokenise, toy_bags


@pytest.mark.parametrize(("loss", "epochs"), [("clip", 40), ("cwcl", 80)])
def test_learns_which_words_go_with_which_wells(loss: str, epochs: int) -> None:
    config = replace(CONFIG, loss=loss, epochs=epochs, rate=6e-3)  # type: ignore[arg-type]
    unseen = toy_bags(40, seed=5)
    assert accuracy(network(), unseen) < 0.6
    assert accuracy(run(network(), toy_bags(), config), unseen) > 0.9


def test_shuffled_captions_teach_nothing() -> None:
    bags = toy_bags()
    captions = [bag.captions for bag in bags]
    order = np.random.default_rng(1).permutation(len(bags))
    shuffled = [
        replace(bag, captions=captions[j], group=bags[j].group) for bag, j in zip(bags, order, strict=True)
    ]
    assert (
        accuracy(
            run(network(), shuffled, replace(CONFIG, loss="clip", epochs=30, rate=6e-3)), toy_bags(40, seed=5)
        )
        < 0.6
    )


def test_the_seed_decides_the_weights() -> None:
    one, two = (run(network(), toy_bags(), replace(CONFIG, epochs=2)).state_dict() for _ in range(2))
    other = run(network(), toy_bags(), replace(CONFIG, epochs=2, seed=4)).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=4)
    whole = run(network(), toy_bags(), config).state_dict()
    checkpoint = tmp_path / "checkpoint.pt"
    steps = iter_fit(network(), toy_bags(), tokenise, config, checkpoint=checkpoint)
    assert [next(steps).done, next(steps).done] == [1, 2]
    steps.close()
    continued = network(seed=17)  # its own weights must not matter
    reports = list(iter_fit(continued, toy_bags(), tokenise, config, checkpoint=checkpoint))
    assert [report.done for report in reports] == [3, 4]
    assert all(torch.equal(whole[name], value) for name, value in continued.state_dict().items())


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    run(network(), toy_bags(), replace(CONFIG, epochs=1), checkpoint=checkpoint)
    with pytest.raises(CellClipError, match="other settings"):
        run(network(), toy_bags(), replace(CONFIG, epochs=2), checkpoint=checkpoint)


def test_a_checkpoint_of_other_wells_captions_or_origin_is_refused(tmp_path: Path) -> None:
    checkpoint, config = tmp_path / "checkpoint.pt", replace(CONFIG, epochs=1)
    bags = toy_bags(16)
    run(network(), bags, config, checkpoint=checkpoint, origin={"start model": "a"})
    renamed = [replace(bags[0], captions=(Caption("blue"),)), *bags[1:]]
    for other in (toy_bags(16, seed=1), renamed):
        with pytest.raises(
            CellClipError, match=r"checkpoint\.pt belongs to .* other wells or captions: remove"
        ):
            run(network(), other, config, checkpoint=checkpoint, origin={"start model": "a"})
    with pytest.raises(CellClipError, match="other start model: remove"):
        run(network(), bags, config, checkpoint=checkpoint, origin={"start model": "b"})
    run(network(), bags, config, checkpoint=checkpoint, origin={"start model": "a"})


def test_dropped_words_keep_the_frame() -> None:
    tokens = tokenise(["red cells", "blue"])
    ids, mask = tokens["input_ids"], tokens["attention_mask"]
    dropped = drop_words(ids, mask, np.ones(ids.shape, bool), 2)
    assert dropped.tolist() == [[0, 2, 2, 1], [0, 2, 1, 1]]
    assert torch.equal(ids, tokenise(["red cells", "blue"])["input_ids"])


@pytest.mark.parametrize("text", ["full", "frozen"])
def test_captions_in_lots_are_embedded_as_all_at_once(text: str) -> None:
    net = network().eval()
    texts = [" ".join(["red"] * n) for n in (3, 1, 5, 2, 4)]
    with torch.inference_mode():
        together = functional.normalize(net.encode_text(**tokenise(texts)), dim=-1)
    rows = np.array([2, 0, 0, 4, 1, 3])
    config = TrainingConfig(text=text)  # type: ignore[arg-type]
    with TextTraining(net, texts, tokenise, config) as side, torch.no_grad():
        lots = side.lots(rows, 2, step=0, first=0)
        assert [len(places) for places, _ in lots] == [2, 2, 2]
        for places, embed in lots:
            torch.testing.assert_close(embed(), together[rows[places.numpy()]], rtol=1e-5, atol=1e-6)
        one = functional.normalize(torch.from_numpy(side.embed(texts)), dim=-1)
    torch.testing.assert_close(one, together, rtol=1e-5, atol=1e-6)


def test_wells_of_weight_zero_are_left_out() -> None:
    poisoned = [
        *toy_bags(),
        Bag(np.full((1, 5, 16), np.nan, np.float32), (Caption("red"),), "red", weight=0.0),
    ]
    config = replace(CONFIG, epochs=2)
    found, clean = (run(network(), bags, config).state_dict() for bags in (poisoned, toy_bags()))
    for name, value in clean.items():
        assert torch.equal(found[name], value), name


def test_one_perturbation_is_nothing_to_contrast() -> None:
    bags = [bag for bag in toy_bags() if bag.group == "red"]
    with pytest.raises(CellClipError, match="two different"):
        run(network(), bags, CONFIG)


@pytest.mark.parametrize("loss", [*LOSSES, *FURTHER_LOSSES])
def test_every_loss_goes_down(loss: str, tmp_path: Path) -> None:
    net = network(bias=loss in ("sigclip", "s2l"))
    config = replace(CONFIG, loss=loss, epochs=15)  # type: ignore[arg-type]
    run(net, toy_bags(), config, log=tmp_path)
    curve = losses(tmp_path / "log.csv")
    assert len(curve) == 15 * 4
    assert np.mean(curve[-8:]) < np.mean(curve[:8])


def test_a_loss_that_needs_a_bias_says_so() -> None:
    with pytest.raises(CellClipError, match="sigclip needs a model with a bias"):
        run(network(), toy_bags(), replace(CONFIG, loss="sigclip"))


def test_options_of_a_loss_reach_it(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=1, loss="cloob")
    run(network(), toy_bags(), config, log=tmp_path / "usual")
    other = replace(config, loss_options={"hopfield_scale": 3.0})
    run(network(), toy_bags(), other, log=tmp_path / "other")
    assert losses(tmp_path / "usual" / "log.csv")[0] != losses(tmp_path / "other" / "log.csv")[0]
    with pytest.raises(CellClipError, match="no option hopfeld"):
        run(network(), toy_bags(), replace(config, loss_options={"hopfeld": 3.0}))


def test_a_loss_that_is_not_finite_ends_the_run() -> None:
    bags = toy_bags(16)
    huge = [replace(bag, features=bag.features * np.float32(1e37)) for bag in bags]
    with pytest.raises(CellClipError, match="loss of step 1 is not finite: lower"):
        run(network(pooling="mean"), huge, replace(CONFIG, feature_noise=0.0))


def test_fields_of_a_model_that_pools_none_are_samples_of_their_own(tmp_path: Path) -> None:
    bags = toy_bags()
    fields = sum(len(bag.features) for bag in bags)
    net = network(pooling="none")
    run(net, bags, replace(CONFIG, epochs=30, loss="clip", rate=6e-3), log=tmp_path)
    assert len(losses(tmp_path / "log.csv")) == 30 * (fields // CONFIG.batch)
    assert accuracy(net, toy_bags(40, seed=5)) > 0.9


def test_half_precision_learns_on_the_cpu_too() -> None:
    net = run(network(), toy_bags(), replace(CONFIG, loss="clip", epochs=40, rate=6e-3, precision="bf16"))
    assert all(value.dtype == torch.float32 for value in net.state_dict().values())
    assert accuracy(net, toy_bags(40, seed=5)) > 0.9
    with pytest.raises(CellClipError, match="fp16' needs an NVIDIA GPU"):
        run(network(), toy_bags(), replace(CONFIG, precision="fp16"))


def test_the_best_weights_are_kept_and_patience_ends_a_run(tmp_path: Path) -> None:
    """A rate that ruins the weights after they were good."""
    bags, held = toy_bags(), toy_bags(24, seed=5)
    config = replace(CONFIG, loss="clip", epochs=60, rate=1e-1, warmup=20)
    net = network()
    fitted = fit(net, bags, config, validation=held, validating=ValidationConfig(patience=4), log=tmp_path)
    assert fitted.stopped_early
    assert fitted.best_epoch is not None
    assert fitted.epochs == fitted.best_epoch + 4
    assert score_bags(net, held, tokenise).score("mrr") == pytest.approx(fitted.best_score, abs=1e-6)
    header, *rows = (line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines())
    place = header.index("validation_mrr")
    judged = [float(row[place]) for row in rows if row[place]]
    assert len(judged) == fitted.epochs + 1  # before the first step, and after each epoch
    trained = judged[6:]  # five epochs of warm-up, and the start
    assert max(trained) == pytest.approx(fitted.best_score, abs=1e-6)
    assert trained.index(max(trained)) + 6 == fitted.best_epoch


def test_patience_waits_for_the_warm_up_and_keeps_nothing_of_it() -> None:
    """On few wells the warm-up lasts many epochs, of which the first was kept by chance, hardly trained."""
    bags, held = toy_bags(), toy_bags(24, seed=5)
    config = replace(CONFIG, epochs=20, rate=1e-9, warmup=16)  # four steps an epoch
    fitted = fit(network(), bags, config, validation=held, validating=ValidationConfig(patience=1))
    assert (fitted.best_epoch, fitted.epochs) == (5, 6)
    assert fit(network(), bags, replace(config, epochs=1), validation=held).best_epoch == 1


def test_a_short_run_warms_up_for_a_quarter_of_its_steps_at_most(tmp_path: Path) -> None:
    """With all of it a warm-up, the rate never fell and the last epoch was kept, whatever it scored."""
    config = replace(CONFIG, loss="clip", epochs=8, warmup=50)  # four steps an epoch
    told = [
        step.message
        for step in iter_fit(
            network(), toy_bags(), tokenise, config, validation=toy_bags(24, seed=5), log=tmp_path
        )
    ]
    assert ["warming up" in message for message in told] == [True, True, *[False] * 6]
    header, *rows = (line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines())
    rates = [float(row[header.index("learning_rate")]) for row in rows if row[header.index("learning_rate")]]
    assert rates.index(max(rates)) == 7  # the eighth of 32 steps
    assert rates[7] == pytest.approx(config.rate)
    assert rates[-1] < 0.1 * config.rate


def test_validation_before_the_first_step_is_the_start_models(tmp_path: Path) -> None:
    start = run(network(), toy_bags(), replace(CONFIG, loss="clip", epochs=20))
    before = score_bags(start, toy_bags(24, seed=5), tokenise).score("mrr")
    fit(start, toy_bags(), replace(CONFIG, epochs=1), validation=toy_bags(24, seed=5), log=tmp_path)
    header, first, *_ = (line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines())
    assert float(first[header.index("validation_mrr")]) == pytest.approx(before, abs=1e-6)
    assert before > score_bags(network(), toy_bags(24, seed=5), tokenise).score("mrr")


def test_padding_is_zero_and_order_is_kept() -> None:
    bags = [np.ones((2, 5, 3), np.float32), np.full((1, 5, 3), 2, np.float32)]
    padded = pad(bags)
    assert padded.shape == (2, 2, 5, 3)
    assert (padded[1, 0] == 2).all()
    assert (padded[1, 1] == 0).all()
