"""Retrieval among held-out treatments: what tells the best weights of a run from the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellclip.model import CellCLIP
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.training.data.bags import Bag, Features, Tokenise, pad
from napari_cellclip.training.loop.mechanism_score import Mechanisms, ask_for_mechanisms
from napari_cellclip.vocabulary import CellClipError

CUTS = (1, 5, 10)
"""The k of R@k."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Retrieval both ways in a pool of treatments.

    Attributes
    ----------
    pool : int
        Treatments with different texts.
    wells : int
        Bags behind them.
    text_to_image, image_to_text : dict
        ``"r@1"``, ``"r@5"``, ``"r@10"``: share of queries whose partner is among the first k; ``"mrr"``: mean
        of one over its rank. Shares are given as published, 0..1.
    mechanisms : Mechanisms or None
        Queries for mechanisms, where training has seen any of those held out.
    """

    pool: int
    wells: int
    text_to_image: Mapping[str, float]
    image_to_text: Mapping[str, float]
    mechanisms: Mechanisms | None = None

    def score(self, name: str = "mrr") -> float:
        """Mean of both directions of one figure; of ``"map"`` the mechanism queries' mean."""
        if name == "map":
            return self.mechanisms.precision if self.mechanisms is not None else float("nan")
        return (self.text_to_image[name] + self.image_to_text[name]) / 2

    @property
    def figures(self) -> dict[str, float]:
        """All scores, named as the columns of the log."""
        found = {f"validation_{name}": self.score(name) for name in self.text_to_image}
        return found | ({"validation_map": self.score("map")} if self.mechanisms is not None else {})

    def random(self, name: str = "mrr") -> float:
        """Compute what a random order of the pool gives on average."""
        if name == "mrr":
            return float(np.mean(1 / np.arange(1, self.pool + 1)))
        return min(1.0, int(name.removeprefix("r@")) / self.pool)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a model card: both directions, their mean, the pool and the random baseline."""
        names = list(self.text_to_image)
        return {
            "pool": self.pool,
            "wells": self.wells,
            "text_to_image": {name: round(v, 4) for name, v in self.text_to_image.items()},
            "image_to_text": {name: round(v, 4) for name, v in self.image_to_text.items()},
            "mean": {name: round(self.score(name), 4) for name in names},
            "random": {name: round(self.random(name), 4) for name in names},
        }


def retrieval(image: NDArray[np.floating], text: NDArray[np.floating], texts: Sequence[str]) -> Retrieval:
    """Score embeddings of wells and of their captions; wells with the same caption are one treatment.

    A treatment's profile is the mean of the unit embeddings of its wells. Ranks count candidates with
    a higher or the same cosine, so that a model which answers everything alike comes out worst, not best.

    Parameters
    ----------
    image : ndarray, shape (n, E)
        Embedding of each well, of any length.
    text : ndarray, shape (n, E)
        Embedding of its caption.
    texts : sequence of str
        Its caption.

    Returns
    -------
    Retrieval

    Raises
    ------
    CellClipError
        If there is nothing to score, or embeddings are not finite.
    """
    if not len(texts):
        raise CellClipError("there is no well to validate on: leave more out of training, or split by 'none'")
    if not (np.isfinite(image).all() and np.isfinite(text).all()):
        raise CellClipError(
            "validation met embeddings that are not finite: lower the learning rate, or train in fp32"
        )
    names, first, of = np.unique(
        np.asarray(texts, object).astype(str), return_index=True, return_inverse=True
    )
    profiles = np.zeros((len(names), image.shape[1]))
    np.add.at(profiles, of, unit_rows(image, np.float64))
    cosine = unit_rows(profiles, np.float64) @ unit_rows(text[first], np.float64).T
    return Retrieval(len(names), len(texts), _figures(cosine.T), _figures(cosine))


def score_bags(
    network: CellCLIP,
    bags: Sequence[Bag],
    tokenise: Tokenise,
    *,
    seen: Collection[str] = (),
    at_once: int = 64,
) -> Retrieval:
    """Score a head on bags it was not trained on, each under its first caption.

    Parameters
    ----------
    network : CellCLIP
        On any device; evaluated without dropout and left as it was.
    bags : sequence of Bag
        Features of any number of fields; all are used.
    tokenise : callable
        Texts to token ids and mask.
    seen : collection of str
        Captions of training: mechanisms among them are asked for.
    at_once : int
        Texts in one pass.

    Returns
    -------
    Retrieval
    """
    return score(network, bags, lambda texts: embed_texts(network, texts, tokenise, at_once=at_once), seen)


def score(
    network: CellCLIP,
    bags: Sequence[Bag],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    seen: Collection[str] = (),
) -> Retrieval:
    """As `score_bags`, with `embed` for the captions."""
    texts = [bag.captions[0].text for bag in bags]
    unique = sorted(set(texts))
    vectors = embed(unique)
    row = {text: i for i, text in enumerate(unique)}
    image = embed_bags(network, [bag.features for bag in bags])
    found = retrieval(image, vectors[[row[text] for text in texts]], texts)
    return replace(found, mechanisms=ask_for_mechanisms(image, bags, embed, seen))


def embed_bags(network: CellCLIP, bags: Sequence[Features], *, at_once: int = 64) -> NDArray[np.float32]:
    """Embed bags ``[m, 5, D]`` without dropout: float32 ``[n, E]``."""
    device = network.logit_scale.device
    was = network.training
    network.eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(bags), at_once):
            images = torch.from_numpy(pad(bags[start : start + at_once])).to(device)
            found.append(network.embed_bags(images).float().cpu().numpy())
    network.train(was)
    return np.concatenate(found) if found else np.zeros((0, network.config.embed_dim), np.float32)


def embed_texts(
    network: CellCLIP, texts: Sequence[str], tokenise: Tokenise, *, at_once: int = 64
) -> NDArray[np.float32]:
    """Embed texts without dropout: float32 ``[n, E]``."""
    device = network.logit_scale.device
    was = network.training
    network.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike ones waste least on padding
    out = np.zeros((len(texts), network.config.embed_dim), np.float32)
    with torch.no_grad():
        for start in range(0, len(texts), at_once):
            lot = order[start : start + at_once]
            tokens = {name: ids.to(device) for name, ids in tokenise([texts[i] for i in lot]).items()}
            out[lot] = network.encode_text(**tokens).float().cpu().numpy()
    network.train(was)
    return out


def _figures(cosine: NDArray[np.float64]) -> dict[str, float]:
    """R@k and mean reciprocal rank of the diagonal in its row."""
    ranks = (cosine >= cosine.diagonal()[:, None]).sum(1)
    return {**{f"r@{k}": float((ranks <= k).mean()) for k in CUTS}, "mrr": float((1 / ranks).mean())}
