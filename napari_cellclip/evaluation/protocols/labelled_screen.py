"""Check verdicts about a screen whose plate map names mechanisms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.simulated.queries import directions
from napari_cellclip.evaluation.protocols.simulated.verdict_answers import NOMINAL, RATES, Bank, Result, Wells
from napari_cellclip.explore.calibration.nulls.empirical_null import EmpiricalNull
from napari_cellclip.model import Model
from napari_cellclip.vocabulary import CellClipError


def labelled_screen(
    wells: Wells, model: Model, *, column: str = "Metadata_mechanism", least: int = 2, draws: int = 1000
) -> Result:
    """Score the answers about a screen whose plate map tells mechanisms, such as CPJUMP1 through a head.

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
        One row a mechanism: ``treatments``, ``called``, ``right``, ``recall``, ``fdp``
        at 5 %.

    Raises
    ------
    CellClipError
        If no mechanism has enough treatments.
    """
    labels = wells.labels
    empirical_null = EmpiricalNull.of_card(model.card.scores)
    bank = Bank.background_of(model)
    calibration = wells.calibration(bank, empirical_null)
    blocks = calibration.replicates
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
    for name, vector, in_vocabulary in zip(asked, vectors, known, strict=True):
        scored = calibration.score(vector)
        q = calibration.q_values(scored) if in_vocabulary else np.ones(len(blocks))
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
            for i, (ok, dose, p, one) in enumerate(zip(right, blocks.table["dose"], scored.p, q, strict=True))
        ]
    answers = pd.DataFrame(rows)
    answers["called"] = answers["q"] <= RATES[0]
    answers["right"] = answers["called"] & (answers["truth"] == answers["asked"])
    grouped = answers.groupby("asked")
    table = pd.DataFrame(
        {
            "treatments": (answers["truth"] != "").groupby(answers["asked"]).sum(),
            "called": grouped["called"].sum(),
            "right": grouped["right"].sum(),
        }
    )
    table["recall"] = table["right"] / table["treatments"]
    table["fdp"] = np.where(table["called"] > 0, 1 - table["right"] / table["called"].clip(lower=1), 0.0)
    figures: dict[str, Any] = {}
    for rate in RATES:
        called = answers["q"] <= rate
        right = called & (answers["truth"] != "")
        n = called.groupby(answers["asked"]).sum()
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
        called = answers["q"] <= rate
        wrong = (called & (answers["truth"] == "")).groupby(answers["asked"]).sum()
        curve.append((wrong / called.groupby(answers["asked"]).sum().clip(lower=1)).mean())
    axes.plot([0, 0.4], [0, 0.4], color="black", linestyle="dashed", label="nominal")
    axes.plot(NOMINAL, curve, "o-", color=COLOURS[0], label="realised")
    axes.set(xlabel="accepted false-discovery rate", ylabel="realised share")
    axes.legend(frameon=False)
    return summary, table.reset_index(), figure
