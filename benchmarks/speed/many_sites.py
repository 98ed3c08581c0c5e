"""How time grows with the sites of a screen: import, open, ask, annotate, map, colour plates.

Screens lie on disk as any other: plates of 384 wells with 26 sites each, random features of two numbers a
stain and random embeddings of 64 numbers. The partner is the same with an eighth of the sites, so a ratio of
8 is growth in proportion, and 8.88 is the exponent 1.05. Below some ten thousand sites fixed costs hide it.
Memory is the peak of the process up to the end of a size.
``python -m benchmarks.speed.many_sites [--quick]``
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import log
from pathlib import Path
from shutil import rmtree

import numpy as np
import pandas as pd

from benchmarks.speed.figures import Figure, compare, peak_memory, script
from benchmarks.speed.questions import TOP, TextModel
from napari_cellclip.explore import Answer, annotate_all, ask
from napari_cellclip.explore.maps.projection import pca_map
from napari_cellclip.model import EncoderCard, FileCard, ModelCard
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.vocabulary import PLATE_SHAPES, well_name

SITES, WELLS = 26, 384
TERMS = [f"term {n}" for n in range(10)]
STEP, EXPONENT = 8, 1.05


def card(dim: int = 64) -> ModelCard:
    return ModelCard(
        name="random",
        encoder=EncoderCard(kind="profile", name="random", dim=2, weights=FileCard(sha256="0" * 64)),
        embed_dim=dim,
        weights=FileCard(file="none"),
    )


def plates(sites: int) -> Iterator[MeasuredPlate]:
    """As many plates as hold so many sites, the last one filled in part."""
    rows, columns = PLATE_SHAPES[WELLS]
    names = [well_name(r, c) for r in range(rows) for c in range(columns)]
    for number in range(-(-sites // (SITES * WELLS))):
        rng = np.random.default_rng(number)
        plate = f"P{number:05d}"
        left = min(WELLS, -(-(sites - number * SITES * WELLS) // SITES))
        ids = [f"{plate}/{name}" for name in names[:left]]
        control = np.arange(left) % 16 == 0
        labels = pd.DataFrame(
            {
                "Metadata_treatment": np.where(control, "DMSO", [f"t{number}-{i // 4}" for i in range(left)]),
                "Metadata_control_type": np.where(control, "negcon", ""),
                "Metadata_cell_line": "U2OS",
            },
            index=pd.Index(ids),
        )
        of_plate = tuple(f"{well}/{i + 1}" for well in ids for i in range(SITES))
        features = rng.standard_normal((len(of_plate), 5, 2), np.float32)
        vectors = rng.standard_normal((left, card().embed_dim), np.float32)
        yield MeasuredPlate(
            plate, of_plate, features, labels, embeddings=dict(zip(ids, vectors, strict=True))
        )


def opened(folder: Path) -> Screen:
    """Open a screen and read what the window shows of it."""
    screen = Screen.open(folder)
    assert len(screen.wells) == len(screen.embeddings)
    return screen


def coloured(screen: Screen, answer: Answer) -> list[pd.Series]:
    """Scores of every plate, in the order of its wells."""
    scores = answer.scores["score"].reindex(screen.wells.index)
    codes, names = screen.plate_codes
    return [part for _, part in scores.groupby(codes, sort=False)] if names else []


def growth(small: int, large: int, made: Path, rounds: int) -> list[Figure]:
    """Compare screens of two sizes."""
    model = TextModel(card())
    proportion = large / small
    folders = {n: made / f"{large}-{n}" for n in (small, large)}
    screens: dict[int, Screen] = {}
    answers: dict[int, Answer] = {}

    def question(n: int, screen: Screen, top: int | None = TOP) -> Answer:
        return ask(screen, "x", prompts=["x"], model=model, top=top)  # type: ignore[arg-type]

    def write(n: int) -> None:
        write_features(folders[n], card(), plates(n))

    def read(n: int) -> None:
        screens[n] = opened(folders[n])

    def all_tables(n: int) -> None:
        answers[n] = question(n, screens[n], None)

    steps: list[tuple[str, Callable[[int], object], int]] = [
        ("import features", write, 1),
        ("open", read, rounds),
        ("open and first question, with its calibration", lambda n: question(n, opened(folders[n])), 1),
        ("ask, with tables of all wells and treatments", all_tables, rounds),
        ("annotate all treatments with 10 terms", lambda n: annotate_all(screens[n], TERMS, model=model), 1),
        ("ask again", lambda n: question(n, screens[n]), rounds),
        ("map all wells by principal components", lambda n: pca_map(screens[n]), rounds),
        ("colour all plates", lambda n: coloured(screens[n], answers[n]), rounds),
    ]
    figures = []
    for what, work, turns in steps:
        figure = compare(
            f"{what}, {large:,} sites",
            partial(work, large),
            partial(work, small),
            against=f"the same with {small:,} sites",
            rounds=turns,
            clock="cpu",
            wanted=f"<= {proportion**EXPONENT:.3g}",
            warm_up=False,
        )
        exponent = log(figure.ratio) / log(proportion)
        figures.append(replace(figure, limit=f"{proportion:.3g}: in proportion; exponent {exponent:.2f}"))
    figures[-1] = replace(
        figures[-1], limit=f"{figures[-1].limit}; peak memory so far {peak_memory():.2f} GB"
    )
    for folder in folders.values():
        rmtree(folder)
    return figures


def measure(quick: bool) -> list[Figure]:
    """Grow eightfold from a thousand sites to four million."""
    sizes = [64, 512] if quick else [4_000_000 // STEP**k for k in (4, 3, 2, 1, 0)]
    with tempfile.TemporaryDirectory() as made:
        if not quick:
            growth(8, 64, Path(made), 1)  # what is loaded at first use
        return [
            figure
            for small, large in pairwise(sizes)
            for figure in growth(small, large, Path(made), 1 if quick else 3)
        ]


if __name__ == "__main__":
    script(measure, __doc__)
