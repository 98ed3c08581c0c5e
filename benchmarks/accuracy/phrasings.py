"""Whether it matters how one asks: phrasings of twelve mechanisms on simulated plates.

Protocol: each phrasing of ``phrasings.json`` is worded
(:func:`napari_cellclip.explore.wording.reader.read_text`) with
the table of this package only, neither plate map nor installed tables, and asked of blind plates, one at a
time. Wells are scored by the robust z of their cosine against the plate's negative controls; the wells of a
treatment and dose are averaged; the mechanism of the best treatment is the answer. It is compared with the
answer to the mechanism's own name on the same plate, and with the truth. No phrasing stands in the training
captions or among the synonyms of the table; the tests see to that. There are two sets: ten of each
mechanism that were looked at while the matching was made, and five of each that were written afterwards.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.accuracy.script import ModelOption, progress
from napari_cellclip.cli.evaluate.options import OutOption, UpdateCardOption, WorkOption, conclude
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.simulated.blind_plates import BlindPlate, blind_plates
from napari_cellclip.evaluation.protocols.simulated.queries import question
from napari_cellclip.explore.calibration.robust import robust_z
from napari_cellclip.explore.wording.direction import cosines, summed
from napari_cellclip.explore.wording.wording import Wording
from napari_cellclip.model import Model, load_model
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SETS = ("first", "second")
"""Phrasings looked at while the matching was made; phrasings written afterwards."""


def read_phrasings(which: str) -> dict[str, tuple[str, ...]]:
    """The phrasings of one of the :data:`SETS` by the key of their mechanism."""
    table = json.loads(Path(__file__).with_name("phrasings.json").read_text(encoding="utf-8"))
    return {key: tuple(texts) for key, texts in table[which].items()}


def best_mechanism(plate: BlindPlate, model: Model, wording: Wording) -> str:
    """Mechanism of the treatment and dose that answers best; empty for an inert compound."""
    on = [prompt for prompt in wording.prompts if prompt.on]
    unit = summed(model.embed_texts([p.text for p in on]), [p.weight for p in on])
    truth = plate.truth.reindex(plate.screen.wells.index)
    negative = (truth["control_type"] == "negcon").to_numpy()
    cosine = cosines(plate.screen, unit)
    treated = truth.assign(score=robust_z(cosine, cosine[negative]))[~negative]
    means = treated.groupby(["treatment", "dose", "mechanism"], dropna=False)["score"].mean()
    return str(means.idxmax()[2])


def evaluate(
    folder: Path,
    model: Model,
    *,
    plates: int = 5,
    seed: int = 90_001,
    expand: bool = True,
    wells: int = 96,
    sites: int = 2,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, object]:
    """Ask all phrasings of all plates.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept; what is there is used again.
    model : Model
        The model to judge.
    plates, seed
        Number of plates and seed of the first.
    expand : bool
        Whether texts are recognised and expanded; else they are sent as they are typed.
    wells, sites : int
        Of a plate, and fields of a well.
    report : callable
        Told what is being done.

    Returns
    -------
    dict
        ``rows``: one for each text, with the number of plates on which the answer is the same as to the
        mechanism's name (``same``) and on which it is the mechanism meant (``right``); ``plates``, ``seed``,
        ``model``.
    """
    names = {mechanism.key: mechanism.name for mechanism in MECHANISMS}
    texts = [("name", key, names[key]) for key in read_phrasings(SETS[0])]
    texts += [(s, key, text) for s in SETS for key, some in read_phrasings(s).items() for text in some]
    worded = [question(model, text, expand=expand) for *_, text in texts]
    same, right = np.zeros(len(texts), int), np.zeros(len(texts), int)
    seeds = range(seed, seed + plates)
    for done, plate in enumerate(blind_plates(folder, model, seeds, wells=wells, sites=sites), start=1):
        report(f"plate {done} of {plates}")
        answers = [best_mechanism(plate, model, wording) for wording in worded]
        named = {key: answer for (s, key, _), answer in zip(texts, answers, strict=True) if s == "name"}
        same += [answer == named[key] for (_, key, _), answer in zip(texts, answers, strict=True)]
        right += [answer == names[key] for (_, key, _), answer in zip(texts, answers, strict=True)]
    table = pd.DataFrame(texts, columns=["set", "mechanism", "text"])
    table["recognised"] = [wording.recognised for wording in worded]
    return {
        "rows": table.assign(same=same, right=right).to_dict("records"),
        "plates": plates,
        "seed": seed,
        "model": {"name": model.card.name, "card": model.card.card_hash},
    }


def report_of(result: Mapping[str, object]) -> tuple[dict[str, object], pd.DataFrame, Figure]:
    """Summary, table and picture of a result."""
    table = pd.DataFrame(result["rows"])
    plates = int(str(result["plates"]))
    share = table.groupby("set")[["same", "right"]].mean() / plates
    texts = table[table["set"] == SETS[0]]
    failed = table[table["same"] < plates]["text"].tolist()
    summary: dict[str, object] = {
        "data": {"simulated": True, "plates": plates, "seed": result["seed"], "phrasings": len(texts)},
        "figures": {
            "same mechanism as its name": float(share.loc["first", "same"]),
            "same mechanism as its name, second set": float(share.loc["second", "same"]),
            "mechanism meant": float(share.loc["first", "right"]),
            "mechanism meant, second set": float(share.loc["second", "right"]),
            "mechanism meant, asked by name": float(share.loc["name", "right"]),
            "phrasings recognised": float((texts["recognised"] != "").mean()),
        },
        "model": result["model"],
        "failed": failed,
    }
    by = texts.groupby("mechanism", sort=False)[["same", "right"]].mean() / plates
    figure = new_figure(7, 0.32 * len(by) + 1.2)
    axes = figure.subplots()
    place = np.arange(len(by))
    axes.barh(place, by["same"], color=COLOURS[0], label="same answer as to the name")
    axes.plot(by["right"], place, "o", color=COLOURS[1], label="mechanism meant")
    axes.set_yticks(place, by.index)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel=f"share of phrasings on {plates} simulated plates")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2)
    return summary, table, figure


def main(
    out: OutOption,
    model: ModelOption = "demo",
    plates: Annotated[int, typer.Option(min=1, help="How many plates.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the first plate; training uses seeds below 10000.")] = 90_001,
    expand: Annotated[
        bool, typer.Option(help="Recognise and expand the texts; otherwise send them as typed.")
    ] = True,
    wells: Annotated[int, typer.Option(help="Wells of a plate.")] = 96,
    sites: Annotated[int, typer.Option(min=1, help="Fields of a well.")] = 2,
    work: WorkOption = None,
    update_card: UpdateCardOption = None,
) -> None:
    """Query twelve mechanisms in ten or five new phrasings each, on simulated plates.

    How often the best match is the same as for the mechanism's own name, and how often it is the mechanism
    meant. Only the package's own table is used, never the plate map. The failures are listed.

    Example: python -m benchmarks.accuracy.phrasings --out figures
    """
    with tempfile.TemporaryDirectory() as scratch:
        result = evaluate(
            work or Path(scratch),
            load_model(model),
            plates=plates,
            seed=seed,
            expand=expand,
            wells=wells,
            sites=sites,
            report=progress,
        )
    summary, table, figure = report_of(result)
    conclude(out, "phrasings", summary, table, figure, update_card=update_card)
    failed: list[str] = summary["failed"]  # type: ignore[assignment]
    for text in failed:
        print(f"not always the same as its name: {text}")


if __name__ == "__main__":
    typer.run(main)
