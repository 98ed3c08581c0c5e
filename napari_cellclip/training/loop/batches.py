"""What each step of a training shows: it follows from seed and step alone, so any step can be made again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data.bags import Bag, pad
from napari_cellclip.training.data.stored_features import StoredFeatures
from napari_cellclip.vocabulary import CellClipError

READERS = 4
"""Threads that read the bags of a batch where these are on disk."""
# Streams of random numbers within a seed.
_EPOCH, _STEP, _NOISE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Batch:
    """One process's share of a step.

    Attributes
    ----------
    images : ndarray of float32, shape (b, M, 5, D)
        Drawn instances, padded with zeros.
    captions : ndarray of int64, shape (b,)
        Row of each bag's caption in the table of texts.
    groups : ndarray of int64, shape (b,)
        Bags of the same number show the same perturbation.
    """

    images: NDArray[np.float32]
    captions: NDArray[np.int64]
    groups: NDArray[np.int64]


class Batches:
    """All batches of a run.

    Bags of equal weight are gone through in a new order each epoch, the rest of a batch left out; of unequal
    weight they are drawn, each at most once in a batch.

    Parameters
    ----------
    bags : sequence of Bag
        Of weight above 0.
    config : TrainingConfig
        Batch size, instances drawn, noise, seed.
    rank, world : int
        Which process this is, and of how many. Together they see what one alone would.

    Attributes
    ----------
    texts : tuple of str
        All captions, which `Batch.captions` counts.
    steps : int
        Steps of an epoch.
    """

    def __init__(self, bags: Sequence[Bag], config: TrainingConfig, *, rank: int = 0, world: int = 1) -> None:
        self._bags, self._config, self._rank = bags, config, rank
        self.size = min(config.batch, len(bags)) // world * world
        if self.size < 2:
            raise CellClipError(
                f"{len(bags)} bags and a batch of {config.batch} leave {world} processes nothing to contrast:"
                " give more wells, or start fewer processes"
            )
        self.steps = max(1, len(bags) // self.size)
        self._own = slice(rank * (self.size // world), (rank + 1) * (self.size // world))
        self.texts = tuple(sorted({caption.text for bag in bags for caption in bag.captions}))
        row_of = {text: row for row, text in enumerate(self.texts)}
        self._captions = [np.array([row_of[c.text] for c in bag.captions]) for bag in bags]
        self._chances = [np.cumsum([c.odds for c in bag.captions]) for bag in bags]
        numbers = {group: number for number, group in enumerate(sorted({bag.group for bag in bags}))}
        self._groups = np.array([numbers[bag.group] for bag in bags], np.int64)
        weights = np.array([bag.weight for bag in bags], np.float64)
        self._odds = None if (weights == weights[0]).all() else weights / weights.sum()
        self._spread = _spread(bags) if config.feature_noise else None
        self._order = lru_cache(maxsize=1)(self._shuffled)
        on_disk = any(isinstance(bag.features, StoredFeatures) for bag in bags)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="cellclip-bags") if on_disk else None

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._config.seed, _EPOCH, epoch]).permutation(len(self._bags))

    def rows(self, step: int) -> NDArray[np.int64]:
        """Bags of a step, over all processes."""
        if self._odds is not None:
            rng = np.random.default_rng([self._config.seed, _EPOCH, step])
            return rng.choice(len(self._bags), self.size, replace=False, p=self._odds)
        epoch, place = divmod(step, self.steps)
        return self._order(epoch)[place * self.size : (place + 1) * self.size]

    def __call__(self, step: int) -> Batch:
        """Share of this process in a step."""
        rows = self.rows(step)
        rng = np.random.default_rng([self._config.seed, _STEP, step])
        sizes = np.array([len(self._bags[row].features) for row in rows])
        most = np.minimum(self._config.fields, sizes)
        counts = 1 + np.floor(rng.random(len(rows)) * most).astype(int)
        keys = rng.random((len(rows), int(sizes.max())))
        luck = rng.random(len(rows))
        places = range(len(rows))[self._own]

        def image(place: int) -> NDArray[np.float32]:
            picked = np.argsort(keys[place, : sizes[place]])[: counts[place]]
            return self._noisy(self._bags[rows[place]].features[picked], step, place)

        images = list((map if self._readers is None else self._readers.map)(image, places))
        captions = []
        for place in places:
            row = rows[place]
            chances = self._chances[row]
            drawn = int(np.searchsorted(chances, luck[place] * chances[-1], side="right"))
            captions.append(self._captions[row][min(drawn, len(chances) - 1)])
        return Batch(pad(images), np.array(captions, np.int64), self._groups[rows[self._own]])

    def _noisy(self, features: NDArray[np.floating], step: int, place: int) -> NDArray[np.float32]:
        features = np.asarray(features, np.float32)
        if self._spread is None:
            return features
        rng = np.random.default_rng([self._config.seed, _NOISE, step, place])
        noise = self._config.feature_noise * self._spread * rng.standard_normal(features.shape, np.float32)
        # Padding inside a bag (a blank stain) stays blank: pooling leaves it out.
        return np.where(features.any(-1, keepdims=True), features + noise, features)


def usable(bags: Sequence[Bag], stains: int, width: int) -> list[Bag]:
    """Bags that can be drawn, checked.

    Parameters
    ----------
    bags : sequence of Bag
        Those of weight 0 are left out unseen.
    stains, width : int
        Of the model.

    Raises
    ------
    CellClipError
        If features are of another shape or not finite (which of stored ones the screen verifies), or a bag
        has no caption.
    """
    drawn = [bag for bag in bags if bag.weight > 0]
    for number, bag in enumerate(drawn):
        which = bag.name or f"bag {number}"
        if bag.features.ndim != 3 or bag.features.shape[1:] != (stains, width):
            raise CellClipError(
                f"the features of {which} have shape {bag.features.shape}, the model takes (fields, {stains},"
                f" {width}): encode with the channel encoder of this model"
            )
        if not len(bag.features):
            raise CellClipError(f"{which} has no field: leave it out, or encode one of its fields first")
        if not isinstance(bag.features, StoredFeatures) and not np.isfinite(bag.features).all():
            raise CellClipError(
                f"the features of {which} are not finite: encode its fields again, or leave it out"
            )
        if not any(caption.odds > 0 for caption in bag.captions):
            raise CellClipError(f"{which} has no caption that could be drawn: leave it out")
    return drawn


def one_by_one(bags: Sequence[Bag]) -> list[Bag]:
    """Each instance as a bag of its own, for a model that pools none; blank ones are left out."""
    return [
        replace(bag, features=bag.features[i : i + 1], weight=bag.weight / len(there))
        for bag in bags
        for there in [np.flatnonzero(np.asarray(bag.features).any((1, 2)))]
        for i in there
    ]


def fingerprint(bags: Sequence[Bag]) -> str:
    """SHA-256 over all that is learnt from: groups, weights, captions and features, in their order."""
    digest = hashlib.sha256()
    for bag in bags:
        captions = [(caption.text, float(caption.odds)) for caption in bag.captions]
        digest.update(repr((bag.group, float(bag.weight), captions, bag.features.shape)).encode())
        digest.update(np.ascontiguousarray(np.asarray(bag.features), np.float32).tobytes())
    return digest.hexdigest()


def _spread(bags: Sequence[Bag]) -> NDArray[np.float32]:
    """Standard deviation of each feature over all instances, without holding them twice."""
    count = sum(len(bag.features) for bag in bags)
    mean = sum(np.asarray(bag.features).sum(0, dtype=np.float64) for bag in bags) / count
    squares = sum(((np.asarray(bag.features) - mean) ** 2).sum(0, dtype=np.float64) for bag in bags)
    return np.sqrt(squares / count).astype(np.float32)
