"""Text-to-well retrieval on simulated plates whose labels the model never sees.

Protocol: plates with unseen seeds are encoded with a plate map of wells and control types only. Each
mechanism is asked for by its name through :func:`napari_cellclip.explore.ask`, as a person would. Relevant
are the wells of that mechanism simulated at 50 % effect or more; weaker wells of the same mechanism are left
out of its ranking; all other wells of all plates are not relevant. Wells are ranked by the score that the
program shows (robust z against each plate's negative controls). Average precision per mechanism, averaged.

Run ``python -m napari_cellclip.evaluation.retrieval --plates 5``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.blind_plates import BlindPlate, blind_plates, mean_intensities
from napari_cellclip.evaluation.mean_intensity import IntensityReadout, relative_means
from napari_cellclip.evaluation.precision import average_precision, chance_precision
from napari_cellclip.explore import ask
from napari_cellclip.model import Model, load_model
from napari_cellclip.simulation import Nuisance
from napari_cellclip.training.held_out import HELD_OUT
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

MIN_EFFECT = 0.5
"""Wells of the asked mechanism below this effect are neither relevant nor irrelevant."""

FIRST_SEED = 90_001
"""First seed of the evaluation's plates; training plates use seeds below 10 000."""

ScoreTable = pd.DataFrame
"""Scores indexed by well id, one column per mechanism key."""


@dataclass(frozen=True)
class Judgement:
    """Which wells count for one mechanism: relevant, and left out of the ranking."""

    relevant: pd.Series[bool]
    left_out: pd.Series[bool]


def judge(truth: pd.DataFrame, mechanism: str, compounds: Sequence[str] | None = None) -> Judgement:
    """Tell relevant wells of a mechanism from those left out.

    Parameters
    ----------
    truth : DataFrame
        Indexed by well id, with ``mechanism`` (the name in plate maps), ``treatment`` and ``effect``.
    mechanism : str
        Name of the mechanism.
    compounds : sequence of str, optional
        Only these treatments are relevant; the mechanism's other wells are left out too.

    Returns
    -------
    Judgement
    """
    same = truth["mechanism"] == mechanism
    relevant = same & (truth["effect"] >= MIN_EFFECT)
    if compounds is not None:
        relevant &= truth["treatment"].isin(list(compounds))
    return Judgement(relevant, same & ~relevant)


def precision_of(scores: pd.Series[float], judgement: Judgement) -> float:
    """Average precision of one query; scores and judgement are matched by well id."""
    kept = judgement.left_out.index[~judgement.left_out]
    return average_precision(scores.reindex(kept).to_numpy(), judgement.relevant.loc[kept].to_numpy())


def text_scores(plates: Iterable[BlindPlate], model: Model, queries: Mapping[str, str]) -> ScoreTable:
    """Score all wells of all plates for each query, exactly as the program does.

    Parameters
    ----------
    plates : iterable of BlindPlate
        The encoded plates; each is asked on its own.
    model : Model
        Embeds the queries.
    queries : mapping of str to str
        Column name to query text.

    Returns
    -------
    DataFrame
        Indexed by well id, one column a query.
    """
    return pd.concat(
        [
            pd.DataFrame(
                {key: ask(p.screen, text, model=model).scores["score"] for key, text in queries.items()}
            )
            for p in plates
        ]
    )


def intensity_scores(plates: Iterable[BlindPlate], readout: IntensityReadout) -> ScoreTable:
    """Score all wells by the mean-intensity comparison."""
    tables = []
    for plate in plates:
        means = mean_intensities(plate.plate)
        relative = relative_means(means, plate.negative.reindex(means.index).to_numpy())
        tables.append(pd.DataFrame(readout.scores(relative.to_numpy()), index=means.index))
    return pd.concat(tables)


def per_mechanism(scores: ScoreTable, truth: pd.DataFrame) -> pd.DataFrame:
    """Average precision of every mechanism: all compounds, and those held out of training.

    Returns
    -------
    DataFrame
        Indexed by mechanism key: ``name``, ``wells`` and ``held_out_wells`` (relevant ones), ``ap``,
        ``ap_held_out`` (``nan`` without such wells), ``chance``.
    """
    rows = {}
    for mechanism in MECHANISMS:
        everything = judge(truth, mechanism.name)
        unseen = judge(truth, mechanism.name, HELD_OUT[mechanism.key])
        wells = int(everything.relevant.sum())
        rows[mechanism.key] = {
            "name": mechanism.name,
            "wells": wells,
            "held_out_wells": int(unseen.relevant.sum()),
            "ap": precision_of(scores[mechanism.key], everything),
            "ap_held_out": precision_of(scores[mechanism.key], unseen),
            "chance": chance_precision(int((~everything.left_out).sum()), wells),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def shuffled_captions(scores: ScoreTable) -> list[ScoreTable]:
    """The same answers handed to other mechanisms: every cyclic shift of the queries but the true one."""
    keys = [mechanism.key for mechanism in MECHANISMS]
    return [
        pd.DataFrame({key: scores[keys[(i + shift) % len(keys)]] for i, key in enumerate(keys)})
        for shift in range(1, len(keys))
    ]


def mean_precision(scores: ScoreTable, truth: pd.DataFrame) -> tuple[float, float]:
    """Mean average precision over mechanisms: all compounds, held-out compounds."""
    table = per_mechanism(scores, truth)
    return float(table["ap"].mean()), float(table["ap_held_out"].mean())


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
        The model to judge.
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
    table = per_mechanism(scores, truth)

    phrases = {
        f"{mechanism.key}/{i}": phrase
        for mechanism in MECHANISMS
        for i, phrase in enumerate(mechanism.phrases)
    }
    by_phrase = text_scores(inside, model, phrases)
    table["ap_phrases"] = [
        np.mean(
            [
                precision_of(by_phrase[column], judge(truth, mechanism.name))
                for column in phrases
                if column.startswith(f"{mechanism.key}/")
            ]
        )
        for mechanism in MECHANISMS
    ]
    table["ap_by_plate"] = [
        np.nanmean(
            [precision_of(scores[mechanism.key], judge(plate.truth, mechanism.name)) for plate in inside]
        )
        for mechanism in MECHANISMS
    ]
    shifted = [mean_precision(other, truth) for other in shuffled_captions(scores)]
    intensity = per_mechanism(intensity_scores(inside, IntensityReadout.load()), truth)
    table["ap_mean_intensity"] = intensity["ap"]
    comparisons: dict[str, object] = {
        "random order": {"map": table["chance"].mean()},
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
            "ranking": "all wells of all plates, by robust z against each plate's negative controls",
        },
        "map": table["ap"].mean(),
        "map_held_out": table["ap_held_out"].mean(),
        "map_phrases": table["ap_phrases"].mean(),
        "map_by_plate": table["ap_by_plate"].mean(),
        "mechanisms": table.to_dict(orient="index"),
        "comparisons": comparisons,
        "seconds": time.perf_counter() - started,
    }
    return _rounded(result)


def as_table(result: Mapping[str, object]) -> str:
    """The figures of :func:`evaluate` as a Markdown table."""
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
    lines.append(f"| **{result['model']['name']}** | **{result['map']}** | **{result['map_held_out']}** |")  # type: ignore[index]
    comparisons: Mapping[str, Mapping[str, object]] = result["comparisons"]  # type: ignore[assignment]
    for name, value in comparisons.items():
        lines.append(f"| {name} | {value['map']} | {value.get('map_held_out', '')} |")
    return "\n".join(lines)


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the protocol from the command line: prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m napari_cellclip.evaluation.retrieval", description=__doc__
    )
    parser.add_argument("--model", default="demo", help="name of a model card, or a model folder")
    parser.add_argument("--shuffled-model", help="folder of the same model trained with shuffled captions")
    parser.add_argument("--plates", type=int, default=5)
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first plate")
    parser.add_argument("--wells", type=int, default=96)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--work", type=Path, help="keep plates and screens in this folder")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    given = parser.parse_args(arguments)
    model = load_model(given.model)
    shuffled = load_model(given.shuffled_model) if given.shuffled_model else None
    with tempfile.TemporaryDirectory() as scratch:
        result = evaluate(
            given.work or Path(scratch),
            model,
            plates=given.plates,
            seed=given.seed,
            wells=given.wells,
            sites=given.sites,
            shuffled_model=shuffled,
            report=print,
        )
    print(as_table(result))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
