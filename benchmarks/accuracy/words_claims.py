"""Count claims of the closed-form head asked in words about compounds it was not fitted to, real cells."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.verdicts import over_compounds
from benchmarks.accuracy.script import progress
from napari_cellclip import Screen, ask, import_profiles, load_model
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.references.profiles import profiles_of
from napari_cellclip.model import Model
from napari_cellclip.screen.storage.labels import COLUMNS as LABELS
from napari_cellclip.training import folds
from napari_cellclip.training.closed_form import fitted_model
from napari_cellclip.training.data.labelled_profiles import joined, profile_set
from napari_cellclip.training.profiles.held_out import LEAST, compounds_of
from napari_cellclip.training.profiles.public_tables import cpjump1_screen, dahlin_screen
from napari_cellclip.vocabulary.ids import split_ids
from napari_cellclip.vocabulary.significance import FDR


def main(
    cpjump1: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of CPJUMP1.")],
    dahlin2023: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Tables of Dahlin 2023.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("words_claims.json"),
    seeds: Annotated[int, typer.Option(min=1, help="How many times compounds are split.")] = 1,
    first: Annotated[
        int | None, typer.Option(min=1, help="Run only so many folds, for a quick look.")
    ] = None,
) -> None:
    """Ask in words for mechanisms of compounds that were not fitted, and count right and wrong matches.

    Example: python -m benchmarks.accuracy.words_claims cpjump1-tables dahlin-tables
    """
    donor = load_model("profiles", device="cpu")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        late = cpjump1_screen(cpjump1, 48, work / "cpjump1")
        other = dahlin_screen(dahlin2023, 24, work / "dahlin")
        parts = list(islice(held_out(late, donor, range(seeds), work), first))
        found["CPJUMP1 48 h, compounds not fitted"] = figures(pd.concat(parts, ignore_index=True))
        progress(f"{found}")
        for name, known, tested in (("CPJUMP1 to Dahlin", late, other), ("Dahlin to CPJUMP1", other, late)):
            pool = {n: m for n, (_, m) in compounds_of(tested).items() if n not in compounds_of(known)}
            part = part_of(tested, set(pool), work / name.replace(" ", "-"))
            model = fitted_model([joined([profile_set(known)], "known")], part, donor)
            found[name] = figures(asked(part, model, mechanisms_of(pool)))
            progress(f"{name}: {found[name]}")
        for name, screen in (("CPJUMP1 48 h, compounds fitted", late), ("Dahlin, compounds fitted", other)):
            pool = {n: m for n, (_, m) in compounds_of(screen).items()}
            model = screen.derive_wells(donor).model
            found[name] = figures(asked(screen, model, mechanisms_of(pool)))
            progress(f"{name}: {found[name]}")
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def held_out(screen: Screen, donor: Model, seeds: Sequence[int], work: Path) -> Iterator[pd.DataFrame]:
    """Ask a screen of the compounds of each fold, and of no others, for all mechanisms of three or more."""
    every = compounds_of(screen)
    mechanisms = mechanisms_of({name: named for name, (_, named) in every.items()})
    for seed in seeds:
        for fold, split in enumerate(folds(screen.wells, "compound", 5, seed, validation=0.0)):
            tested = {name for name, (wells, _) in every.items() if set(wells) & set(split.test)}
            kept = [well for name, (wells, _) in every.items() if name not in tested for well in wells]
            known = joined([profile_set(screen, frozenset([*kept, *screen.control_ids]))], "training")
            part = part_of(screen, tested, work / f"part-{seed}-{fold}")
            model = fitted_model([known], part, donor)
            yield asked(part, model, mechanisms).assign(seed=seed, fold=fold)
            progress(f"seed {seed}, fold {fold}")


def mechanisms_of(named: Mapping[str, Sequence[str]]) -> list[str]:
    """Mechanisms of `LEAST` compounds or more."""
    count = pd.Series([m for mechanisms in named.values() for m in mechanisms]).value_counts()
    return sorted(map(str, count.index[count >= LEAST]))


def part_of(screen: Screen, names: Collection[str], out: Path) -> Screen:
    """Copy some treatments of a screen of profiles, with all its controls, into one of their own."""
    kept = {well for name, (own, _) in compounds_of(screen).items() if name in names for well in own}
    kept |= set(screen.control_ids)
    found = profiles_of(screen)
    rows = [i for i, well in enumerate(found.wells.index) if well in kept]
    labels = found.wells.iloc[rows][["Metadata_Plate", "Metadata_Well", *LABELS]]
    values = pd.DataFrame(found.values[rows], labels.index, found.features)
    table = out.with_suffix(".parquet")
    pd.concat([labels, values], axis=1).to_parquet(table, index=False)
    return import_profiles(table, out, model="")


def asked(screen: Screen, model: Model, mechanisms: Sequence[str]) -> pd.DataFrame:
    """Ask for mechanisms in words, the plate map's labels unread; one row a question and treatment."""
    shown = screen.derive_wells(model)
    truth = {well: named for wells, named in compounds_of(screen).values() for well in wells}
    parts = []
    for mechanism in mechanisms:
        answer = ask(shown, mechanism, evidence="words", use_platemap=False, model=model)
        table = answer.treatments_table
        right = [mechanism in truth.get(split_ids(ids)[0], ()) for ids in table.index]
        parts.append(
            pd.DataFrame(
                {
                    "mechanism": mechanism,
                    "name": table["treatment"].to_numpy(),
                    "right": right,
                    "claimed": would_match(table),
                    "present": any(right),
                }
            )
        )
    return pd.concat(parts, ignore_index=True).assign(seed=0, fold=0)


def would_match(treatments: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which treatments the tests would call matches, if the program did not take them as a ranking."""
    active = treatments["active"].to_numpy(bool)
    tested = active if active.mean() < 0.5 else np.ones(len(active), bool)
    return benjamini_hochberg(np.where(tested, treatments["p"].to_numpy(float), np.nan)) <= FDR


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Claims, how many are right with an interval over compounds, false discoveries a question, recall."""
    keys = ["seed", "fold", "mechanism"]
    table = table.assign(wrong=table["claimed"] & ~table["right"])
    sums = table.groupby([*keys, "present"])[["claimed", "wrong"]].sum().reset_index("present")
    share = sums["wrong"] / sums["claimed"].clip(lower=1)
    claims = table[table["claimed"]]
    there = sums["present"].astype(bool)
    return {
        "questions": len(sums),
        "with an answer": int(there.sum()),
        "claims": len(claims),
        "right": over_compounds(claims["right"], claims["name"], 0) if len(claims) else None,
        "fdp_per_question": round(float(share[there].mean()), 3),
        "recall": round(float(table[table["right"]]["claimed"].mean()), 3),
        "absent answered": round(float((sums["claimed"][~there] > 0).mean()), 3) if (~there).any() else None,
    }


if __name__ == "__main__":
    typer.run(main)
