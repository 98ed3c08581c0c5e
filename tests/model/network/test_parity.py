"""The published model's numbers, reproduced (../shared/reference/golden)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_cellclip.model import CellCLIP, CellCLIPConfig, PromptTemplates, clip_loss, cwcl_loss
from napari_cellclip.model.encoders.intensity import brightest_threshold, eight_bit
from napari_cellclip.model.losses import (
    FURTHER_LOSSES,
    LOSSES,
    contrastive,
    hopfield_retrieval,
    profile_similarity,
)
from napari_cellclip.model.network.cellclip import INITIAL_LOGIT_SCALE
from napari_cellclip.model.network.image_tower import CrossChannelFormer
from napari_cellclip.model.network.pooling import instance_mask, pool_without_weights
from napari_cellclip.vocabulary import Control, Kind, Perturbation

pytestmark = pytest.mark.parity


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def tensors(path):
    return {name: torch.tensor(a) for name, a in arrays(path).items() if a.dtype.kind in "fib"}


@pytest.fixture(scope="module")
def tiny(golden):
    return CellCLIP.from_state_dict(load_file(golden / "tiny_state.safetensors"), text_heads=4)


@pytest.fixture(scope="module")
def image(golden):
    return tensors(golden / "image_tower.npz")


def close(got, expected, tolerance):
    np.testing.assert_allclose(got.detach().numpy(), expected.numpy(), rtol=0, atol=tolerance)


def test_full_size_names_and_shapes(golden):
    rows = [line.split("\t") for line in (golden.parent / "state_dict.tsv").read_text().splitlines()[1:]]
    expected = {name: (shape, dtype) for name, shape, dtype in rows}
    with torch.device("meta"):
        model = CellCLIP(CellCLIPConfig())
    found = {
        name: (str(tuple(t.shape)), str(t.dtype).removeprefix("torch."))
        for name, t in model.state_dict().items()
    }
    assert found == expected
    assert len(found) == 361


def test_tiny_state_loads_strictly(golden, tiny):
    rows = [line.split("\t") for line in (golden / "tiny_state.tsv").read_text().splitlines()[1:]]
    assert {name: str(tuple(t.shape)) for name, t in tiny.state_dict().items()} == {r[0]: r[1] for r in rows}
    assert tiny.logit_scale.item() == pytest.approx(INITIAL_LOGIT_SCALE)


def test_pooling(tiny, image):
    bags = image["bags"]
    pool = tiny.image_pool
    close(pool.scores(bags).transpose(1, 2), image["attn_scores"], 1e-6)
    assert torch.equal(instance_mask(bags).transpose(1, 2), image["attn_mask"].bool())
    close(pool.weights(bags).transpose(1, 2), image["attn_weights"], 1e-6)
    close(tiny.encode_mil(bags), image["pooled"], 1e-6)


def test_pooling_of_a_blank_channel_differs_only_there(tiny, image):
    pooled, reference = tiny.encode_mil(image["bag_with_empty_channel"]), image["pooled_with_empty_channel"]
    blank = reference.isnan().all(dim=-1)
    assert blank.tolist() == [[False, False, True, False, False]]
    assert (pooled[blank] == 0).all()
    close(pooled[~blank], reference[~blank], 1e-6)


def test_pooling_modes_that_count_padding(golden):
    modes = tensors(golden / "pooling_modes.npz")
    for how in ("mean", "median"):
        close(pool_without_weights(modes["bags"], how, count_padding=True), modes[how], 1e-6)


def test_image_tower_step_by_step(tiny, image):
    pooled = image["pooled"].clone()
    tower = tiny.visual
    with torch.no_grad():
        close(tower.channel_ln(pooled + tower.channel_embed), image["tokens_channel_ln"], 1e-5)
        x = tower.tokens(pooled)
        close(x, image["tokens_ln_pre"], 1e-5)
        for i, block in enumerate(tower.transformer.resblocks):
            x = block(x)
            close(x, image[f"block{i}_out"], 1e-5)
        close(tower.ln_post(x[:, 0]), image["cls_ln_post"], 1e-5)
        close(tiny.encode_image(pooled), image["encode_image"], 1e-5)
        close(tiny.encode_image(pooled[:, image["channel_perm"]]), image["encode_image_permuted"], 1e-5)
        close(tiny.encode_image(image["single_instance_in"]), image["single_instance_out"], 1e-5)
    assert torch.equal(pooled, image["pooled"])
    close(pooled + tower.channel_embed, image["pooled_after_encode_image"], 1e-6)


def test_image_tower_without_projection(golden):
    state = load_file(golden / "tiny_noproj_visual_state.safetensors")
    tower = CrossChannelFormer(64, 64, layers=2)
    tower.load_state_dict(state, strict=True)
    case = tensors(golden / "image_tower_noproj.npz")
    close(tower(case["x"]), case["encode_image"], 1e-5)


def test_text_tower_and_heads(golden, tiny, image):
    case = tensors(golden / "text_tower.npz")
    ids, mask = case["input_ids"], case["attention_mask"]
    with torch.no_grad():
        real = mask.bool()
        close(tiny.text.read_tokens(ids, mask)[real], case["last_hidden_state"][real], 1e-5)
        close(tiny.text(ids, mask), case["pooler_output"], 1e-5)
        close(tiny.encode_text(ids, mask), case["encode_text"], 1e-5)
        image_out, text_out, scale = tiny(image["pooled"], {"input_ids": ids, "attention_mask": mask})
    close(image_out, case["image_features"], 1e-5)
    close(text_out, case["text_features"], 1e-5)
    close(scale, case["logit_scale"], 1e-6)


@pytest.mark.parametrize("name", [*LOSSES, *FURTHER_LOSSES])
def test_loss_by_name(golden, name):
    case = tensors(golden / "losses.npz")
    bias = case["s2l_bias" if name == "s2l" else "bias"]
    found = contrastive(
        name,
        case["img"],
        case["txt"],
        case["logit_scale"],
        pooled=case["pooled"],
        bias=bias,
        same_perturbation="negative",
        reference_quirks=True,
    )
    assert found.item() == pytest.approx(case[name].item(), rel=1e-5)


def test_retrieved_patterns_of_cloob(golden):
    case = tensors(golden / "losses.npz")
    of = {"x": case["img"], "y": case["txt"]}
    for stored in "xy":
        for queries in "xy":
            # Named stored pattern first: xy are images that texts retrieved.
            found = hopfield_retrieval(of[queries], of[stored], case["hopfield_scale"].item())
            close(found, case[f"cloob_{stored}{queries}"], 1e-6)


def test_losses_and_their_gradients(golden):
    case = tensors(golden / "losses.npz")
    leaves = {k: case[k].clone().requires_grad_() for k in ("img", "txt", "pooled", "logit_scale")}
    img, txt, pooled, scale = leaves.values()
    assert clip_loss(img, txt, scale).item() == pytest.approx(case["clip"].item(), rel=1e-5)
    with_embed = cwcl_loss(img, txt, pooled, scale, channel_embed=case["channel_embed"])
    assert with_embed.item() == pytest.approx(case["cwcl_with_channel_embed"].item(), rel=1e-5)
    raw = profile_similarity(pooled)
    close(raw, case["cwcl_raw_weights"], 1e-6)
    close(raw / (raw.sum(1, keepdim=True) + 1e-8), case["cwcl_row_weights"], 1e-6)
    loss = cwcl_loss(img, txt, pooled, scale, detach_weights=False)
    assert loss.item() == pytest.approx(case["cwcl"].item(), rel=1e-5)
    loss.backward()
    for name, leaf in leaves.items():
        expected = case[f"grad_cwcl_{name}"]
        error = (leaf.grad - expected).abs().max() / expected.abs().max()
        assert error < 1e-4, name


def test_first_training_step(golden, tiny, image):
    case = arrays(golden / "train_step.npz")
    text = tensors(golden / "text_tower.npz")
    model = CellCLIP.from_state_dict(tiny.state_dict(), text_heads=4)
    pooled = model.encode_mil(image["bags"])
    tokens = {"input_ids": text["input_ids"], "attention_mask": text["attention_mask"]}
    img, txt, scale = model(pooled, tokens)
    loss = cwcl_loss(img, txt, pooled, scale, detach_weights=False, channel_embed=model.visual.channel_embed)
    assert loss.item() == pytest.approx(float(case["loss"]), rel=1e-5)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 20)
    assert norm.item() == pytest.approx(float(case["grad_norm_before_clip"]), rel=1e-4)
    named = dict(model.named_parameters())
    checked = [key.removeprefix("grad.") for key in case if key.startswith("grad.")]
    assert len(checked) == 11
    for name in checked:
        expected = case[f"grad.{name}"]
        # Softmax does not see the pooling's last bias: its gradient is zero but for rounding.
        size = max(np.abs(expected).max(), 1e-2)
        assert np.abs(named[name].grad.numpy() - expected).max() / size < 1e-4, name


def test_intensity(golden):
    case = arrays(golden / "intensity.npz")
    for name in ("a_300x200", "b_520x696"):
        image = case[f"{name}_in"]
        assert brightest_threshold(image) == case[f"{name}_threshold"]
        np.testing.assert_array_equal(eight_bit(image), case[f"{name}_out"])


def test_small_image_is_not_saturated_as_in_the_reference(golden):
    case = arrays(golden / "intensity.npz")
    assert (case["small_64x48_out"] == 255).all()
    scaled = eight_bit(case["small_64x48_in"])
    assert scaled.max() == 255
    assert (scaled == 255).mean() < 0.01


# Gaps written "nan", guides that stand for a control, and a control among over-expressions: what the published
# captions got wrong, or what no plate map leads to.
NOT_WORDED = {
    "bray compound without name",
    "crispr negcon",
    "crispr poscon",
    "rxrx3 crispr guide",
    "rxrx3 crispr EMPTY_control",
    "rxrx3 crispr CRISPR_control, gene NaN",
    "orf control",
}


def prompt_of(cell: str, kind: str, name: str | None, info: str | None, *_: str | None) -> str:
    templates = PromptTemplates()
    if name is None:
        return templates.for_control(cell_line=cell)
    if kind == "compound":
        control = Control.NEGATIVE if name == "DMSO" or "control" in name else None
        return templates.for_perturbation(
            Perturbation(Kind.COMPOUND, name, info or "", control=control), cell
        )
    return (
        templates.for_expression(name, cell)
        if kind == "orf"
        else templates.for_knockout(name, info or "", cell)
    )


def test_prompts(golden):
    cases = {case["case"]: case for case in json.loads((golden / "prompts.json").read_text())}
    assert len(cases) == 16
    assert set(cases) > NOT_WORDED
    for name, case in cases.items():
        assert (prompt_of(*case["args"]) == case["prompt"]) == (name not in NOT_WORDED), name
