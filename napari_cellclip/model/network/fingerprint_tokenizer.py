"""The structure in a prompt as a fingerprint, in place of its words: what words are compared with."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json

if TYPE_CHECKING:
    from torch import Tensor

FILE = "fingerprint.json"
SPECIAL = ("[PAD]", "[UNK]")
"""Padding, and the token of a text without a structure."""

_MARKED = re.compile(r"SMILES:\s*(\S+)")
_MOST_BITS, _WIDEST = 2**20, 6
_LONGEST = 2000
"""Characters of a structure; what is longer is refused before RDKit sees it."""


class FingerprintTokenizer:
    """Morgan fragments of the structure (SMILES) in a text, counted (Rogers and Hahn 2010, ECFP).

    It stands where a model's tokenizer stands, so that the same prompts can be read by their words or by
    their structures: a token is a folded fragment, and comes as often as the fragment does. The structure is
    what follows ``SMILES:``, as the prompt templates word it. All texts without one get the same single
    ``[UNK]`` token: such a model places them in one point, "no structure", and so cannot tell them apart.

    Parameters
    ----------
    bits : int
        Length the fingerprint is folded to; CLOOME has 8,192.
    radius : int
        Bonds around an atom that a fragment reaches; 2 is ECFP4.

    Examples
    --------
    >>> tokenizer = FingerprintTokenizer(bits=64)
    >>> tokens = tokenizer(["U2OS cells treated with SMILES: CO", "tubulin inhibitor"])
    >>> tokens["attention_mask"].tolist()
    [[1, 1, 1], [1, 0, 0]]
    >>> tokens["input_ids"][1].tolist()
    [1, 0, 0]
    """

    def __init__(self, bits: int = 2048, radius: int = 2) -> None:
        if not (1 <= bits <= _MOST_BITS and 0 <= radius <= _WIDEST):
            raise ModelError(
                f"a fingerprint has 1 to {_MOST_BITS} bits and a radius of 0 to {_WIDEST}, "
                f"not {bits} and {radius}"
            )
        self.bits, self.radius = bits, radius
        self.vocabulary = (*SPECIAL, *(f"fragment {bit}" for bit in range(bits)))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Tokenize texts, padded to the longest of them.

        Returns
        -------
        dict
            ``input_ids`` and ``attention_mask``, int64 [B, T] each.

        Raises
        ------
        ModelError
            If RDKit is absent, or cannot read a structure.
        """
        import torch

        rows = [self._ids(text) for text in texts]
        length = max(map(len, rows), default=0)
        ids = torch.zeros(len(rows), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def tokens(self, text: str) -> list[str]:
        """List the fragments of one text, by name."""
        return [self.vocabulary[i] for i in self._ids(text)]

    def counts(self, smiles: str) -> dict[int, int]:
        """Count how often each bit of the fingerprint is set by a structure.

        Raises
        ------
        ModelError
            If RDKit is absent, or cannot read the structure.
        """
        return dict(_counts(smiles, self.bits, self.radius))

    def _ids(self, text: str) -> list[int]:
        smiles = structure_in(text)
        if not smiles:
            return [SPECIAL.index("[UNK]")]
        counts = sorted(self.counts(smiles).items())
        return [len(SPECIAL) + bit for bit, count in counts for _ in range(count)]

    def save(self, folder: Path | str) -> None:
        """Write ``fingerprint.json`` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"kind": "morgan_count", "bits": self.bits, "radius": self.radius}
        (folder / FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_folder(cls, folder: Path | str, *, max_length: int = 512) -> FingerprintTokenizer:
        """Read ``fingerprint.json``.

        Parameters
        ----------
        folder : path
            Of a model.
        max_length : int
            Taken so that all tokenizers are opened alike; a fingerprint has no greatest length.

        Raises
        ------
        ModelError
            If there is no such file, or it describes no fingerprint known here.
        """
        path = Path(folder) / FILE
        try:
            settings: Any = read_json(path)
            if settings["kind"] != "morgan_count":
                raise ValueError(f"the kind {settings['kind']!r} is not known")
            return cls(bits=int(settings["bits"]), radius=int(settings["radius"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} describes no fingerprint: get the model again ({error})") from error


def structure_in(text: str) -> str:
    """Find the SMILES of a prompt, as the templates mark it; empty where there is none."""
    found = _MARKED.search(text)
    return found[1] if found else ""


@lru_cache(maxsize=65536)
def _counts(smiles: str, bits: int, radius: int) -> tuple[tuple[int, int], ...]:
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise ModelError(
            'a fingerprint needs RDKit: install it with pip install "napari-cellclip[chem]"'
        ) from error
    if len(smiles) > _LONGEST:
        raise ModelError(
            f"the structure {smiles[:40]}… has {len(smiles)} characters: give one of at most {_LONGEST}"
        )
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise ModelError(f"RDKit cannot read the structure {smiles!r}: correct its SMILES")
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
    found = generator.GetCountFingerprint(molecule).GetNonzeroElements()
    return tuple((int(bit), int(count)) for bit, count in found.items())
