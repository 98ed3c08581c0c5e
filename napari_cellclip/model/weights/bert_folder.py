"""Read a pretrained BERT, to begin with instead of random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_cellclip.model.network.bert import CONSTANT_TABLES, Bert
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.weights.weight_files import find_weight_file, read_weights
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json

_SIZES = {
    "vocabulary": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "positions": "max_position_embeddings",
    "token_types": "type_vocab_size",
}


def read_bert(folder: Path) -> tuple[Bert, WordPieceTokenizer, dict[str, Any]]:
    """Read a BERT, its tokenizer and its sizes from a folder in the hub's layout.

    Parameters
    ----------
    folder : Path
        ``config.json``, weights and ``vocab.txt``, such as a download of ``google-bert/bert-base-cased``.
        Heads for other tasks in the weights are left aside; a pooler that is missing stays random.

    Returns
    -------
    module, tokenizer, dict
        The dict holds the ``text_*`` fields of a `CellCLIPConfig`.

    Raises
    ------
    ModelError
        If the folder holds no BERT.
    """
    try:
        config = read_json(folder / "config.json")
        kind, activation = config.get("model_type", "bert"), config.get("hidden_act", "gelu")
        sizes = {ours: int(config[theirs]) for ours, theirs in _SIZES.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder / 'config.json'} does not describe a BERT: {error}") from error
    if kind != "bert":
        raise ModelError(f"{folder} holds a {kind!r}, a BERT is needed")
    if activation != "gelu":
        raise ModelError(f"the BERT in {folder} has the activation {activation!r}: one with gelu is needed")
    tower = Bert(**sizes)
    found = {
        name.removeprefix("bert.")
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias"): value
        for name, value in read_weights(find_weight_file(folder)).items()
    }
    wanted = tower.state_dict()
    ours = {name: value for name, value in found.items() if name in wanted}
    missing = set(wanted) - set(ours) - CONSTANT_TABLES
    if lacking := sorted(name for name in missing if not name.startswith("pooler.")):
        raise ModelError(f"the weights in {folder} are not those of a BERT: {lacking[0]} is missing")
    try:
        tower.load_state_dict(ours, strict=False)
    except RuntimeError as error:
        raise ModelError(f"the weights in {folder} do not fit its config.json") from error
    words = WordPieceTokenizer.from_folder(folder, max_length=sizes["positions"])
    return tower, words, {f"text_{name}": value for name, value in sizes.items()} | {"text_tower": "bert"}
