"""Replicates of compounds that training has seen, on a plate it has not: what plate rotation measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.compounds import compounds_of
from benchmarks.accuracy.profiles.heads import Features, HeadSettings, Reads, fit_head
from benchmarks.accuracy.profiles.held_out import features_of, parted
from napari_cellclip.evaluation.metrics.ranking import Ranking, rank_both_ways
from napari_cellclip.screen import Screen
from napari_cellclip.training import folds
from napari_cellclip.vocabulary import STAINS, CellClipError


@dataclass(frozen=True, eq=False)
class RotationResult:
    """One plate left out.

    Attributes
    ----------
    plate : str
        The one left out.
    seed : int
        Of the heads.
    tested : tuple of str
        Compounds of the pool.
    ranks : dict of str to (Ranking, Ranking)
        Text to image and image to text, by what the head saw: ``"profiles"`` or ``"positions"``.
    """

    plate: str
    seed: int
    tested: tuple[str, ...]
    ranks: Mapping[str, tuple[Ranking, Ranking]]


def iter_seen(
    screen: Screen, settings: HeadSettings, *, reads: Reads = "words", seeds: Sequence[int] = (0,)
) -> Iterator[RotationResult]:
    """Train on all plates but one and look for its wells by their captions.

    All compounds are seen in training. Where plates share one layout, a head that knows nothing but rows and
    columns does the same task: its figures are what a position is worth, and profiles have to be read beside
    them. Parameters are those of :func:`~benchmarks.accuracy.profiles.heads.fit_head`.

    Yields
    ------
    RotationResult

    Raises
    ------
    CellClipError
        If there are fewer than two plates.
    """
    if len(screen.plates) < 2:
        raise CellClipError(f"screen {screen.name} has one plate: there is none to leave out")
    compounds = compounds_of(screen)
    seen: dict[str, Features] = {"profiles": features_of(screen), "positions": positions_of(screen)}
    for seed in seeds:
        for number, split in enumerate(folds(screen.wells, "plate", len(screen.plates), seed, validation=0)):
            trained, tested = parted(compounds, split)
            controls = [well for well in split.train if well in set(screen.control_ids)]
            ranks = {}
            for name, features in seen.items():
                head = fit_head(trained, controls, features, settings, reads=reads, seed=seed * 100 + number)
                images = head.embed_compounds(tested, features)
                ranks[name] = rank_both_ways(images, head.embed_texts([head.whole(c) for c in tested]))
            yield RotationResult(split.test[0].split("/")[0], seed, tuple(c.name for c in tested), ranks)


def positions_of(screen: Screen) -> dict[str, NDArray[np.float32]]:
    """Row and column of each well and nothing else: ones in [5, rows + columns], the same for each stain."""
    table = screen.wells
    rows, columns = (int(table[f"Metadata_{n}"].max()) + 1 for n in ("Row", "Column"))
    found = {}
    for well, row, column in zip(table.index, table["Metadata_Row"], table["Metadata_Column"], strict=True):
        features = np.zeros((len(STAINS), rows + columns), np.float32)
        features[:, [int(row), rows + int(column)]] = 1
        found[str(well)] = features
    return found
