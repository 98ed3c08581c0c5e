"""Model folders made to harm: each is refused in one sentence that names the file, and nothing is waited for."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_cellclip.model import load_model
from napari_cellclip.vocabulary import ModelError

Change = Callable[[Path], None]


def replaced(name: str, content: bytes) -> Change:
    """Other bytes in a file, and their hash in the card: the folder is whole, only its content is not."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)
        rehashed(folder)

    return change


def rehashed(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    for file in (card["weights"], card["tokenizer"], card["encoder"]["weights"]):
        file["sha256"] = hashlib.sha256((folder / file["file"]).read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def carded(**changes: object) -> Change:
    """Other fields in the card."""

    def change(folder: Path) -> None:
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | changes))

    return change


def card_text(content: bytes) -> Change:
    return lambda folder: (folder / "card.json").write_bytes(content) and None


def pipe(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


def folder_instead(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


def reshaped(part: str, shape: tuple[int, ...]) -> Change:
    """Another shape of the first tensor whose name holds `part`."""

    def change(folder: Path) -> None:
        state = load_file(folder / "cellclip.safetensors")
        name = next(name for name in state if part in name)
        save_file({**state, name: torch.zeros(shape)}, folder / "cellclip.safetensors")
        rehashed(folder)

    return change


DEEP = b"[" * 100_000
POSIX = pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX")
HOSTILE: dict[str, tuple[Change, str]] = {
    "vocabulary not UTF-8": (replaced("vocab.txt", b"\xff\xfe[PAD]\n"), "vocab.txt"),
    "vocabulary of NULs": (replaced("vocab.txt", b"\0" * 4096), "vocabulary"),
    "vocabulary empty": (replaced("vocab.txt", b""), "vocabulary"),
    "vocabulary with a piece twice": (
        replaced("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n"),
        "twice",
    ),
    "tokenizer settings nested deeply": (
        lambda folder: (folder / "tokenizer_config.json").write_bytes(DEEP) and None,
        "tokenizer_config.json",
    ),
    "heads that do not divide": (carded(heads=7), "heads|7"),
    "text heads that do not divide": (carded(text_heads=3), "heads|3"),
    "heads of 5,000 digits": (
        lambda folder: (
            (folder / "card.json").write_text(
                (folder / "card.json").read_text().replace('"heads": 8', '"heads": ' + "9" * 5000)
            )
            and None
        ),
        "card",
    ),
    "embeddings of another length": (carded(embed_dim=9), "numbers an embedding"),
    "no stains": (carded(stain_order=[]), "stain_order"),
    "card nested deeply": (card_text(b'{"training": ' + DEEP), "card.json"),
    "training of the card nested deeply and closed": (
        card_text(b'{"name": "x", "training": {"a": ' + DEEP + b"]" * 100_000 + b"}}"),
        "card.json",
    ),
    "card not UTF-8": (card_text(b"\xff\xfe{}"), "card.json"),
    "card with half a surrogate": (card_text(b'{"name": "\\ud800"}'), "card.json"),
    "card that is a list": (card_text(b"[]"), "card.json"),
    "card that is empty": (card_text(b""), "card.json"),
    "weights empty": (replaced("cellclip.safetensors", b""), "cellclip.safetensors"),
    "weights whose header is longer than the file": (
        replaced("cellclip.safetensors", (2**62).to_bytes(8, "little") + b"{}"),
        "cellclip.safetensors",
    ),
    "weights of another width": (reshaped("proj", (3, 5)), "fit|weights"),
    "weights without axes": (reshaped("proj", ()), "fit|weights"),
    "folder in place of the weights": (folder_instead("cellclip.safetensors"), "cellclip.safetensors"),
    "folder in place of the vocabulary": (folder_instead("vocab.txt"), "vocab.txt"),
}
PIPES = ("card.json", "cellclip.safetensors", "encoder.safetensors", "vocab.txt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *(pytest.param(*case, id=name) for name, case in HOSTILE.items()),
        *(pytest.param(pipe(name), name, marks=POSIX, id=f"pipe in place of {name}") for name in PIPES),
    ],
)
def test_a_hostile_folder_is_refused_in_a_sentence(tiny_folder: Path, change: Change, said: str) -> None:
    load_model(tiny_folder, device="cpu").embed_texts(["nocodazole"])
    change(tiny_folder)
    with pytest.raises(ModelError, match=said) as error:
        load_model(tiny_folder, device="cpu")
    assert "\n" not in str(error.value)
