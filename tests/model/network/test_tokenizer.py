"""The tokenizer: the same as BERT's, and the same vocabulary from the same corpus."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.model import WordPieceTokenizer
from napari_cellclip.vocabulary import ModelError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "U2OS cells treated with Tubulin inhibitor",
    "CC(=O)Oc1ccccc1, C[S+](C)[O-]",
    "naïve Ω µM 微管",
    "",
    "a" * 150,
]


@pytest.mark.parametrize("lowercase", [False, True])
def test_agrees_with_transformers(tmp_path, lowercase):
    from transformers import BertTokenizerFast

    ours = WordPieceTokenizer.build(TEXTS * 3, size=400, lowercase=lowercase, max_length=20)
    ours.save(tmp_path)
    theirs = BertTokenizerFast.from_pretrained(str(tmp_path))
    expected = theirs(TEXTS, padding=True, truncation=True, max_length=20, return_tensors="pt")
    found = ours(TEXTS)
    assert torch.equal(found["input_ids"], expected["input_ids"])
    assert torch.equal(found["attention_mask"], expected["attention_mask"])


def test_round_trip_and_the_hubs_layouts(tmp_path, tokenizer):
    tokenizer.save(tmp_path)
    again = WordPieceTokenizer.from_folder(tmp_path, max_length=48)
    assert again.vocabulary == tokenizer.vocabulary
    (tmp_path / "json").mkdir()
    vocab = {token: i for i, token in enumerate(tokenizer.vocabulary)}
    whole = {"model": {"type": "WordPiece", "vocab": vocab}, "normalizer": {"lowercase": True}}
    (tmp_path / "json" / "tokenizer.json").write_text(json.dumps(whole))
    third = WordPieceTokenizer.from_folder(tmp_path / "json")
    assert third.vocabulary == tokenizer.vocabulary
    assert third.lowercase


def test_long_texts_are_cut_with_their_frame(tokenizer):
    tokens = tokenizer(["tubulin " * 200])
    assert tokens["input_ids"].shape == (1, 48)
    assert tokenizer.tokens("tubulin " * 200)[-1] == "[SEP]"


def test_padding_is_masked(tokenizer):
    tokens = tokenizer(["TUBB", "tubulin inhibitor tubulin"])
    pad = tokens["input_ids"] == tokenizer.vocabulary.index("[PAD]")
    assert pad.any()
    assert torch.equal(tokens["attention_mask"] == 0, pad)


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20))
def test_no_typed_word_is_wholly_unknown(text):
    tokens = WordPieceTokenizer.build(["tubulin"], size=0).tokens(text)
    assert "[UNK]" not in tokens or "[UNK]" in text


def test_frequent_words_become_one_piece():
    tokenizer = WordPieceTokenizer.build(["nocodazole taxol"] * 5, size=400)
    assert tokenizer.tokens("nocodazole taxol") == ["[CLS]", "nocodazole", "taxol", "[SEP]"]
    small = WordPieceTokenizer.build(["nocodazole taxol"] * 5, size=200)
    assert len(small) == 200


def test_same_corpus_gives_the_same_vocabulary_in_every_process():
    code = (
        "from napari_cellclip.model import WordPieceTokenizer as W;"
        "print(W.build(['tubulin inhibitor', 'actin inhibitor', 'tin tan ton'] * 2, size=230).vocabulary)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_case_folding_is_read_from_the_folder(tmp_path):
    WordPieceTokenizer.build(["TUBULIN"] * 2, size=400, lowercase=True).save(tmp_path)
    assert WordPieceTokenizer.from_folder(tmp_path).tokens("Tubulin") == ["[CLS]", "tubulin", "[SEP]"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, "", "holds no tokenizer"),
        ("vocab.txt", "[PAD]\n[UNK]\ntubulin\n", r"lacks \[CLS\], \[SEP\], \[MASK\]"),
        ("vocab.txt", "\n".join([*SPECIAL, "a", "a"]), "twice"),
        ("tokenizer.json", '{"model": {"type": "BPE", "vocab": {}}}', "no WordPiece"),
        ("tokenizer.json", "{", "not readable"),
    ],
)
def test_bad_files_are_refused_in_words(tmp_path, name, content, message):
    if name:
        (tmp_path / name).write_text(content)
    with pytest.raises(ModelError, match=message):
        WordPieceTokenizer.from_folder(tmp_path)
