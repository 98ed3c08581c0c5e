"""Words and compounds that no training has seen: retrieval both ways, and mechanisms asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.baselines import fingerprints, nearest_profiles, nearest_structures
from benchmarks.accuracy.profiles.compounds import Compound, compounds_of, mechanisms_of
from benchmarks.accuracy.profiles.heads import Features, HeadSettings, ProfileHead, Reads, fit_head
from benchmarks.accuracy.profiles.mechanism_queries import Queries
from napari_cellclip.evaluation.metrics.precision import average_precision
from napari_cellclip.evaluation.metrics.ranking import Ranking, rank_both_ways
from napari_cellclip.screen import Screen
from napari_cellclip.training import Split, folds, refuse_leakage
from napari_cellclip.vocabulary import CellClipError

Part = Literal["test", "validation"]

LEAST = 3
"""Compounds that a mechanism must have to be asked for."""

RANDOM_PROMPTS = 50

_ADJECTIVES = (
    *("quiet", "wooden", "yellow", "distant", "narrow"),
    *("folded", "rainy", "hollow", "painted", "northern"),
)
_NOUNS = (
    *("bicycle", "harbour", "window", "orchestra", "ladder"),
    *("kettle", "meadow", "postcard", "lantern", "staircase"),
)


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One fold of one seed.

    Attributes
    ----------
    seed, fold : int
        Which.
    tested : tuple of str
        Compounds of the retrieval's pool.
    ranks : dict of Reads to (Ranking, Ranking)
        Text to image and image to text; queries in the order of `tested`.
    asked : dict of str to Queries
        By method: ``"words"``, ``"structures"``, ``"nearest profiles"``, ``"nearest structures"``.
    random_prompts : ndarray (q, RANDOM_PROMPTS)
        Average precision of each query when asked in words that have nothing to do with it.
    exchanged : ndarray (q,)
        Mean average precision of each query when asked in the words of each other mechanism.
    """

    seed: int
    fold: int
    tested: tuple[str, ...]
    ranks: Mapping[Reads, tuple[Ranking, Ranking]]
    asked: Mapping[str, Queries]
    random_prompts: NDArray[np.float64]
    exchanged: NDArray[np.float64]


def iter_held_out(
    screen: Screen,
    settings: Mapping[Reads, HeadSettings],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    n: int = 5,
    part: Part = "test",
) -> Iterator[FoldResult]:
    """Train on most compounds of a screen and ask for the others, fold by fold.

    All wells of a compound, under all its names, are on one side. Heads read either words or structures.
    Mechanisms are asked for in their bare words, worded by the templates: the plate map expands no query, and
    no label touches a score.

    Parameters
    ----------
    screen : Screen
        With compounds, structures and mechanisms in its plate map.
    settings : mapping of Reads to HeadSettings
        Which heads to train.
    seeds : sequence of int
        Each deals the compounds to folds anew and starts heads anew.
    n : int
        Folds.
    part : {"test", "validation"}
        ``"validation"`` judges on compounds held out of the training part of each fold, and leaves the tests
        unseen: settings are chosen there.

    Yields
    ------
    FoldResult

    Raises
    ------
    CellClipError
        If the screen has too few compounds, or none of a mechanism with three.
    """
    compounds = compounds_of(screen)
    mechanisms = mechanisms_of(compounds, least=LEAST)
    if not mechanisms:
        raise CellClipError(
            f"no mechanism of screen {screen.name} has {LEAST} compounds: import it with annotations"
        )
    features = features_of(screen)
    for seed in seeds:
        for fold, split in enumerate(
            folds(screen.wells, "compound", n, seed, validation=0.125 if part == "validation" else 0.0)
        ):
            refuse_leakage(split, screen.wells)
            trained, tested = parted(compounds, split, part)
            controls = [w for w in split.train if w in features and w in set(screen.control_ids)]
            yield _judged(
                seed,
                fold,
                trained,
                tested,
                controls,
                _asked_of(tested, trained, mechanisms),
                features,
                settings,
            )


def features_of(screen: Screen) -> dict[str, NDArray[np.float32]]:
    """Features [5, D] of each well with any, the mean over its sites."""
    sites = screen.fields["Metadata_Well_id"]
    wells = sites.groupby(sites, sort=False).indices
    every = screen.features(list(sites.index))
    return {str(well): every[rows].mean(axis=0) for well, rows in wells.items()}


def parted(
    compounds: Sequence[Compound], split: Split, part: Part = "test"
) -> tuple[list[Compound], list[Compound]]:
    """Compounds with their training wells, and with their wells held out."""

    def having(ids: Sequence[str]) -> list[Compound]:
        wanted = set(ids)
        kept = [replace(c, wells=tuple(w for w in c.wells if w in wanted)) for c in compounds]
        return [compound for compound in kept if compound.wells]

    return having(split.train), having(getattr(split, part))


def _asked_of(
    tested: Sequence[Compound], trained: Sequence[Compound], mechanisms: Sequence[str]
) -> tuple[str, ...]:
    """Mechanisms of a tested compound that training has seen with others."""
    known = {mechanism for compound in trained for mechanism in compound.mechanisms}
    here = {mechanism for compound in tested for mechanism in compound.mechanisms}
    return tuple(mechanism for mechanism in mechanisms if mechanism in known & here)


def _judged(
    seed: int,
    fold: int,
    trained: Sequence[Compound],
    tested: Sequence[Compound],
    controls: Sequence[str],
    mechanisms: tuple[str, ...],
    features: Features,
    settings: Mapping[Reads, HeadSettings],
) -> FoldResult:
    pool = [compound for compound in tested if compound.mechanisms]
    right = np.array([[m in compound.mechanisms for compound in pool] for m in mechanisms]).reshape(
        -1, len(pool)
    )

    def queries(score: Callable[[str], NDArray[np.floating]]) -> Queries:
        scores = np.array([score(mechanism) for mechanism in mechanisms], np.float64)
        return Queries(tuple(c.name for c in pool), mechanisms, scores.reshape(right.shape), right)

    ranks: dict[Reads, tuple[Ranking, Ranking]] = {}
    asked: dict[str, Queries] = {}
    random = np.full((len(mechanisms), RANDOM_PROMPTS), np.nan)
    exchanged = np.full(len(mechanisms), np.nan)
    for reads, chosen in settings.items():
        head = fit_head(trained, controls, features, chosen, reads=reads, seed=seed * 100 + fold)
        images = head.embed_compounds(tested, features)
        ranks[reads] = rank_both_ways(images, head.embed_texts([head.whole(c) for c in tested]))
        profiles = head.embed_compounds(pool, features)
        ask = _by_words(head) if reads == "words" else _by_structures(head, trained)
        asked[reads] = queries(partial(_cosines, profiles, ask))
        if reads == "words":
            prompts = [head.templates.for_mechanism(text) for text in random_prompts(seed * 100 + fold)]
            nonsense = profiles @ head.embed_texts(prompts).T
            random = np.array(
                [[average_precision(nonsense[:, j], row) for j in range(len(prompts))] for row in right]
            )
            exchanged = _exchanged(asked[reads])
    consensus = np.stack([_flat(compound, features) for compound in trained])
    asked["nearest profiles"] = queries(
        lambda m: nearest_profiles(np.stack([_flat(c, features) for c in pool]), consensus, trained, m)
    )
    known, new = fingerprints(trained), fingerprints(pool)
    asked["nearest structures"] = queries(lambda m: nearest_structures(new, known, trained, m))
    return FoldResult(seed, fold, tuple(c.name for c in tested), ranks, asked, random, exchanged)


def random_prompts(seed: int) -> list[str]:
    """Words that say nothing of cells, such as ``yellow bicycle``; no two alike."""
    pairs = [f"{adjective} {noun}" for adjective in _ADJECTIVES for noun in _NOUNS]
    drawn = np.random.default_rng(seed).permutation(len(pairs))[:RANDOM_PROMPTS]
    return [pairs[i] for i in drawn]


def _by_words(head: ProfileHead) -> Callable[[str], NDArray[np.float32]]:
    return lambda mechanism: head.embed_texts([head.templates.for_mechanism(mechanism)])[0]


def _by_structures(head: ProfileHead, trained: Sequence[Compound]) -> Callable[[str], NDArray[np.float32]]:
    """A mechanism as the mean of the structures that training has seen it with."""
    texts = head.embed_texts([head.whole(compound) for compound in trained])

    def ask(mechanism: str) -> NDArray[np.float32]:
        mean = texts[[mechanism in compound.mechanisms for compound in trained]].mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)

    return ask


def _cosines(
    profiles: NDArray[np.float32], ask: Callable[[str], NDArray[np.float32]], mechanism: str
) -> NDArray[np.floating]:
    return profiles @ ask(mechanism)


def _exchanged(asked: Queries) -> NDArray[np.float64]:
    """Each query's right answers looked for with every other mechanism's words that they do not share."""
    out = []
    for row in range(len(asked.mechanisms)):
        others = [
            average_precision(asked.scores[other], asked.right[row])
            for other in range(len(asked.mechanisms))
            if not (asked.right[other] & asked.right[row]).any()
        ]
        out.append(np.mean(others) if others else np.nan)
    return np.array(out)


def _flat(compound: Compound, features: Features) -> NDArray[np.float32]:
    return np.asarray(np.mean([features[well] for well in compound.wells], axis=0)).reshape(-1)
