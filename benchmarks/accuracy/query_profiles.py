"""Check verdicts on real profiles: queries to heads that never saw the compounds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.compounds import compounds_of, mechanisms_of
from benchmarks.accuracy.profiles.heads import HeadSettings, fit_head
from benchmarks.accuracy.profiles.held_out import LEAST, features_of, parted
from benchmarks.accuracy.profiles.study import WORDS
from benchmarks.accuracy.script import AnnotationsOption, TablesArgument, progress
from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, conclude
from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.simulated.verdict_answers import NOMINAL, Bank, Result, Wells
from napari_cellclip.explore.calibration.background import background_prompts
from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.training import folds, refuse_leakage
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (0.05, 0.1)


def query_profiles(
    screen: Screen,
    settings: HeadSettings,
    *,
    n: int = 5,
    seed: int = 0,
    draws: int = 1000,
    report: Callable[[str], None] = lambda _: None,
) -> Result:
    """Ask heads of compound-grouped folds for mechanisms among compounds they never saw.

    Parameters
    ----------
    screen : Screen
        Of measured profiles, with mechanisms in its plate map.
    settings : HeadSettings
        Of the heads, which read words.
    n, seed : int
        Folds, and what deals compounds to them.
    draws : int
        Of the bootstrap over mechanisms.
    report : callable
        Told after each fold.

    Returns
    -------
    summary, table, figure
        The table has one row for each mechanism: ``pools`` it was asked in, ``compounds`` that have it,
        and how many of these were called a match at each accepted rate, rightly and wrongly.

    Raises
    ------
    CellClipError
        If no mechanism has three compounds.
    """
    parts = []
    for part in iter_asked(screen, settings, n=n, seed=seed):
        parts.append(part)
        report(f"asked fold {len(parts)} of {n}")
    answers = pd.concat(parts, ignore_index=True)
    curve = curve_of(answers)
    table = by_mechanism(answers)
    figures: dict[str, Any] = {}
    for rate in RATES:
        questions = questions_of(answers, rate)
        for name, rows, column in (
            ("false discoveries, mechanisms present", questions[questions["right"] > 0], "fdp"),
            ("recall, mechanisms present", questions[questions["right"] > 0], "recall"),
            ("match, mechanisms absent", questions[questions["right"] == 0], "match"),
        ):
            key = f"{name}, at {rate:.0%}"
            if not len(rows):  # as where every mechanism is in every pool
                figures[key] = None
                continue
            found = bootstrap(rows[column].to_numpy(float), rows["asked"], {"mean": _mean}, draws=draws)
            figures[key] = {**found["mean"], "n": len(rows)}
        figures[f"treatments called a match, at {rate:.0%}"] = int(questions["called"].sum())
        figures[f"of these wrong, at {rate:.0%}"] = int(questions["wrong"].sum())
    summary = {
        "data": f"{len(compounds_of(screen))} compounds of {', '.join(screen.plates)}; {n} folds by compound,"
        f" seed {seed}; intervals: {draws} draws of mechanisms",
        "protocol": {
            "asked": f"mechanisms of {LEAST} compounds or more that training has seen with others, by name",
            "wrong": "a treatment called a match whose known mechanisms do not include the one asked for;"
            " treatments without a known mechanism count neither way",
            "controls": "half of each plate's were shown to the head, the verdicts rest on the other half",
            "plate_map_expansion": False,
            "reference": "",
        },
        "figures": figures,
        "curve": curve.to_dict(orient="list"),
        "mechanisms": table.set_index("mechanism").to_dict(orient="index"),
    }
    return summary, table, _picture(curve)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.mean(values))


def iter_asked(
    screen: Screen, settings: HeadSettings, *, n: int = 5, seed: int = 0
) -> Iterator[pd.DataFrame]:
    """Judge every question of each fold.

    Yields
    ------
    DataFrame
        One row for each mechanism asked for and each tested treatment: ``fold``, ``asked``, ``treatment``,
        ``known`` (whether any mechanism of it is known), ``truth`` (whether it has the one asked for),
        ``n_wells``, ``active``, ``p`` and ``q``.
    """
    compounds = compounds_of(screen)
    mechanisms = mechanisms_of(compounds, least=LEAST)
    if not mechanisms:
        raise CellClipError(
            f"no mechanism of screen {screen.name} has {LEAST} compounds: import it with annotations"
        )
    features = features_of(screen)
    shown, kept = halved([well for well in screen.control_ids if well in features], seed)
    for fold, split in enumerate(folds(screen.wells, "compound", n, seed, validation=0.0)):
        refuse_leakage(split, screen.wells)
        trained, tested = parted(compounds, split)
        head = fit_head(trained, shown, features, settings, seed=seed * 100 + fold)
        wells = [well for compound in tested for well in compound.wells] + kept
        labels = screen.wells.loc[wells]
        judged_wells = Wells(fold, head.embed_wells(wells, features), labels, labels)
        background = head.embed_texts(list(background_prompts(head.templates)))
        calibration = judged_wells.calibration(
            Bank(background[:0], background, np.zeros(0, bool)), None, seed=seed
        )
        names = calibration.replicates.table["treatment"].astype(str).to_numpy()
        known = {compound.name: compound.mechanisms for compound in tested}
        seen = {mechanism for compound in trained for mechanism in compound.mechanisms}
        tables = []
        for mechanism in mechanisms:
            if mechanism not in seen:
                continue
            evaluated = calibration.score(head.embed_texts([head.templates.for_mechanism(mechanism)])[0])
            tables.append(
                pd.DataFrame(
                    {
                        "fold": fold,
                        "asked": mechanism,
                        "treatment": names,
                        "known": [bool(known[name]) for name in names],
                        "truth": [mechanism in known[name] for name in names],
                        "n_wells": calibration.replicates.table["n_wells"].to_numpy(),
                        "active": calibration.active,
                        "p": evaluated.p,
                        "q": calibration.q_values(evaluated),
                    }
                )
            )
        yield pd.concat(tables, ignore_index=True)


def halved(controls: list[str], seed: int) -> tuple[list[str], list[str]]:
    """Two halves of the control wells of each plate, drawn at random."""
    rng = np.random.default_rng([seed, 41])
    first, second = [], []
    for plate in dict.fromkeys(well.split("/")[0] for well in controls):
        here = [well for well in controls if well.split("/")[0] == plate]
        order = rng.permutation(len(here))
        first += [here[i] for i in sorted(order[: len(here) // 2].tolist())]
        second += [here[i] for i in sorted(order[len(here) // 2 :].tolist())]
    return first, second


def questions_of(answers: pd.DataFrame, rate: float) -> pd.DataFrame:
    """One row a question: ``right`` (so many treatments are), ``called``, ``wrong``, ``fdp``, ``recall``."""
    called = answers["q"] <= rate
    table = (
        answers.assign(
            called=called & answers["known"],
            hit=called & answers["truth"],
            wrong=called & answers["known"] & ~answers["truth"],
        )
        .groupby(["fold", "asked"], as_index=False)
        .agg(right=("truth", "sum"), called=("called", "sum"), hit=("hit", "sum"), wrong=("wrong", "sum"))
    )
    table["match"] = (table["called"] > 0).astype(float)
    table["fdp"] = table["wrong"] / table["called"].clip(lower=1)
    table["recall"] = table["hit"] / table["right"].clip(lower=1)
    return table


def curve_of(answers: pd.DataFrame) -> pd.DataFrame:
    """Realised against accepted share of false discoveries, a row for each accepted rate."""
    rows = []
    for rate in NOMINAL:
        questions = questions_of(answers, rate)
        present = questions[questions["right"] > 0]
        rows.append(
            {
                "nominal": rate,
                "mechanisms present": float(present["fdp"].mean()),
                "all questions": float(questions["fdp"].mean()),
                "of all called": float(questions["wrong"].sum() / max(int(questions["called"].sum()), 1)),
                "called": int(questions["called"].sum()),
                "recall": float(present["recall"].mean()),
            }
        )
    return pd.DataFrame(rows)


def by_mechanism(answers: pd.DataFrame) -> pd.DataFrame:
    """One row for each mechanism, over all folds."""
    table = answers.groupby("asked").agg(pools=("fold", "nunique"), compounds=("truth", "sum"))
    for rate in RATES:
        questions = questions_of(answers, rate).groupby("asked")[["hit", "wrong"]].sum()
        table[f"right at {rate:.0%}"] = questions["hit"]
        table[f"wrong at {rate:.0%}"] = questions["wrong"]
        table[f"recall at {rate:.0%}"] = questions["hit"] / table["compounds"].clip(lower=1)
    return table.rename_axis("mechanism").reset_index()


def _picture(curve: pd.DataFrame) -> Figure:
    figure = new_figure(4.6, 3.6)
    axes = figure.subplots()
    axes.plot([0, 0.4], [0, 0.4], color="black", linestyle="dashed", label="nominal")
    for colour, name in zip(COLOURS, ("mechanisms present", "all questions", "of all called"), strict=False):
        axes.plot(curve["nominal"], curve[name], "o-", color=colour, label=name)
    axes.set(xlabel="accepted false-discovery rate", ylabel="realised share", ylim=(0, 1))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd")
    return figure


def main(
    tables: TablesArgument,
    annotations: AnnotationsOption,
    out: OutOption,
    folds: Annotated[int, typer.Option(min=2, help="Folds by compound.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the folds and the heads.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Training steps of each head, for a trial.")
    ] = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Check verdicts on real profiles, with heads that never saw the compounds.

    Heads of compound-grouped folds are queried for mechanisms by name among the held-out compounds:
    realised against accepted false-discovery rates, and the recall of each mechanism. Ten minutes on two
    cores.

    Example: python -m benchmarks.accuracy.query_profiles BR*.csv.gz --annotations notes.tsv --out figures
    """
    settings = WORDS if steps is None else replace(WORDS, steps=steps)
    with tempfile.TemporaryDirectory() as scratch:
        screen = import_profiles(
            tables, Path(scratch) / "screen", annotations=annotations, cell_line="U2OS", model=""
        )
        result = query_profiles(screen, settings, n=folds, seed=seed, report=progress)
    conclude(out, "query-profiles", *result, update_card=update_card)


if __name__ == "__main__":
    typer.run(main)
