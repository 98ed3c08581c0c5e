"""``napari-cellclip evaluate query``: the whole protocol, on simulated plates and on labelled screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.simulated.null_screens import (
    control_screens,
    matches,
    turned_screens,
)
from napari_cellclip.evaluation.protocols.simulated.random_weights import random_weights
from napari_cellclip.evaluation.protocols.simulated.verdict_answers import (
    ALIKE,
    NOMINAL,
    RATES,
    Bank,
    Result,
    Wells,
    ask_layout,
    by_question,
    figures_of,
    share_of_matches,
)
from napari_cellclip.evaluation.protocols.simulated.verdict_plates import FIRST_SEED, QueryPlate, query_plates
from napari_cellclip.explore.calibration.nulls.empirical_null import EmpiricalNull
from napari_cellclip.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    """Score the answers about simulated plates, and about models and screens that cannot have any.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept; what is there is used again.
    model : Model
        The model to score, with the empirical null of its card.
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
    empirical_null = EmpiricalNull.of_card(model.card.scores)
    wells = [Wells.of(found, model) for found in encoded]
    answers = pd.concat([ask_layout(w, bank, empirical_null) for w in wells], ignore_index=True)
    figures: dict[str, Any] = dict(figures_of(answers, draws=draws))
    if untouched is not None:
        part = answers[answers["layout"] >= untouched]
        figures |= {f"untouched: {name}": v for name, v in figures_of(part, draws=draws).items()}
    if empirical_null is not None:
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
            found_matches = matches(screens, bank, empirical_null, RATES)
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
            "reference": "" if empirical_null is None else empirical_null.data,
            "null_screens": null_screens,
        },
    }
    return summary, answers, _picture(answers, "simulated plates")


def _of_other(encoded: Sequence[Sequence[QueryPlate]], other: Model) -> pd.DataFrame:
    bank = Bank.of(other)
    empirical_null = EmpiricalNull.of_card(other.card.scores)
    return pd.concat(
        [ask_layout(Wells.of(found, other), bank, empirical_null) for found in encoded], ignore_index=True
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
    """Realised against accepted share of false discoveries: ``nominal``, ``realised``, ``called``."""
    rows = []
    for rate in NOMINAL:
        questions = by_question(answers, rate)
        present = questions[questions["present"]]
        rows.append(
            {
                "nominal": rate,
                "realised": float(present["fdp"].mean()) if len(present) else float("nan"),
                "all": float(questions["fdp"].mean()),
                "called": int(questions["called"].sum()),
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
