"""The study of docs/cpjump1.md: four CPJUMP1 plates of compounds, from CellProfiler profiles to figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.baselines import neighbour_precision
from benchmarks.accuracy.profiles.compounds import compounds_of, mechanisms_of
from benchmarks.accuracy.profiles.heads import HeadSettings, Reads
from benchmarks.accuracy.profiles.held_out import LEAST, FoldResult, features_of, iter_held_out
from benchmarks.accuracy.profiles.mechanism_queries import interval, mean_precision, random_precision
from benchmarks.accuracy.profiles.plain_replicates import plain_replicate_precision
from benchmarks.accuracy.profiles.seen import RotationResult, iter_seen
from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.metrics.ranking import Ranking
from napari_cellclip.evaluation.protocols.embeddings import read_embeddings
from napari_cellclip.evaluation.protocols.replicates import replicates
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError

NAME = "Metadata_treatment"
CUTS = (1, 5, 10)
WAYS = ("text to profile", "profile to text")

WORDS = HeadSettings()
STRUCTURES = HeadSettings(
    steps=120, rate=3e-3, text_length=512, whole=0.75, structure=0.25, mechanism=0.0, gene=0.0
)
SETTINGS: dict[Reads, HeadSettings] = {"words": WORDS, "structures": STRUCTURES}
"""Chosen on compounds held out within the training part of the folds of seed 0; docs/cpjump1.md says how."""


def study(
    screen: Screen,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    n: int = 5,
    settings: Mapping[Reads, HeadSettings] = SETTINGS,
    rotation_seeds: Sequence[int] = (0,),
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run everything but the replicates, which have a protocol of their own.

    Parameters
    ----------
    screen : Screen
        From :func:`napari_cellclip.import_profiles`, with structures and mechanisms.
    seeds, n, settings
        See :func:`~benchmarks.accuracy.profiles.held_out.iter_held_out`.
    rotation_seeds : sequence of int
        Of the heads that rotate plates; empty leaves that part out.
    report : callable
        Told after each fold.

    Returns
    -------
    dict
        Plain numbers: ``data``, ``settings``, ``held_out``, ``mechanisms``, ``neighbours``, and
        ``seen_compounds`` if plates were rotated.
    """
    compounds = compounds_of(screen)
    features = features_of(screen)
    profiles = np.stack([np.mean([features[w].ravel() for w in c.wells], axis=0) for c in compounds])
    reached, expected, queries = neighbour_precision(_flat_profiles(screen), compounds)
    spread, _, _ = neighbour_precision(profiles, compounds)
    results = list(_reported(iter_held_out(screen, settings, seeds=seeds, n=n), report))
    found: dict[str, Any] = {
        "data": {
            "plates": list(screen.plates),
            "wells": len(screen.well_ids),
            "negative controls": len(screen.control_ids),
            "compounds": len(compounds),
            "compounds with a mechanism": sum(bool(c.mechanisms) for c in compounds),
            "mechanisms": len(mechanisms_of(compounds, least=1)),
            f"mechanisms of {LEAST} compounds or more": len(mechanisms_of(compounds, least=LEAST)),
        },
        "protocol": {"folds": n, "seeds": list(seeds), "split": "by compound"},
        "settings": {name: asdict(chosen) for name, chosen in settings.items()},
        "held_out": {reads: held_out_figures(results, reads) for reads in settings},
        "mechanisms": mechanism_figures(results),
        "neighbours": {
            "queries": queries,
            "mAP": reached,
            "mAP of the [5, D] rows": spread,
            "random mAP": expected,
        },
    }
    if rotation_seeds:
        found["seen_compounds"] = {}
        for reads, chosen in settings.items():
            rotated = list(
                _reported_rotation(iter_seen(screen, chosen, reads=reads, seeds=rotation_seeds), report)
            )
            for name in ("profiles", "positions"):
                figures = _retrieval([(r.tested, r.ranks[name]) for r in rotated])
                found["seen_compounds"][f"{reads}, {name}"] = figures
    return found


def replicate_figures(screen: Screen) -> dict[str, Any]:
    """Replicate mAP of the profiles, by copairs and from the definition.

    Positives of a well: the other wells of its compound, on all plates. Negatives: the negative controls of
    its own plate. Similarity: cosine.
    """
    table = read_embeddings(screen)
    summary, _, _ = replicates(table, by=NAME)
    treated = table.treated & ~table.negative
    used = table.take(treated | table.negative)
    plain = plain_replicate_precision(
        used.vectors, used.column(NAME).tolist(), used.wells["Metadata_Plate"].tolist(), used.negative
    )
    figures = summary["figures"]
    return {
        "protocol": summary["protocol"],
        "copairs": {
            "mAP": figures["mAP of wells"]["value"],
            "wells": figures["wells"],
            "perturbations": figures["perturbations"],
            "retrieved": figures["fraction retrieved (FDR 0.05)"],
        },
        "plain NumPy": {"mAP": float(np.nanmean(plain)), "wells": int(np.isfinite(plain).sum())},
        "random mAP": figures["random mAP"],
    }


def held_out_figures(results: Sequence[FoldResult], reads: Reads) -> dict[str, Any]:
    """Retrieval both ways over all folds: R@k with intervals over compounds, ranks, pools, random order."""
    figures = _retrieval([(r.tested, r.ranks[reads]) for r in results])
    for way, name in enumerate(WAYS):
        by_seed = {
            str(seed): {
                f"R@{k}": float(
                    np.mean(
                        np.concatenate([r.ranks[reads][way].ranks for r in results if r.seed == seed]) < k
                    )
                )
                for k in CUTS
            }
            for seed in sorted({r.seed for r in results})
        }
        figures[name]["by seed"] = by_seed
    return figures


def mechanism_figures(results: Sequence[FoldResult]) -> dict[str, Any]:
    """Mechanism queries over all folds: mAP with intervals over compounds, for each method and baseline."""
    methods: dict[str, Any] = {}
    for name in results[0].asked:
        asked = [r.asked[name] for r in results]
        low, high = interval(asked)
        seeds = sorted({r.seed for r in results})
        methods[name] = {
            "mAP": mean_precision(asked),
            "low": low,
            "high": high,
            "by seed": {
                str(seed): mean_precision([r.asked[name] for r in results if r.seed == seed])
                for seed in seeds
            },
        }
    first = [r.asked[next(iter(results[0].asked))] for r in results]
    # Each random prompt is one draw of the whole study: what it reaches over all queries.
    nonsense = np.concatenate([r.random_prompts for r in results]).mean(axis=0)
    low, high = np.quantile(nonsense, [0.025, 0.975])
    exchanged = np.concatenate([r.exchanged for r in results])
    return {
        "queries": int(sum(len(asked.mechanisms) for asked in first)),
        "mechanisms": len({m for asked in first for m in asked.mechanisms}),
        "pool": _range([len(asked.pool) for asked in first]),
        "random order": random_precision(first),
        "random prompts": {"mAP": float(nonsense.mean()), "low": float(low), "high": float(high)},
        "other mechanisms' words": float(np.nanmean(exchanged)),
        "methods": methods,
        "by mechanism": _by_mechanism(results),
    }


def _by_mechanism(results: Sequence[FoldResult]) -> dict[str, dict[str, float]]:
    rows = []
    for result in results:
        for name, asked in result.asked.items():
            for mechanism, ap, random in zip(asked.mechanisms, asked.precisions, asked.random, strict=True):
                rows.append((mechanism, name, ap, random))
    table = pd.DataFrame(rows, columns=["mechanism", "method", "ap", "random"])
    wide = table.pivot_table(index="mechanism", columns="method", values="ap", aggfunc="mean")
    wide["random order"] = table.groupby("mechanism")["random"].mean()
    wide["queries"] = table[table["method"] == table["method"].iloc[0]].groupby("mechanism").size()
    return {str(name): {str(k): float(v) for k, v in row.items()} for name, row in wide.iterrows()}


def _retrieval(pools: Sequence[tuple[tuple[str, ...], tuple[Ranking, Ranking]]]) -> dict[str, Any]:
    names = np.concatenate([np.array(tested) for tested, _ in pools])
    figures: dict[str, Any] = {"pool": _range([len(tested) for tested, _ in pools]), "queries": len(names)}
    for way, name in enumerate(WAYS):
        rankings = [both[way] for _, both in pools]
        ranks = np.concatenate([ranking.ranks for ranking in rankings])
        sizes = np.array([len(tested) for tested, _ in pools])
        figures[name] = {
            **bootstrap(ranks, names, {f"R@{k}": _recall(k) for k in CUTS}),
            "mean rank": float(ranks.mean() + 1),
            "median rank": float(np.floor(np.median(ranks)) + 1),
            "random": {
                f"R@{k}": float(np.average([ranking.random_recall(k) for ranking in rankings], weights=sizes))
                for k in CUTS
            },
            "random mean rank": float(np.average([r.random_mean_rank for r in rankings], weights=sizes)),
        }
    return figures


def _recall(k: int) -> Callable[[NDArray[np.float64]], float]:
    return lambda ranks: float((ranks < k).mean())


def _range(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"


def _flat_profiles(screen: Screen) -> NDArray[np.float64]:
    """Mean profile of each compound, each feature once: the screen's embeddings before a head is trained."""
    if screen.has_head:
        raise CellClipError(
            f"screen {screen.name} shows the embeddings of a head: import the profiles into a new folder"
        )
    place = {well: i for i, well in enumerate(screen.well_ids)}
    vectors = screen.embeddings
    return np.stack(
        [vectors[[place[w] for w in c.wells]].mean(axis=0, dtype=np.float64) for c in compounds_of(screen)]
    )


def _reported(results: Iterator[FoldResult], report: Callable[[str], None]) -> Iterator[FoldResult]:
    for result in results:
        found = ", ".join(f"{name} {asked.precisions.mean():.3f}" for name, asked in result.asked.items())
        report(f"seed {result.seed}, fold {result.fold + 1}: mechanisms {found}")
        yield result


def _reported_rotation(
    results: Iterator[RotationResult], report: Callable[[str], None]
) -> Iterator[RotationResult]:
    for result in results:
        found = ", ".join(f"{name} {both[0].recall(1):.3f}" for name, both in result.ranks.items())
        report(f"plate {result.plate} left out: R@1 of seen compounds by {found}")
        yield result
