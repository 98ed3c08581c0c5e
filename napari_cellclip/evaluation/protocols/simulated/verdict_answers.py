"""Compute how often verdicts are wrong: error rates, absent mechanisms, power, and models that know nothing.

Protocol. On plates of :mod:`~napari_cellclip.evaluation.protocols.simulated.verdict_plates`, never seen in
training, each mechanism of the simulator is queried by its name, worded as
:func:`napari_cellclip.explore.ask` does it with plate-map expansion and installed annotation tables off. A
treatment at a dose that is called a match is right if the simulator gave it that mechanism, at whatever
effect. Intervals are from drawing layouts (plates, with their replicates) with replacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.protocols.simulated.queries import directions
from napari_cellclip.evaluation.protocols.simulated.verdict_plates import QueryPlate
from napari_cellclip.explore.asked_screen import embedded
from napari_cellclip.explore.calibration.background import background_vectors
from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.calibration.nulls.empirical_null import EmpiricalNull
from napari_cellclip.explore.calibration.nulls.random_directions import RandomDirections
from napari_cellclip.explore.vectors.well_vectors import WellVectors
from napari_cellclip.model import Model
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.screen import Screen
from napari_cellclip.simulation.phenotypes import UNTREATED, Phenotype, developed
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (0.05, 0.10)
"""Accepted false-discovery rates that are evaluated."""

NOMINAL = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Accepted rates of a calibration curve."""

Result = tuple[dict[str, Any], pd.DataFrame, "Figure"]
"""Summary, table and figure, as a report takes them."""

ALIKE = 0.3
"""Cosine of standardised changes of phenotype from which two mechanisms are called look-alikes."""

HIGH_DOSE = 3.0
"""Micromolar, from which a dose is one of the two highest."""


@cache
def look_alikes() -> dict[str, frozenset[str]]:
    """Keys of the mechanisms that look like each mechanism, from the simulator's parameters.

    A mechanism's phenotype is the logarithm of each parameter against an untreated cell (the difference for
    shares), divided by the root mean square of that parameter's changes over all mechanisms. Two mechanisms
    look alike if the cosine of their phenotypes is 0.3 or more.
    """
    changes = []
    for mechanism in MECHANISMS:
        full = developed(mechanism.key)
        row = []
        for field in fields(Phenotype):
            start, end = getattr(UNTREATED, field.name), getattr(full, field.name)
            row.append(np.log(end / start) if start > 0 and end > 0 else end - start)
        changes.append(row)
    values = np.asarray(changes, float)
    values /= np.maximum(np.sqrt((values**2).mean(axis=0)), 1e-9)
    unit = unit_rows(values, np.float64)
    near = unit @ unit.T >= ALIKE
    keys = [mechanism.key for mechanism in MECHANISMS]
    return {
        key: frozenset(other for j, other in enumerate(keys) if near[i, j] and j != i)
        for i, key in enumerate(keys)
    }


@dataclass(frozen=True)
class Bank:
    """Questions for a model: directions of the mechanisms, and the background.

    Attributes
    ----------
    questions : ndarray of float32 (n, E)
    background : ndarray of float32 (m, E)
    in_vocabulary : ndarray of bool (n,)
        Whether the question is in the model's vocabulary; if not, the answer is "No confident match".
    """

    questions: NDArray[np.float32]
    background: NDArray[np.float32]
    in_vocabulary: NDArray[np.bool_]

    @classmethod
    def of(cls, model: Model) -> Bank:
        """Word and embed every mechanism's name, without plate map and annotation tables."""
        vectors, in_vocabulary = directions(model, [mechanism.name for mechanism in MECHANISMS])
        return cls(vectors, background_vectors(model, model.card.prompts), in_vocabulary)

    @classmethod
    def background_of(cls, model: Model) -> Bank:
        """Embed the background alone, for questions that are worded elsewhere."""
        background = background_vectors(model, model.card.prompts)
        return cls(background[:0], background, np.zeros(0, bool))


@dataclass(frozen=True)
class Wells:
    """Embedded wells of the plates of one layout, and the truth about them.

    Attributes
    ----------
    layout : int
    unit : ndarray of float32 (n, E)
        Unit embeddings.
    labels : DataFrame
        What the screen knows: codes, doses, controls.
    truth : DataFrame
        Rows in the same order.
    """

    layout: int
    unit: NDArray[np.float32]
    labels: pd.DataFrame
    truth: pd.DataFrame

    @classmethod
    def of(cls, plates: Sequence[QueryPlate], model: Model) -> Wells:
        """Embeddings by a model of plates that were encoded with its channel encoder."""
        parts = [embeddings_by(plate.screen, model) for plate in plates]
        labels = pd.concat([plate.screen.wells for plate in plates])
        truth = pd.concat([plate.truth for plate in plates]).reindex(labels.index)
        return cls(plates[0].layout, unit_rows(np.concatenate(parts)), labels, truth)

    @classmethod
    def of_screen(cls, screen: Screen) -> Wells:
        """Take the embedded wells of a screen, with its labels for truth."""
        there = embedded(screen)
        labels = screen.wells[there]
        return cls(0, unit_rows(screen.embeddings[there]), labels, labels)

    def calibration(
        self,
        bank: Bank,
        empirical_null: EmpiricalNull | None,
        *,
        seed: int = 0,
        directions: RandomDirections | None = None,
    ) -> Calibration:
        """Make the calibration that a screen of these wells would have."""
        codes, names = pd.factorize(self.labels["Metadata_Plate"])
        controls = (self.labels["Metadata_control_type"] == "negcon").to_numpy()
        return Calibration(
            WellVectors.of(self.unit),
            self.labels,
            codes,
            tuple(names),
            controls,
            bank.background,
            empirical_null=empirical_null,
            seed=seed,
            directions=directions,
        )


def embeddings_by(screen: Screen, model: Model) -> NDArray[np.float32]:
    """Embeddings (n_wells, E) of a screen's wells by a model with the same channel encoder."""
    if screen.card_hash == model.card.card_hash:
        return screen.embeddings
    fields_of = screen.fields.groupby("Metadata_Well_id", sort=False).groups
    return model.embed_wells([screen.features(list(fields_of[well])) for well in screen.well_ids])


def ask_layout(
    wells: Wells, bank: Bank, empirical_null: EmpiricalNull | None = None, *, seed: int = 0
) -> pd.DataFrame:
    """Ask every mechanism of the plates of one layout.

    Returns
    -------
    DataFrame
        One row for each mechanism asked for and each treatment at a dose: ``layout``, ``asked`` (key),
        ``truth`` (key, empty for inert compounds), ``dose``, ``effect``, ``n_wells``, ``active``,
        ``random_share`` (p before the model's empirical null), ``p`` and ``q``.
    """
    calibration = wells.calibration(bank, empirical_null, seed=seed)
    blocks = calibration.replicates
    first = blocks.rows[blocks.starts[:-1]]
    keys = {mechanism.name: mechanism.key for mechanism in MECHANISMS}
    truth = wells.truth["mechanism"].map(keys).fillna("").to_numpy(object)[first]
    effect = wells.truth["effect"].to_numpy(float)[first]
    tables = []
    for mechanism, question, known in zip(MECHANISMS, bank.questions, bank.in_vocabulary, strict=True):
        evaluated = calibration.score(question)
        q = calibration.q_values(evaluated)
        tables.append(
            pd.DataFrame(
                {
                    "layout": wells.layout,
                    "asked": mechanism.key,
                    "truth": truth,
                    "dose": blocks.table["dose"].to_numpy(),
                    "effect": effect,
                    "n_wells": blocks.table["n_wells"].to_numpy(),
                    "active": calibration.active,
                    "random_share": evaluated.random_share,
                    "p": evaluated.p,
                    "q": q if known else np.ones_like(q),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def by_question(answers: pd.DataFrame, rate: float) -> pd.DataFrame:
    """One row for each question of each layout.

    Returns
    -------
    DataFrame
        ``layout``, ``asked``, ``present``, ``alike`` (a look-alike is on the plate), ``called`` and ``wrong``
        (treatments called a match, and those of them without the mechanism), ``match`` and ``fdp``.
    """
    alike = look_alikes()
    frame = answers.assign(called=answers["q"] <= rate)
    frame["wrong"] = frame["called"] & (frame["truth"] != frame["asked"])
    rows = []
    for (layout, asked), part in frame.groupby(["layout", "asked"], sort=True):
        there = set(part["truth"])
        called, wrong = int(part["called"].sum()), int(part["wrong"].sum())
        rows.append(
            {
                "layout": layout,
                "asked": asked,
                "present": asked in there,
                "alike": bool(alike[str(asked)] & there),
                "called": called,
                "wrong": wrong,
                "match": called > 0,
                "fdp": wrong / called if called else 0.0,
            }
        )
    return pd.DataFrame(rows)


def figures_of(answers: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> dict[str, object]:
    """Figures (a), (b) and (c) with intervals over layouts; a value is ``None`` where nothing was asked."""

    def mean(table: pd.DataFrame, column: str) -> dict[str, float] | None:
        if not len(table):
            return None
        found = bootstrap(table[column], table["layout"], {"mean": _mean}, draws=draws, seed=seed)
        return {**found["mean"], "n": len(table)}

    figures: dict[str, object] = {}
    for rate in RATES:
        questions = by_question(answers, rate)
        present, absent = questions[questions["present"]], questions[~questions["present"]]
        at = f"at {100 * rate:.0f} %"
        figures[f"false discoveries, mechanisms present, {at}"] = mean(present, "fdp")
        figures[f"false discoveries, all questions, {at}"] = mean(questions, "fdp")
        called = int(questions["called"].sum())
        figures[f"wrong of all called a match, {at}"] = (
            {"value": int(questions["wrong"].sum()) / called, "n": called} if called else None
        )
        figures[f"match, absent mechanisms, {at}"] = mean(absent, "match")
        figures[f"match, absent without a look-alike present, {at}"] = mean(absent[~absent["alike"]], "match")
        figures[f"match, absent with a look-alike present, {at}"] = mean(absent[absent["alike"]], "match")
        figures[f"match, mechanisms present, {at}"] = mean(present, "match")
        own = answers[answers["truth"] == answers["asked"]].assign(
            found=lambda table, rate=rate: table["q"] <= rate
        )
        for dose, part in own.groupby("dose"):
            figures[f"power at {dose:g} µM, {at}"] = mean(part, "found")
        figures[f"power at the two highest doses, {at}"] = mean(own[own["dose"] >= HIGH_DOSE], "found")
    return figures


def share_of_matches(answers: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> dict[str, object]:
    """Share of all questions answered by a match, for a model from which none is right."""
    figures: dict[str, object] = {}
    for rate in RATES:
        questions = by_question(answers, rate)
        found = bootstrap(questions["match"], questions["layout"], {"mean": _mean}, draws=draws, seed=seed)
        figures[f"match, all questions, at {100 * rate:.0f} %"] = {**found["mean"], "n": len(questions)}
    return figures


def measure_empirical_null(answers: pd.DataFrame, data: str) -> EmpiricalNull:
    """Measure the empirical null of a model on labelled plates: shares of random directions of wrong pairs.

    Parameters
    ----------
    answers : DataFrame
        Of :func:`ask_layout`, without an empirical null.
    data : str
        Which plates they are of, for the card.
    """
    wrong = answers[(answers["truth"] != answers["asked"]) & answers["active"]]
    return EmpiricalNull.measured(wrong["random_share"].to_numpy(), data)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.mean(values))
