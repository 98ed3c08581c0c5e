"""Text to word pieces: the tokenizer of BERT, from local files or built from a small corpus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json, read_regular

if TYPE_CHECKING:
    from torch import Tensor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_VOCABULARY_BYTES = 2**28
FILES = ("vocab.txt", "tokenizer_config.json")


class WordPieceTokenizer:
    """WordPiece with BERT's cleaning, word splitting and ``[CLS] … [SEP]`` frame (Devlin et al. 2019).

    Parameters
    ----------
    vocabulary : sequence of str
        The word pieces; the position of each is its id. The five special tokens must be among them.
    lowercase : bool
        Fold case and strip accents, as the uncased BERTs do.
    max_length : int
        Longest text in tokens, frame included; what is longer is cut.

    Examples
    --------
    >>> tokenizer = WordPieceTokenizer([*SPECIAL, "tub", "##ulin"], lowercase=True)
    >>> tokenizer(["Tubulin"])["input_ids"].tolist()
    [[2, 5, 6, 3]]
    """

    def __init__(self, vocabulary: Sequence[str], *, lowercase: bool = False, max_length: int = 512) -> None:
        ids = {token: i for i, token in enumerate(vocabulary)}
        absent = [token for token in SPECIAL if token not in ids]
        if absent:
            raise ModelError(f"the tokenizer's vocabulary lacks {', '.join(absent)}")
        if len(ids) != len(vocabulary):
            raise ModelError("the tokenizer's vocabulary holds a word piece twice")
        self.vocabulary = tuple(vocabulary)
        self.lowercase = lowercase
        self.max_length = max_length
        fast = FastTokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
        fast.normalizer = _normalizer(lowercase)
        fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        fast.decoder = decoders.WordPiece()
        fast.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(t, ids[t]) for t in ("[CLS]", "[SEP]")]
        )
        fast.add_special_tokens(list(SPECIAL))
        fast.enable_padding(pad_id=ids["[PAD]"], pad_token="[PAD]")
        fast.enable_truncation(max_length)
        self._fast = fast

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Tokenize texts, padded to the longest of them.

        Returns
        -------
        dict
            ``input_ids`` and ``attention_mask``, int64 [B, T] each.
        """
        import torch  # here: building a vocabulary does not need it

        encoded = self._fast.encode_batch(list(texts))
        return {
            "input_ids": torch.tensor([e.ids for e in encoded], dtype=torch.long),
            "attention_mask": torch.tensor([e.attention_mask for e in encoded], dtype=torch.long),
        }

    def tokens(self, text: str) -> list[str]:
        """List the word pieces of one text, frame included."""
        return self._fast.encode(text).tokens

    @classmethod
    def from_folder(cls, folder: Path | str, *, max_length: int = 512) -> WordPieceTokenizer:
        """Read ``vocab.txt`` or ``tokenizer.json``, as the hub lays a BERT tokenizer out.

        Parameters
        ----------
        folder : path
            Case folding is read from ``tokenizer_config.json`` beside it (absent: cased).
        max_length : int
            Longest text the model takes, in tokens.

        Raises
        ------
        ModelError
            If there is no such file, or it is no WordPiece vocabulary.
        """
        folder = Path(folder)
        config = _read_json(folder / "tokenizer_config.json")
        lowercase = bool(config.get("do_lower_case", False))
        if (folder / "vocab.txt").is_file():
            try:
                text = read_regular(folder / "vocab.txt", MAX_VOCABULARY_BYTES).decode("utf-8")
            except (OSError, ValueError) as error:
                raise ModelError(
                    f"{folder / 'vocab.txt'} cannot be read ({error}): copy or fetch the file again"
                ) from error
            lines = text.replace("\r\n", "\n").split("\n")
            vocabulary = lines[:-1] if lines and not lines[-1] else lines
        elif (folder / "tokenizer.json").is_file():
            whole = _read_json(folder / "tokenizer.json")
            model, normalizer = whole.get("model") or {}, whole.get("normalizer") or {}
            known = isinstance(model, dict) and model.get("type", "WordPiece") == "WordPiece"
            if not known or not isinstance(model.get("vocab"), dict):
                raise ModelError(f"{folder / 'tokenizer.json'} is no WordPiece tokenizer")
            numbers: dict[str, Any] = model["vocab"]
            if not isinstance(normalizer, dict) or not all(type(n) is int for n in numbers.values()):
                raise ModelError(f"{folder / 'tokenizer.json'} is no WordPiece tokenizer")
            vocabulary = sorted(numbers, key=numbers.__getitem__)
            lowercase = bool(config.get("do_lower_case", normalizer.get("lowercase", False)))
        else:
            raise ModelError(f"{folder} holds no tokenizer: expected vocab.txt or tokenizer.json")
        return cls(vocabulary, lowercase=lowercase, max_length=max_length)

    def save(self, folder: Path | str) -> None:
        """Write ``vocab.txt`` and ``tokenizer_config.json`` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "vocab.txt", "w", encoding="utf-8", newline="\n") as file:
            file.write("".join(f"{token}\n" for token in self.vocabulary))
        config = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self.lowercase,
            "model_max_length": self.max_length,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def build(
        cls, corpus: Iterable[str], *, size: int = 2000, lowercase: bool = False, max_length: int = 128
    ) -> WordPieceTokenizer:
        """Learn a WordPiece vocabulary from texts; the same corpus gives the same vocabulary.

        Parameters
        ----------
        corpus : iterable of str
            The texts. All printable ASCII is included besides, so that no typed word is wholly unknown.
        size : int
            Most word pieces to keep.
        lowercase : bool
            Fold case; structures (SMILES) then lose their aromatic atoms.
        max_length : int
            Longest text in tokens.
        """
        normalizer, splitter = _normalizer(lowercase), pre_tokenizers.BertPreTokenizer()
        words: Counter[str] = Counter()
        for text in corpus:
            words.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
        return cls(_word_pieces(words, size, lowercase), lowercase=lowercase, max_length=max_length)


def _normalizer(lowercase: bool) -> normalizers.Normalizer:
    return normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lowercase
    )


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not readable: expected a JSON object")
    return content


def _word_pieces(words: Counter[str], size: int, lowercase: bool) -> list[str]:
    """Merge the most frequent neighbours until the vocabulary is full; ties go by the alphabet.

    The trainer of ``tokenizers`` breaks ties by hash order, so it gives another vocabulary at each run.
    """
    ascii_characters = {chr(code) for code in range(33, 127)}
    if lowercase:
        ascii_characters = {c.lower() for c in ascii_characters}
    characters = sorted(ascii_characters | {c for word in words for c in word})
    vocabulary = [*SPECIAL, *characters, *(f"##{c}" for c in characters)]
    known = set(vocabulary)
    pieces = {word: [word[0], *(f"##{c}" for c in word[1:])] for word in sorted(words)}
    while len(vocabulary) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += words[word]
        frequent = {pair: n for pair, n in pairs.items() if n > 1}
        if not frequent:
            break
        best = min(frequent, key=lambda pair: (-frequent[pair], pair))
        merged = best[0] + best[1].removeprefix("##")
        pieces = {word: _merge(parts, best, merged) for word, parts in pieces.items()}
        if merged not in known:
            known.add(merged)
            vocabulary.append(merged)
    return vocabulary


def _merge(parts: list[str], pair: tuple[str, str], merged: str) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(merged)
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out
