"""``napari-cellclip evaluate query``: the whole protocol, on simulated plates and on labelled screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.null_screens import control_screens, matches, turned_screens
from benchmarks.accuracy.query_calibration import (
    ALIKE,
    RATES,
    Bank,
    Wells,
    ask_layout,
    by_question,
    figures_of,
    share_of_matches,
)
from benchmarks.accuracy.query_plates import FIRST_SEED, QueryPlate, query_plates
from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.protocols.pictures import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.questions import directions
from napari_cellclip.evaluation.protocols.random_weights import random_weights
from napari_cellclip.explore.calibration.calibration import Reference
from napari_cellclip.model import Model
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOMINAL = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Accepted rates of the calibration curve."""

Result = tuple[dict[str, Any], pd.DataFrame, "Figure"]


def query(
    folder: Path,
    model: Model,
    *,
    plates: int = 20,
    replicates: int = 1,
    seed: int = FIRST_SEED,
    untouched: int | None = None,
    random: bool = True,
    shuffled_model: Model | None = None,
    null_screens: int = 1000,
    draws: int = 1000,
    report: Callable[[str], None] = lambda _: None,
) -> Result:
    """Judge the answers about simulated plates, and about models and screens that cannot have any.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept; what is there is used again.
    model : Model
        The model to judge, with the reference of its card.
    plates : int
        Layouts.
    replicates : int
        Plates of each layout, asked together.
    seed : int
        Of the first layout.
    untouched : int, optional
        First layout that played no part in choosing the method; figures from it on are given apart.
    random : bool
        Ask a model of random weights too (over the same channel encoder).
    shuffled_model : Model, optional
        Trained with captions exchanged between wells, over the same channel encoder; asked too.
    null_screens : int
        Screens made from embeddings alone, of each kind.
    draws : int
        Of the bootstrap.
    report : callable
        Told what is being done.

    Returns
    -------
    summary, table, figure
        For :func:`napari_cellclip.evaluation.protocols.report.write_report`.
    """
    layouts = range(seed, seed + plates)
    encoded: list[list[QueryPlate]] = []
    for found in query_plates(folder, model, layouts, plates=replicates):
        encoded.append(found)
        report(f"encoded {len(encoded)} of {plates} layouts")
    bank = Bank.of(model)
    reference = Reference.of_card(model.card.scores)
    wells = [Wells.of(found, model) for found in encoded]
    answers = pd.concat([ask_layout(w, bank, reference) for w in wells], ignore_index=True)
    figures: dict[str, Any] = dict(figures_of(answers, draws=draws))
    if untouched is not None:
        part = answers[answers["layout"] >= untouched]
        figures |= {f"untouched: {name}": v for name, v in figures_of(part, draws=draws).items()}
    if reference is not None:
        plain = pd.concat([ask_layout(w, bank) for w in wells], ignore_index=True)
        figures |= {f"without reference: {name}": v for name, v in figures_of(plain, draws=draws).items()}
    report("asked the model")
    others = []
    if random:
        drawn = random_weights(model)
        # The encoder's features are kept: phenotypes stay visible, only texts mean nothing.
        drawn.card = drawn.card.model_copy(update={"encoder": model.card.encoder})
        others.append(("random weights", drawn))
    if shuffled_model is not None:
        others.append(("permuted captions", shuffled_model))
    for name, other in others:
        nothing = _of_other(encoded, other)
        figures |= {f"{name}: {key}": v for key, v in share_of_matches(nothing, draws=draws).items()}
        report(f"asked {name}")
    if null_screens:
        for name, screens in (
            ("screens of controls only", control_screens(wells, null_screens)),
            ("phenotypes turned at random", turned_screens(wells, bank, max(null_screens // 5, 1))),
        ):
            found_matches = matches(screens, bank, reference, RATES)
            figures |= _null_figures(name, found_matches, len(wells), draws)
            report(f"asked {name}")
    summary = {
        "data": f"{plates} simulated layouts of {replicates} plate{'s' if replicates > 1 else ''} "
        f"(96 wells, seeds from {seed}); intervals: {draws} draws of layouts",
        "figures": figures,
        "model": {"name": model.card.name, "card": model.card.card_hash},
        "protocol": {
            "plates": plates,
            "replicate_plates": replicates,
            "first_seed": seed,
            "untouched_from": untouched,
            "plate_map_expansion": False,
            "look_alikes": f"cosine of the simulator's standardised changes of phenotype >= {ALIKE}",
            "reference": "" if reference is None else reference.data,
            "null_screens": null_screens,
        },
    }
    return summary, answers, _picture(answers, "simulated plates")


def _of_other(encoded: Sequence[Sequence[QueryPlate]], other: Model) -> pd.DataFrame:
    bank = Bank.of(other)
    reference = Reference.of_card(other.card.scores)
    return pd.concat(
        [ask_layout(Wells.of(found, other), bank, reference) for found in encoded], ignore_index=True
    )


def _null_figures(name: str, found: pd.DataFrame, n_plates: int, draws: int) -> dict[str, Any]:
    """Shares of questions answered by a match; screens of one plate are drawn together."""
    plate = np.arange(len(found)) % n_plates
    figures: dict[str, Any] = {}
    for rate in RATES:
        share = found[rate] / found["questions"]
        value = bootstrap(share, plate, {"mean": lambda x: float(np.mean(x))}, draws=draws)["mean"]
        figures[f"{name}: match, at {100 * rate:.0f} %"] = {**value, "n": len(found)}
    return figures


def calibration_curve(answers: pd.DataFrame) -> pd.DataFrame:
    """Realised against accepted share of false discoveries: ``nominal``, ``realised``, ``said``."""
    rows = []
    for rate in NOMINAL:
        questions = by_question(answers, rate)
        present = questions[questions["present"]]
        rows.append(
            {
                "nominal": rate,
                "realised": float(present["fdp"].mean()) if len(present) else float("nan"),
                "all": float(questions["fdp"].mean()),
                "said": int(questions["said"].sum()),
            }
        )
    return pd.DataFrame(rows)


def _picture(answers: pd.DataFrame, title: str) -> Figure:
    figure = new_figure(8.0, 3.6)
    left, right = figure.subplots(1, 2)
    curve = calibration_curve(answers)
    left.plot([0, 0.4], [0, 0.4], color="black", linestyle="dashed", label="nominal")
    left.plot(curve["nominal"], curve["realised"], "o-", color=COLOURS[0], label="mechanisms present")
    left.plot(curve["nominal"], curve["all"], "s-", color=COLOURS[1], label="all questions")
    left.set(xlabel="accepted false-discovery rate", ylabel="realised share", title=title)
    left.legend(frameon=False)
    own = answers[answers["truth"] == answers["asked"]]
    for colour, rate in zip(COLOURS[2:], RATES, strict=False):
        found = (own["q"] <= rate).groupby(own["dose"]).mean()
        right.plot([f"{dose:g}" for dose in found.index], found, "o-", color=colour, label=f"at {rate:g}")
    right.set(xlabel="dose, µM", ylabel="power", ylim=(0, 1.02))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#dddddd")
    return figure


def labelled_screen(
    wells: Wells, model: Model, *, column: str = "Metadata_mechanism", least: int = 2, draws: int = 1000
) -> Result:
    """Judge the answers about a screen whose plate map tells mechanisms, such as CPJUMP1 through a head.

    Every mechanism that the plate map gives to at least so many treatments is asked for by its name. Labels
    say what is right and which wells are replicates; they decide no score, and plate-map expansion is off.

    Parameters
    ----------
    wells : Wells
        Embedded wells; ``truth`` is not used.
    model : Model
        What embedded them.
    column : str
        Of mechanisms, several joined by ``|``.
    least : int
        Treatments a mechanism needs.
    draws : int
        Of the bootstrap, over mechanisms.

    Returns
    -------
    summary, table, figure
        The table has one row for each mechanism: ``treatments``, ``said``, ``right``, ``recall`` and ``fdp``
        at 5 %.

    Raises
    ------
    CellClipError
        If no mechanism has enough treatments.
    """
    labels = wells.labels
    reference = Reference.of_card(model.card.scores)
    bank = Bank.background_of(model)
    calibration = wells.calibration(bank, reference)
    blocks = calibration.blocks
    first = blocks.rows[blocks.starts[:-1]]
    own = [
        {part.strip() for part in str(text).split("|") if part.strip()}
        for text in labels[column].to_numpy(object)[first]
    ]
    counts = pd.Series([name for names in own for name in names]).value_counts()
    asked = sorted(counts.index[counts >= least])
    if not asked:
        raise CellClipError(f"no mechanism in {column} has {least} treatments: nothing can be asked")
    rows = []
    vectors, known = directions(model, asked)
    for name, vector, familiar in zip(asked, vectors, known, strict=True):
        judged = calibration.judge(vector)
        q = calibration.q_values(judged.p) if familiar else np.ones(len(blocks))
        right = np.array([name in names for names in own])
        rows += [
            {
                "layout": name,
                "asked": name,
                "truth": name if ok else "",
                "dose": dose,
                "p": p,
                "q": one,
                "block": i,
            }
            for i, (ok, dose, p, one) in enumerate(zip(right, blocks.table["dose"], judged.p, q, strict=True))
        ]
    answers = pd.DataFrame(rows)
    answers["said"] = answers["q"] <= RATES[0]
    answers["right"] = answers["said"] & (answers["truth"] == answers["asked"])
    grouped = answers.groupby("asked")
    table = pd.DataFrame(
        {
            "treatments": (answers["truth"] != "").groupby(answers["asked"]).sum(),
            "said": grouped["said"].sum(),
            "right": grouped["right"].sum(),
        }
    )
    table["recall"] = table["right"] / table["treatments"]
    table["fdp"] = np.where(table["said"] > 0, 1 - table["right"] / table["said"].clip(lower=1), 0.0)
    figures: dict[str, Any] = {}
    for rate in RATES:
        said = answers["q"] <= rate
        right = said & (answers["truth"] != "")
        n = said.groupby(answers["asked"]).sum()
        fdp = np.where(n > 0, 1 - right.groupby(answers["asked"]).sum() / n.clip(lower=1), 0.0)
        recall = right.groupby(answers["asked"]).sum() / table["treatments"]
        for name, values in (("false discoveries", fdp), ("recall", recall.to_numpy())):
            found = bootstrap(values, table.index, {"m": lambda x: float(np.mean(x))}, draws=draws)["m"]
            figures[f"{name} at {100 * rate:.0f} %"] = {**found, "n": len(table)}
        figures[f"mechanisms answered by a match at {100 * rate:.0f} %"] = int((n > 0).sum())
    summary = {
        "data": f"{len(labels)} wells, {len(blocks)} treatments and doses, {len(asked)} mechanisms",
        "figures": figures,
        "model": {"name": model.card.name, "card": model.card.card_hash},
        "protocol": {"labels": column, "least": least, "plate_map_expansion": False},
    }
    figure = new_figure(5.0, 3.6)
    axes = figure.subplots()
    curve = []
    for rate in NOMINAL:
        said = answers["q"] <= rate
        wrong = (said & (answers["truth"] == "")).groupby(answers["asked"]).sum()
        curve.append((wrong / said.groupby(answers["asked"]).sum().clip(lower=1)).mean())
    axes.plot([0, 0.4], [0, 0.4], color="black", linestyle="dashed", label="nominal")
    axes.plot(NOMINAL, curve, "o-", color=COLOURS[0], label="realised")
    axes.set(xlabel="accepted false-discovery rate", ylabel="realised share")
    axes.legend(frameon=False)
    return summary, table.reset_index(), figure
