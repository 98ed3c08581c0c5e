"""Files of weights from outside: what they may be, what they are called when they are not, and full size."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from napari_cellclip.model import CellCLIP, CellCLIPConfig, load_model
from napari_cellclip.model.network.cellclip import plain_state
from napari_cellclip.model.weights.weight_files import find_weight_file, read_weights
from napari_cellclip.vocabulary import ModelError

PARAMETERS, TENSORS = 449_880_706, 361


class Trap:
    """What a pickle becomes when it is opened: a file on this computer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.pt", "pytorch_model.bin"])
@pytest.mark.parametrize("how", ["pickle", "torch", "inside a state dict"])
def test_a_pickle_posing_as_a_checkpoint_is_refused_and_not_run(tmp_path, name, how):
    sprung, file = tmp_path / "sprung", tmp_path / name
    if how == "pickle":
        file.write_bytes(pickle.dumps(Trap(sprung)))
    else:
        content = (
            Trap(sprung) if how == "torch" else {"model": {"visual.proj": torch.zeros(2)}, "a": Trap(sprung)}
        )
        torch.save(content, file)
    with pytest.raises(ModelError, match=r"is refused as weights, and nothing in it was run|cannot be read"):
        load_model(file, device="cpu")
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()  # the trap works: it was the reader that did not spring it


def test_the_refusal_names_what_would_have_run(tmp_path):
    torch.save({"model": Trap(tmp_path / "sprung")}, tmp_path / "checkpoint.pt")
    with pytest.raises(
        ModelError, match=r"more than tensors \((builtins\.)?getattr\); ask for the weights as a safetensors"
    ):
        read_weights(tmp_path / "checkpoint.pt")


def test_checkpoints_of_other_architectures_are_refused_by_name(tmp_path, make_cellclip):
    import timm

    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "resnet.safetensors")
    with pytest.raises(ModelError, match=r"not those of a CellCLIP: visual\.channel_embed is missing"):
        load_model(tmp_path / "resnet.safetensors", device="cpu")
    state = make_cellclip().state_dict()
    short = {k: v for k, v in state.items() if k not in ("text_proj.bias", "visual.ln_post.weight")}
    short["visual.conv1.weight"] = torch.zeros(3)
    short["visual.cls_token"] = torch.zeros(1, 7)
    save_file(short, tmp_path / "short.safetensors")
    with pytest.raises(ModelError) as refused:
        load_model(tmp_path / "short.safetensors", device="cpu")
    said = str(refused.value)
    assert "2 missing (text_proj.bias, visual.ln_post.weight)" in said
    assert "1 unknown (visual.conv1.weight)" in said
    assert "visual.cls_token (1, 7) instead of (1, 16)" in said


names = st.sampled_from(["visual.channel_embed", "visual.proj", "model", "steps", "text_proj.bias", "bias"])
things = st.one_of(
    st.none(), st.integers(), st.text(max_size=3), st.just(torch.zeros(3)), st.just(torch.zeros(2, 2))
)


@given(st.dictionaries(names, st.one_of(things, st.dictionaries(names, things, max_size=3)), max_size=5))
def test_whatever_a_file_holds_the_answer_is_a_sentence(content):
    with pytest.raises(ModelError):
        CellCLIP.from_state_dict(content)


def test_training_checkpoints_open(tmp_path, make_cellclip):
    model = make_cellclip()
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    state["module.text.embeddings.position_ids"] = torch.arange(48)[None]
    torch.save(
        {"model": state, "optimizer": {"lr": 1e-3}, "steps": 7, "epoch": 1},
        tmp_path / "ckpt_steps_00000007.pt",
    )
    opened = CellCLIP.from_state_dict(
        read_weights(tmp_path / "ckpt_steps_00000007.pt"), heads=8, text_heads=2
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, opened.state_dict()[name])


def test_files_looked_for_in_a_folder(tmp_path):
    with pytest.raises(ModelError, match=r"no weights in .*model\.safetensors"):
        find_weight_file(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ModelError, match="lie in several files"):
        find_weight_file(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    (tmp_path / "model.safetensors").touch()
    assert find_weight_file(tmp_path).name == "model.safetensors"
    with pytest.raises(ModelError, match="there are no weights at"):
        read_weights(tmp_path / "absent.pt")


def full_size_shapes() -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = CellCLIP(CellCLIPConfig())
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def test_names_and_shapes_of_the_published_model():
    shapes = full_size_shapes()
    assert len(shapes) == TENSORS
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == PARAMETERS


@pytest.mark.parity
def test_names_and_shapes_are_those_on_record(golden):
    rows = [line.split("\t") for line in (golden.parent / "state_dict.tsv").read_text().splitlines()]
    listed = {row[0]: row[1].replace(" ", "") for row in rows if row[0] not in ("name", "key")}
    ours = {name: str(shape).replace(" ", "") for name, shape in full_size_shapes().items()}
    assert set(listed) == set(ours)
    assert all(
        "x".join(s.strip("(),").split(",")) == "x".join(listed[n].strip("()[],").replace("x", ",").split(","))
        for n, s in ours.items()
    )


LOAD = """
import json, resource, sys
import numpy as np
from napari_cellclip.model import load_model, registry
published = registry.published_card()
branch = {"revision": "main", "sha256": "", "size": 0}  # random weights: not the bytes on record
card = published.model_copy(update={
    "tokenizer": published.tokenizer.model_copy(update=branch),
    "encoder": published.encoder.model_copy(update={"weights": published.encoder.weights.model_copy(update=branch)}),
})
registry.published_card = lambda: card
model = load_model("mil_cell_clip", accept_licence=True, device="cpu", batch_size=5)
field = np.random.default_rng(0).integers(100, 4000, (5, 224, 224), dtype=np.uint16)
features = model.fields_features([field])[0]
well, text = model.embed_wells([features[None]]), model.embed_texts(["U2OS cells treated with compound: taxol"])
print(json.dumps({
    "tensors": len(model.cellclip.state_dict()),
    "parameters": sum(p.numel() for p in model.cellclip.parameters()),
    "shapes": [list(features.shape), list(well.shape), list(text.shape)],
    "finite": bool(np.isfinite(features).all() and np.isfinite(well).all() and np.isfinite(text).all()),
    "commit": model.card.weights.revision,
    "embedding": float(model.cellclip.text_proj.bias[3]),
    "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
}))
"""


def as_hub_cache(cache: Path, repo: str, commit: str) -> Path:
    """Folder of a repository's snapshot in the layout of the hub's client."""
    place = cache / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots" / commit).mkdir(parents=True)
    return place / "snapshots" / commit


def write_full_size_files(hub: Path) -> float:
    """A random checkpoint of the published size, a DINOv2 of its width but two layers, and a vocabulary."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    state = {name: 0.02 * torch.randn(shape) for name, shape in full_size_shapes().items()}
    weights = as_hub_cache(hub, "suinleelab/CellCLIP", "1" * 40)
    save_file(state, weights / "model.safetensors")
    told = {
        "embed_dim": 512,
        "pooling": "attention",
        "vision_heads": 8,
        "vision_layers": 12,
        "vision_width": 1536,
    }
    (weights / "config.json").write_text(json.dumps(told))
    config = Dinov2Config(
        hidden_size=1536,
        num_hidden_layers=2,
        num_attention_heads=24,
        image_size=518,
        patch_size=14,
        use_swiglu_ffn=True,
    )
    Dinov2Model(config).save_pretrained(as_hub_cache(hub, "facebook/dinov2-giant", "2" * 40))
    words = as_hub_cache(hub, "google-bert/bert-base-cased", "3" * 40)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{i}" for i in range(28_991))]
    (words / "vocab.txt").write_text("\n".join(pieces) + "\n")
    (words / "tokenizer_config.json").write_text('{"do_lower_case": false, "model_max_length": 512}')
    return float(state["text_proj.bias"][3])


@pytest.mark.slow
def test_the_published_size_loads_from_the_hubs_cache(tmp_path):
    """All 361 tensors, 449,880,706 parameters, through the door that published weights take, offline."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:  # 2 GB: not kept like other tests' files
        hub = Path(scratch) / "hub"
        expected = write_full_size_files(hub)
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": str(hub),
            "NAPARI_CELLCLIP_CACHE": str(Path(scratch) / "cache"),
        }
        run = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert (told["tensors"], told["parameters"]) == (TENSORS, PARAMETERS)
    assert told["shapes"] == [[5, 1536], [1, 512], [1, 512]]
    assert told["finite"]
    assert told["commit"] == "1" * 40
    assert told["embedding"] == pytest.approx(expected)
    assert told["gigabytes"] < 6
    assert plain_state({"model": {"module.a": torch.zeros(1)}}).keys() == {"a"}
