"""Answer by look-alikes on real profiles, compounds held out: the study of docs/references.md."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from benchmarks.accuracy.profiles.compounds import compounds_of, mechanisms_of
from benchmarks.accuracy.profiles.held_out import parted
from benchmarks.accuracy.profiles.verdicts import answered, asked, figures_of
from benchmarks.accuracy.script import progress
from napari_cellclip.evaluation.metrics.precision import average_precision
from napari_cellclip.explore.references.likeness.votes import Votes, soft_votes, structure_likeness
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.profiles import WellProfiles, profiles_of
from napari_cellclip.explore.references.public.installed_sets import public_screen
from napari_cellclip.explore.references.public.public_sets import CPJUMP1, DAHLIN2023
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from napari_cellclip.screen import Screen
from napari_cellclip.training import folds

ANALOGUE = 0.4
"""Tanimoto similarity from which a reference counts as an analogue."""

Split = tuple[int, int, ReferenceSet, dict[str, tuple[str, ...]], tuple[str, ...]]


def main(
    cpjump1: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of CPJUMP1.")],
    dahlin2023: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of Dahlin 2023.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("references.json"),
    seeds: Annotated[int, typer.Option(min=1, help="How many times compounds are split.")] = 3,
    first: Annotated[
        int | None, typer.Option(min=1, help="Run only so many folds and halves, for a quick look.")
    ] = None,
) -> None:
    """Ask for mechanisms of held-out compounds by their likeness to known ones. About ten minutes.

    Example: python -m benchmarks.accuracy.look_alikes cpjump1-tables dahlin-tables
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = study(cpjump1, dahlin2023, Path(scratch), seeds=seeds, first=first)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def study(
    cpjump1: Path, dahlin2023: Path, scratch: Path, *, seeds: int, first: int | None = None
) -> dict[str, Any]:
    """Run all protocols, on the first folds and halves only if so many are given."""
    files = {file.name: cpjump1 / file.name for file in CPJUMP1.files}
    screens = {
        hours: public_screen(CPJUMP1, files, hours, scratch / f"cpjump1-{hours:g}") for hours in (48.0, 24.0)
    }
    late, early = (profiles_of(screens[hours]) for hours in (48.0, 24.0))
    found: dict[str, Any] = {}
    tables: dict[str, list[pd.DataFrame]] = {}
    for seed, fold, references, truth, mechanisms in islice(
        cpjump1_splits(screens[48.0], late, seeds), first
    ):
        about = {"seed": seed, "fold": fold}
        tables.setdefault("48 h", []).append(asked(late, references, truth, mechanisms, **about))
        tables.setdefault("48 h to 24 h", []).append(asked(early, references, truth, mechanisms, **about))
        if seed == 0:
            half = np.random.default_rng(fold).permutation(len(references.features))
            some = references.restricted(
                [references.features[i] for i in sorted(half[: len(references.features) // 2])]
            )
            tables.setdefault("half of the features", []).append(
                asked(late, some, truth, mechanisms, **about)
            )
        tables.setdefault("labels permuted", []).append(
            asked(late, permuted(references, 10 * seed + fold), truth, mechanisms, **about)
        )
        progress(f"CPJUMP1, seed {seed}, fold {fold}")
    found["left out one by one"] = one_by_one(late)
    files = {file.name: dahlin2023 / file.name for file in DAHLIN2023.files}
    screen = public_screen(DAHLIN2023, files, 24.0, scratch / "dahlin")
    wells = profiles_of(screen)
    for seed, fold, references, truth, mechanisms in islice(halves(wells, seeds), first):
        tables.setdefault("Dahlin, half to half", []).append(
            asked(wells, references, truth, mechanisms, seed=seed, fold=fold)
        )
        progress(f"Dahlin, seed {seed}, half {fold}")
    for name, parts in tables.items():
        table = pd.concat(parts, ignore_index=True)
        if name == "labels permuted":
            found[name] = {"answered": answered(table)}
        else:
            found[name] = figures_of(table)
    return found


def cpjump1_splits(screen: Screen, wells: WellProfiles, seeds: int) -> Iterator[Split]:
    """References and questions of each fold, as in the study of docs/cpjump1.md."""
    every = ReferenceSet.of_wells(wells, ReferenceSource("CPJUMP1"), known_only=False)
    compounds = compounds_of(screen)
    mechanisms = tuple(mechanisms_of(compounds, least=3))
    for seed in range(seeds):
        for fold, split in enumerate(folds(screen.wells, "compound", 5, seed, validation=0.0)):
            trained, tested = parted(compounds, split, "test")
            names = {compound.name for compound in trained}
            references = every.subset(every.treatments["name"].isin(names).to_numpy())
            truth = {c.name: tuple(c.mechanisms) for c in tested if c.mechanisms}
            yield seed, fold, references, truth, mechanisms


def halves(wells: WellProfiles, seeds: int) -> Iterator[Split]:
    """Half of the compounds of each class are references for the other half, and the other way round."""
    every = ReferenceSet.of_wells(wells, ReferenceSource("Dahlin"), known_only=False)
    classes = every.treatments.drop_duplicates("name").set_index("name")["mechanism"]
    mechanisms = tuple(sorted(set(classes) - {""}))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        first: set[str] = set()
        for name in sorted(set(classes)):
            members = rng.permutation(sorted(classes.index[classes == name]))
            first |= set(members[: len(members) // 2])
        for fold, known in enumerate((first, set(classes.index) - first)):
            truth: dict[str, tuple[str, ...]] = {
                str(n): (str(classes[n]),) for n in classes.index if n not in known and classes[n]
            }
            yield seed, fold, every.subset(every.treatments["name"].isin(known).to_numpy()), truth, mechanisms


def permuted(references: ReferenceSet, seed: int) -> ReferenceSet:
    """Give references the labels of others, whole rows of them."""
    order = np.random.default_rng([seed, 3]).permutation(len(references))
    labels = references.treatments[["mechanism", "genes"]].iloc[order].reset_index(drop=True)
    return replace(references, treatments=references.treatments.assign(**labels.to_dict("list")))


def one_by_one(wells: WellProfiles) -> dict[str, dict[str, float]]:
    """Rank all compounds for each mechanism of three or more, each left out, with and without analogues."""
    found = LookAlikes(wells, ReferenceSet.of_wells(wells, ReferenceSource("CPJUMP1")))
    smiles = [str(text) for text in found.rows["smiles"]]
    built = structure_likeness(smiles, found.smiles)
    assert built is not None
    far = found.own.allowed & ~(built >= ANALOGUE)
    structures = soft_votes(np.where(far & np.isfinite(built), built, -np.inf))
    without = Votes(
        found.own.likeness,
        far,
        soft_votes(np.where(far, found.own.likeness, -np.inf)),
        np.where(far & np.isfinite(built), structures, np.nan),
    )
    out = {}
    for name, votes in (("all", found.own), ("without analogues", without)):
        precisions: dict[str, list[float]] = {"looks": [], "built": [], "fused": []}
        for members in found.mechanisms.values():
            if members.sum() < 3:
                continue
            right = members[found.rows["group"].to_numpy()]
            looks, structure = votes.looks(members), votes.built(members)
            for kind, score in (
                ("looks", looks), ("built", structure), ("fused", votes.fused(looks, structure))
            ):  # fmt: skip
                precisions[kind].append(average_precision(np.nan_to_num(score, nan=-99.0), right))
        out[name] = {kind: round(float(np.mean(values)), 3) for kind, values in precisions.items()}
    return out


if __name__ == "__main__":
    typer.run(main)
