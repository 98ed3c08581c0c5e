"""Structures in place of words: the tokenizer, its tower, and a model that has both."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.model import CellCLIP, CellCLIPConfig, PromptTemplates, load_model, save_model
from napari_cellclip.model.network.fingerprint_tokenizer import FILE, FingerprintTokenizer, structure_in
from napari_cellclip.model.network.fingerprint_tower import FingerprintTower
from napari_cellclip.vocabulary import ModelError

NOCODAZOLE = "COC(=O)Nc1nc2ccc(cc2[nH]1)C(=O)c1cccs1"


@pytest.fixture(scope="module")
def structures() -> FingerprintTokenizer:
    return FingerprintTokenizer(bits=128)


def test_structures_are_found_where_the_templates_put_them():
    templates = PromptTemplates()
    for prompt in (
        templates.for_compound("nocodazole", NOCODAZOLE),
        templates.for_compound("", NOCODAZOLE, cell_line="A549"),
        templates.compound.format(cell="", name="a, SMILES-less name", smiles=NOCODAZOLE),
    ):
        assert structure_in(prompt) == NOCODAZOLE
    assert structure_in(templates.for_control("DMSO")) == "CS(C)=O"
    for words in (templates.for_mechanism("tubulin inhibitor"), templates.for_knockout("TUBB"), ""):
        assert structure_in(words) == ""


def test_counts_are_those_of_ecfp4(structures):
    # Ethanol has three atoms; at radius 0 all differ, at radius 1 too, and at radius 2 the fragments around
    # them hold the same bonds as one that is there already and are dropped.
    wide = FingerprintTokenizer(bits=2**20)
    assert sorted(wide.counts("CCO").values()) == [1] * 6
    # Hexane: of each symmetric pair one fragment, counted twice; four chain carbons alike at radius 0.
    assert sorted(wide.counts("CCCCCC").values(), reverse=True)[:2] == [4, 2]
    assert structures.counts("CCO") == structures.counts("OCC")


def test_tokens_are_fragments_as_often_as_they_occur(structures):
    tokens = structures([f"a SMILES: {NOCODAZOLE}", "SMILES: CCO", "tubulin inhibitor"])
    ids, mask = tokens["input_ids"], tokens["attention_mask"]
    assert ids.dtype == mask.dtype == torch.int64
    for row, smiles in ((0, NOCODAZOLE), (1, "CCO")):
        found = np.bincount(ids[row][mask[row].bool()].numpy() - 2, minlength=128)
        assert {i: int(n) for i, n in enumerate(found) if n} == structures.counts(smiles)
    assert ids[2].tolist() == [1] + [0] * (ids.shape[1] - 1)
    assert mask[2].sum() == 1
    assert structures.tokens("words")[0] == "[UNK]"
    assert structures([])["input_ids"].shape == (0, 0)


def test_the_tower_sums_fragments_like_a_linear_layer_on_counts(structures):
    torch.manual_seed(0)
    tower = FingerprintTower(len(structures), 16, layers=1).eval()
    seen = []
    tower.ln_pre.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    tower(**structures([f"SMILES: {NOCODAZOLE}", "SMILES: CCO"]))
    counts = np.zeros((2, len(structures)))
    for row, smiles in enumerate((NOCODAZOLE, "CCO")):
        for bit, count in structures.counts(smiles).items():
            counts[row, bit + 2] = count
    expected = counts @ tower.structure.weight.detach().double().numpy()
    np.testing.assert_allclose(seen[0].detach().numpy(), expected, atol=1e-6)


def test_padding_does_not_matter(structures):
    torch.manual_seed(0)
    tower = FingerprintTower(len(structures), 16).eval()
    alone = tower(**structures(["SMILES: CCO"]))
    together = tower(**structures(["SMILES: CCO", f"SMILES: {NOCODAZOLE}"]))
    torch.testing.assert_close(alone[0], together[0])


def test_words_without_structure_share_one_point(
    tmp_path, tiny_card, make_encoder, make_cellclip, structures
):
    made = make_cellclip(text_tower="fingerprint", text_vocabulary=len(structures))
    card = save_model(tmp_path / "m", tiny_card, make_encoder(), made, structures)
    assert (card.text_tower, card.tokenizer.file) == ("fingerprint", FILE)
    assert not (tmp_path / "m" / "vocab.txt").exists()
    model = load_model(tmp_path / "m", device="cpu")
    asked = model.embed_texts(
        [
            f"U2OS cells treated with compound: X, SMILES: {NOCODAZOLE}",
            "U2OS cells treated with SMILES: CCO",
            "A549 cells treated with compound: ethanol, SMILES: OCC",
            "tubulin inhibitor",
            "TUBB knockout",
        ]
    )
    assert np.isfinite(asked).all()
    assert not np.allclose(asked[0], asked[1], atol=1e-3)
    np.testing.assert_allclose(asked[1], asked[2], atol=1e-5)
    np.testing.assert_array_equal(asked[3], asked[4])
    assert not np.allclose(asked[1], asked[3], atol=1e-3)


def test_a_tokenizer_of_another_model_is_refused(
    tmp_path, tiny_card, make_encoder, make_cellclip, structures
):
    made = make_cellclip(text_tower="fingerprint", text_vocabulary=len(structures))
    save_model(tmp_path / "m", tiny_card, make_encoder(), made, structures)
    FingerprintTokenizer(bits=256).save(tmp_path / "other")
    with pytest.raises(ModelError, match="258 word pieces, the model only 130"):
        load_model(tmp_path / "m", tokenizer=tmp_path / "other", device="cpu")


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "nonsense",
        json.dumps({"kind": "maccs", "bits": 166, "radius": 0}),
        json.dumps({"kind": "morgan_count", "bits": 10**12, "radius": 2}),
        json.dumps({"kind": "morgan_count", "bits": 64, "radius": -1}),
        json.dumps({"kind": "morgan_count", "bits": None, "radius": 2}),
    ],
)
def test_files_that_describe_no_fingerprint_are_refused(tmp_path, content):
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(ModelError):
        FingerprintTokenizer.from_folder(tmp_path)


def test_folder_without_fingerprint(tmp_path):
    with pytest.raises(ModelError, match="describes no fingerprint"):
        FingerprintTokenizer.from_folder(tmp_path)


def test_settings_come_back(tmp_path):
    FingerprintTokenizer(bits=300, radius=3).save(tmp_path)
    read = FingerprintTokenizer.from_folder(tmp_path)
    assert (read.bits, read.radius, len(read)) == (300, 3, 302)


@pytest.mark.parametrize("smiles", ["C1CC", "xyz", "C(C)(C)(C)(C)C", "C" * 3000])
def test_structures_that_cannot_be_read_are_named(structures, smiles):
    with pytest.raises(ModelError, match=smiles[:3].replace("(", r"\(")):
        structures([f"U2OS cells treated with SMILES: {smiles}"])


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    tokenizer = FingerprintTokenizer(bits=16)
    for asked in (text, f"SMILES: {text}"):
        try:
            tokens = tokenizer([asked])
        except ModelError:
            continue
        assert tokens["input_ids"].shape == tokens["attention_mask"].shape
        assert tokens["input_ids"].shape[1] > 0
        assert tokens["input_ids"].max() < len(tokenizer)


def test_without_rdkit_the_extra_is_named(structures, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "rdkit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ModelError, match=r"napari-cellclip\[chem\]"):
        structures(["SMILES: CCCCCCCCC"])
    assert structures(["no structure needs no RDKit"])["input_ids"].tolist() == [[1]]


def test_a_head_of_structures_learns_which_go_with_which_wells(structures):
    """Shapes of wells that hang on a fragment are found for a compound that training never saw."""
    from napari_cellclip.training import Bag, Caption, TrainingConfig, iter_fit

    rng = np.random.default_rng(0)
    classes = [("amine", "N"), ("acid", "C(=O)O"), ("chloride", "Cl"), ("phenyl", "c1ccccc1")]
    directions = rng.standard_normal((4, 16)) * 2

    def well(kind, length):
        features = rng.standard_normal((2, 5, 16)) * 0.3
        features[:, 1] += directions[kind]
        caption = f"U2OS cells treated with SMILES: {'C' * length}{classes[kind][1]}"
        return Bag(features.astype(np.float32), (Caption(caption),), classes[kind][0])

    torch.manual_seed(1)
    network = CellCLIP(
        CellCLIPConfig(
            width=16,
            embed_dim=8,
            layers=1,
            heads=2,
            pool_hidden=8,
            text_tower="fingerprint",
            text_vocabulary=len(structures),
            text_width=32,
            text_layers=1,
        )
    )
    bags = [well(kind, length) for length in (1, 2, 3, 5, 6) for kind in range(4) for _ in range(2)]
    settings = TrainingConfig(loss="clip", epochs=100, batch=40, rate=3e-3, warmup=5, feature_noise=0.1)
    for _ in iter_fit(network, bags, structures, settings):
        pass
    unseen = [well(kind, 4) for kind in range(4)]
    network.eval()
    with torch.inference_mode():
        image = network.embed_bags(torch.from_numpy(np.stack([bag.features for bag in unseen])))
        text = network.encode_text(**structures([bag.captions[0].text for bag in unseen]))
        found = (torch.nn.functional.normalize(text) @ torch.nn.functional.normalize(image).T).argmax(1)
    assert found.tolist() == [0, 1, 2, 3]
