"""Ask profile heads in words about unseen compounds: closed-form heads, and what they were chosen among."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.mechanism_classes import class_vectors, with_classes
from benchmarks.accuracy.profiles.mechanism_queries import (
    Queries,
    interval,
    mean_precision,
    random_precision,
)
from benchmarks.accuracy.script import progress
from napari_cellclip.model import Model, load_model
from napari_cellclip.model.prototypes.fitting import label_vectors
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.screen import Screen
from napari_cellclip.training.closed_form import fitted_model
from napari_cellclip.training.data.labelled_profiles import joined, profile_set
from napari_cellclip.training.profiles.held_out import Asked, compounds_of, cosines, iter_held_out
from napari_cellclip.training.profiles.public_tables import cpjump1_screen, dahlin_screen
from napari_cellclip.training.profiles.text_tower import Whitening, read_by_teacher

Vectors = Mapping[str, NDArray[np.floating]]
Fit = Callable[
    [NDArray[np.float64], NDArray[np.float64]], Callable[[NDArray[np.float64]], NDArray[np.float64]]
]

NEAR = 0.5
"""Cosine of two names from which they count as the same mechanism in other words."""

SHARPNESS = 10.0
"""Of the soft vote, as look-alikes use it."""


def main(
    cpjump1: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of CPJUMP1.")],
    dahlin2023: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of Dahlin 2023.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("profile_words.json"),
    seeds: Annotated[int, typer.Option(min=1, help="How many times compounds are split.")] = 3,
    zero_shot: Annotated[bool, typer.Option(help="Also ask for mechanisms that are left out.")] = True,
) -> None:
    """Measure heads that are fitted in closed form. Some minutes; the ablation needs the extra 'sentences'.

    Example: python -m benchmarks.accuracy.profile_words cpjump1-tables dahlin-tables
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        late, early = (cpjump1_screen(cpjump1, hours, work / f"cpjump1-{hours}") for hours in (48, 24))
        other = dahlin_screen(dahlin2023, 24, work / "dahlin")
        donor = load_model("profiles", device="cpu")
        split = range(seeds)
        for name, screens in (("48 h", [late]), ("24 and 48 h", [late, early])):
            found[f"bundled text tower, {name}"] = figures(list(iter_held_out(screens, donor, seeds=split)))
            progress(f"bundled text tower, {name}: {found[f'bundled text tower, {name}']}")
        found["CPJUMP1 asked of Dahlin 2023"] = one_by_one(elsewhere([late, early], other, donor))
        found["Dahlin 2023 asked of CPJUMP1"] = one_by_one(elsewhere([other], late, donor))
        found["ablation, 48 h"] = ablation(late, split, zero_shot=zero_shot)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """Mean average precision with its interval, by seed, and what random orders reach."""
    queries = {seed: [_queries(a) for a in asked if a.seed == seed] for seed in {a.seed for a in asked}}
    every = [one for some in queries.values() for one in some]
    return {
        "map": round(mean_precision(every), 3),
        "interval": [round(end, 3) for end in interval(every)],
        "by seed": [round(mean_precision(some), 3) for _, some in sorted(queries.items())],
        "random": round(random_precision(every), 3),
        "queries": sum(len(one.mechanisms) for one in every),
    }


def one_by_one(asked: Asked) -> dict[str, Any]:
    """Figures of one pool, and of each mechanism its compounds and average precision."""
    rows = zip(asked.mechanisms, asked.right, _queries(asked).precisions, strict=True)
    each = {name: [int(right.sum()), round(float(precision), 2)] for name, right, precision in rows}
    return {**figures([asked]), "pool": len(asked.compounds), "by mechanism": each}


def elsewhere(known: Sequence[Screen], asked: Screen, donor: Model) -> Asked:
    """Fit to all of one data set and ask another laboratory's, less the compounds that both have.

    Asked are the mechanisms of two compounds or more there whose words are near those of one that was fitted
    (cosine of `NEAR`): the two sets name them in their own ways.
    """
    sets = [joined([profile_set(screen) for screen in known], "known")]
    model = fitted_model(sets, asked, donor)
    shared = set(compounds_of(known[0]))
    pool = {
        name: (wells, named)
        for name, (wells, named) in compounds_of(asked).items()
        if named and name not in shared
    }
    fitted = np.stack(list(label_vectors(donor, sets).values()))
    words = sorted({m for _, named in pool.values() for m in named})
    words = [m for m in words if sum(m in named for _, named in pool.values()) > 1]
    vectors = unit_rows(donor.embed_texts([donor.card.prompts.for_mechanism(m) for m in words]), np.float64)
    words = [m for m, near in zip(words, (vectors @ fitted.T).max(axis=1) >= NEAR, strict=True) if near]
    return Asked(
        0,
        0,
        tuple(pool),
        tuple(words),
        cosines(model, asked, [wells for wells, _ in pool.values()], words),
        np.array([[m in named for _, named in pool.values()] for m in words]),
    )


def ablation(screen: Screen, seeds: Sequence[int], *, zero_shot: bool) -> dict[str, Any]:
    """Compare ways from sphered profiles to a sentence encoder's vectors, on the same folds."""
    from napari_cellclip.model.prototypes.sphering import Sphering
    from napari_cellclip.training import folds

    whole = profile_set(screen)
    sphere = Sphering.fit(whole.controls)
    compounds = compounds_of(screen)
    names = list(dict.fromkeys(whole.treatments))
    profiles = dict(zip(whole.treatments, unit_rows(sphere(whole.profiles), np.float64), strict=True))
    said = {name: compounds[name][1] for name in names}
    texts = sorted({m for some in said.values() for m in some})
    count = {m: sum(m in some for some in said.values()) for m in texts}
    plain = read_by_teacher(texts)
    white = Whitening.fit(plain, dim=192, shrinkage=0.1)(plain)
    centred = unit_rows(plain - plain.mean(axis=0), np.float64)
    kinds: dict[str, Vectors] = {
        "as they are": dict(zip(texts, unit_rows(plain, np.float64), strict=True)),
        "less their mean": dict(zip(texts, centred, strict=True)),
        "whitened": dict(zip(texts, white, strict=True)),
        "classes alone": dict(zip(texts, class_vectors(texts), strict=True)),
        "less their mean, with classes": dict(zip(texts, with_classes(centred, texts, 1.0), strict=True)),
        "whitened, with classes": dict(zip(texts, with_classes(white, texts, 0.5), strict=True)),
        "one each": dict(zip(texts, np.eye(len(texts)), strict=True)),
    }
    fits: dict[str, Fit] = {
        "ridge": _ridge,
        "soft vote": _soft_vote,
        "kernel ridge": _kernel_ridge,
        "kernel ridge, by cosine": _kernel_ridge_by_cosine,
    }
    found: dict[str, Any] = {}
    for how, fit in fits.items():
        for kind, vectors in kinds.items():
            seen: list[Asked] = []
            unseen: list[Asked] = []
            for seed in seeds:
                for fold, split in enumerate(folds(screen.wells, "compound", 5, seed, validation=0.0)):
                    held = set(split.test)
                    tested = [n for n in names if held & set(compounds[n][0])]
                    known = [n for n in names if n not in set(tested)]
                    taught = {m for n in known for m in said[n]}
                    words = [
                        m for m in texts if count[m] > 2 and m in taught and any(m in said[n] for n in tested)
                    ]
                    right = np.array([[m in said[n] for n in tested] for m in words])
                    new = np.stack([profiles[n] for n in tested])
                    scores = _scores(fit, known, said, profiles, vectors, words, new)
                    seen.append(Asked(seed, fold, tuple(tested), tuple(words), scores, right))
                    if zero_shot and kind != "one each":
                        rows = [
                            _scores(
                                fit, [n for n in known if m not in said[n]], said, profiles, vectors, [m], new
                            )[0]
                            for m in words
                        ]
                        unseen.append(Asked(seed, fold, tuple(tested), tuple(words), np.array(rows), right))
            found[f"{how}, vectors {kind}"] = {
                "taught": figures(seen),
                **({"never taught": figures(unseen)} if unseen else {}),
            }
            progress(f"{how}, {kind}: {found[f'{how}, vectors {kind}']}")
    return found


def _scores(
    fit: Fit,
    known: Sequence[str],
    said: Mapping[str, Sequence[str]],
    profiles: Vectors,
    vectors: Vectors,
    words: Sequence[str],
    new: NDArray[np.float64],
) -> NDArray[np.float64]:
    targets = unit_rows(np.stack([np.mean([vectors[m] for m in said[n]], axis=0) for n in known]), np.float64)
    head = fit(np.stack([profiles[n] for n in known]).astype(np.float64), targets - targets.mean(axis=0))
    return np.asarray(np.stack([vectors[m] for m in words]) @ head(new).T, np.float64)


def _ridge(known: NDArray[np.float64], targets: NDArray[np.float64]) -> Callable[..., NDArray[np.float64]]:
    kernel = known @ known.T
    dual = np.linalg.solve(kernel + 10 * np.trace(kernel) / len(kernel) * np.eye(len(kernel)), targets)
    return lambda new: new @ known.T @ dual


def _kernel_ridge(
    known: NDArray[np.float64], targets: NDArray[np.float64]
) -> Callable[..., NDArray[np.float64]]:
    dual = np.linalg.solve(np.exp(3 * (known @ known.T - 1)) + np.eye(len(known)), targets)
    return lambda new: np.exp(3 * (new @ known.T - 1)) @ dual


def _kernel_ridge_by_cosine(
    known: NDArray[np.float64], targets: NDArray[np.float64]
) -> Callable[..., NDArray[np.float64]]:
    """As a model compares wells with words: embeddings of length 1, where the others take the product."""
    embed = _kernel_ridge(known, targets)
    return lambda new: unit_rows(embed(new), np.float64)


def _soft_vote(
    known: NDArray[np.float64], targets: NDArray[np.float64]
) -> Callable[..., NDArray[np.float64]]:
    def embed(new: NDArray[np.float64]) -> NDArray[np.float64]:
        votes = np.exp(SHARPNESS * (new @ known.T - 1))
        return np.asarray(votes / votes.sum(axis=1, keepdims=True) @ targets, np.float64)

    return embed


def _queries(asked: Asked) -> Queries:
    return Queries(asked.compounds, asked.mechanisms, asked.scores, asked.right)


if __name__ == "__main__":
    typer.run(main)
