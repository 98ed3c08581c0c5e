"""Text-to-well retrieval on simulated plates whose labels the model never sees.

Protocol: plates with unseen seeds are encoded with a plate map of wells and control types only.
Each mechanism is asked for by its name through :func:`napari_cellclip.explore.ask`, one plate at a
time, as a person would. Relevant are the wells of that mechanism simulated at 50 % effect or more;
weaker wells of the same mechanism are left out of its ranking; all other wells of the plate are not
relevant. Wells are ranked by the score that the program shows (robust z against the plate's
negative controls). Average precision is averaged over the plates that hold a relevant well, then
over mechanisms. Rankings of the wells of all plates together, by score and by cosine, are given
beside it.

Run ``napari-cellclip evaluate simulated --out figures``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.simulated.blind_plates import (
    BlindPlate,
    blind_plates,
    mean_intensities,
)
from napari_cellclip.evaluation.protocols.simulated.relevance import (
    MIN_EFFECT,
    mean_precision,
    per_mechanism,
    shuffled_captions,
)
from napari_cellclip.explore import ask
from napari_cellclip.model import Model
from napari_cellclip.simulation import Nuisance
from napari_cellclip.training.demo.mean_intensity import IntensityReadout, relative_means
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, Mechanism

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST_SEED = 90_001
"""First seed of the evaluation's plates; training plates use seeds below 10 000."""


def text_scores(
    plates: Iterable[BlindPlate], model: Model, queries: Mapping[str, str], *, column: str = "score"
) -> pd.DataFrame:
    """Score all wells of all plates for each query, exactly as the program does.

    Parameters
    ----------
    plates : iterable of BlindPlate
        The encoded plates; each is asked on its own.
    model : Model
        Embeds the queries.
    queries : mapping of str to str
        Column name to query text.
    column : {"score", "cosine"}
        Which number of the answer to take.

    Returns
    -------
    DataFrame
        Indexed by well id, one column a query.
    """
    return pd.concat(
        [
            pd.DataFrame(
                {
                    key: ask(p.screen, text, evidence="words", model=model, use_platemap=False).scores[column]
                    for key, text in queries.items()
                }
            )
            for p in plates
        ]
    )


def intensity_scores(plates: Iterable[BlindPlate], readout: IntensityReadout) -> pd.DataFrame:
    """Score all wells by the mean-intensity comparison."""
    tables = []
    for plate in plates:
        means = mean_intensities(plate.plate)
        relative = relative_means(means, plate.negative.reindex(means.index).to_numpy())
        tables.append(pd.DataFrame(readout.scores(relative.to_numpy()), index=means.index))
    return pd.concat(tables)


def evaluate(
    folder: Path,
    model: Model,
    *,
    plates: int = 5,
    seed: int = FIRST_SEED,
    wells: int = 96,
    sites: int = 2,
    shuffled_model: Model | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, object]:
    """Run the whole protocol with its comparisons.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept; what is there is used again.
    model : Model
        The model to score.
    plates, seed, wells, sites
        Number of plates, first seed, format.
    shuffled_model : Model, optional
        The same model trained with captions shuffled between wells.
    report : callable
        Told what is being done.

    Returns
    -------
    dict
        Ready for JSON: ``map``, ``map_held_out``, ``mechanisms``, ``comparisons``, ``protocol``, ``seconds``.
    """
    started = time.perf_counter()
    seeds = range(seed, seed + plates)
    inside = _collect(blind_plates(folder, model, seeds, wells=wells, sites=sites), plates, report)
    truth = pd.concat([plate.truth for plate in inside])
    names = {mechanism.key: mechanism.name for mechanism in MECHANISMS}
    scores = text_scores(inside, model, names)
    cosines = text_scores(inside, model, names, column="cosine")
    table = per_mechanism(scores, truth)

    phrases = {
        f"{mechanism.key}/{i}": phrase
        for mechanism in MECHANISMS
        for i, phrase in enumerate(mechanism.synonyms)
    }
    by_phrase = text_scores(inside, model, phrases)
    table["ap_phrases"] = [
        np.mean([_of_query(by_phrase[f"{m.key}/{i}"], m, truth) for i in range(len(m.synonyms))])
        for m in MECHANISMS
    ]
    shifted = [mean_precision(other, truth) for other in shuffled_captions(scores)]
    intensity = per_mechanism(intensity_scores(inside, IntensityReadout.load()), truth)
    table["ap_mean_intensity"] = intensity["ap"]
    comparisons: dict[str, object] = {
        "random order": _pair((table["chance"].mean(), table["chance_held_out"].mean())),
        "queries exchanged between mechanisms": _pair(np.mean(shifted, axis=0)),
        "five mean intensities, linear read-out": _pair(
            (intensity["ap"].mean(), intensity["ap_held_out"].mean())
        ),
    }
    if shuffled_model is not None:
        other = _collect(
            blind_plates(folder, shuffled_model, seeds, wells=wells, sites=sites), plates, report
        )
        comparisons["trained with shuffled captions"] = _pair(
            mean_precision(text_scores(other, shuffled_model, names), truth)
        )
    outside = _collect(
        blind_plates(folder / "outside", model, seeds, wells=wells, sites=sites, nuisance=Nuisance.severe()),
        plates,
        report,
    )
    comparisons["nuisance outside the training range"] = _pair(
        mean_precision(text_scores(outside, model, names), pd.concat([plate.truth for plate in outside]))
    )
    result = {
        "model": {"name": model.card.name, "card": model.card.card_hash},
        "protocol": {
            "plates": plates,
            "seeds": list(seeds),
            "wells": wells,
            "sites": sites,
            "least_effect": MIN_EFFECT,
            "labels": "wells and control types only",
            "ranking": "each plate on its own, by robust z against its negative controls",
        },
        "map": table["ap"].mean(),
        "map_held_out": table["ap_held_out"].mean(),
        "map_phrases": table["ap_phrases"].mean(),
        "all plates together, by score": _pair(mean_precision(scores, truth, pooled=True)),
        "all plates together, by cosine": _pair(mean_precision(cosines, truth, pooled=True)),
        "mechanisms": table.to_dict(orient="index"),
        "comparisons": comparisons,
        "seconds": time.perf_counter() - started,
    }
    return cast(dict[str, object], _rounded(result))


def _of_query(scores: pd.Series[float], mechanism: Mechanism, truth: pd.DataFrame) -> float:
    return float(
        per_mechanism(pd.DataFrame({m.key: scores for m in MECHANISMS}), truth).loc[mechanism.key, "ap"]
    )


def _collect(plates: Iterable[BlindPlate], count: int, report: Callable[[str], None]) -> list[BlindPlate]:
    collected = []
    for plate in plates:
        collected.append(plate)
        report(f"encoded {plate.plate.name} ({len(collected)} of {count})")
    return collected


def _pair(values: Sequence[float]) -> dict[str, float]:
    return {"map": float(values[0]), "map_held_out": float(values[1])}


def _rounded(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), 4)
    if isinstance(value, np.integer):
        return int(value)
    return value


def report_of(result: Mapping[str, object]) -> tuple[dict[str, object], pd.DataFrame, Figure]:
    """Summary, table and picture of a result, as
    :func:`napari_cellclip.evaluation.protocols.report.write_report` wants them.
    """
    table = pd.DataFrame.from_dict(result["mechanisms"], orient="index").rename_axis("mechanism")
    comparisons: Mapping[str, Mapping[str, float]] = result["comparisons"]  # type: ignore[assignment]
    summary = {
        "data": {"simulated": True, **result["protocol"]},  # type: ignore[dict-item]
        "figures": {
            "map": result["map"],
            "map held out": result["map_held_out"],
            "map other phrasings": result["map_phrases"],
            "map random order": comparisons["random order"]["map"],
        },
        **result,
    }
    figure = new_figure(7, 0.32 * len(table) + 1.2)
    axes = figure.subplots()
    place = np.arange(len(table))
    axes.barh(place, table["ap"], color=COLOURS[0], label=str(result["model"]["name"]))  # type: ignore[index]
    axes.plot(table["ap_mean_intensity"], place, "o", color=COLOURS[1], label="mean intensities")
    axes.plot(table["chance"], place, "|", color="black", markersize=12, label="random order")
    axes.set_yticks(place, table["name"])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="average precision (simulated plates)")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    return summary, table, figure


def as_table(result: Mapping[str, object]) -> str:
    """Write the figures of :func:`napari_cellclip.evaluation.evaluate` as a Markdown table."""
    mechanisms: Mapping[str, Mapping[str, object]] = result["mechanisms"]  # type: ignore[assignment]
    lines = [
        "| mechanism asked for | wells | AP | held-out wells | AP held out | AP other phrasings"
        " | mean intensities | chance |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in mechanisms.values():
        lines.append(
            f"| {row['name']} | {row['wells']} | {row['ap']} | {row['held_out_wells']} |"
            f" {row['ap_held_out']} | {row['ap_phrases']} | {row['ap_mean_intensity']} | {row['chance']} |"
        )
    lines += ["", "| | mAP | mAP held out |", "|---|---|---|"]
    model: Mapping[str, object] = result["model"]  # type: ignore[assignment]
    lines.append(f"| **{model['name']}** | **{result['map']}** | **{result['map_held_out']}** |")
    lines.append(f"| {model['name']}, asked in other phrasings | {result['map_phrases']} | |")
    for name in ("all plates together, by score", "all plates together, by cosine"):
        both: Mapping[str, object] = result[name]  # type: ignore[assignment]
        lines.append(f"| {model['name']}, {name} | {both['map']} | {both['map_held_out']} |")
    comparisons: Mapping[str, Mapping[str, object]] = result["comparisons"]  # type: ignore[assignment]
    for name, value in comparisons.items():
        lines.append(f"| {name} | {value['map']} | {value.get('map_held_out', '')} |")
    return "\n".join(lines)
