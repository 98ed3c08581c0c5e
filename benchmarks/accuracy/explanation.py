"""Explanations checked against the simulator's truth: which stain, and where.

*Which stain*: of the mechanisms that change one stain only, every compound well at the top dose is asked for
its mechanism by name; right is a well whose largest Shapley share is that of the stain that was changed.

*Where*: in fields of which one side, or every other cell, responds, the heat map is averaged over blocks
nearly as wide as a cell. A block responds if most of its cells' pixels belong to responding cells; one with
hardly a cell is left out. Counted is the area under the ROC curve of heat against response.

Plates are simulated with seeds not used in training and encoded with wells and control types only. The same
is done with random weights of the same architecture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from benchmarks.accuracy.partial_fields import NO_CELL, RESPONDING, PartialPlate, partial_plate
from benchmarks.accuracy.script import ModelOption, progress
from napari_cellclip.cli.evaluate.options import OutOption, SeedOption, UpdateCardOption, WorkOption, conclude
from napari_cellclip.evaluation.metrics.bootstrap import bootstrap
from napari_cellclip.evaluation.protocols.plots import COLOURS, new_figure
from napari_cellclip.evaluation.protocols.simulated.blind_plates import BlindPlate, blind_plates
from napari_cellclip.evaluation.protocols.simulated.queries import directions
from napari_cellclip.evaluation.protocols.simulated.random_weights import random_weights
from napari_cellclip.explore.explanation.match_heat_map import FieldExplanation, iter_explain_field
from napari_cellclip.explore.explanation.stain_contributions import stain_contributions
from napari_cellclip.model import Model, load_model
from napari_cellclip.screen.progress import finished
from napari_cellclip.vocabulary import STAINS
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, Mechanism

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST_SEED = 90_001
"""First seed of the plates; training plates use seeds below 10 000."""

TOP_DOSE = 30.0
BLOCK = 64
"""Side of the blocks in which heat and response are compared, pixels: a little less than a cell is wide."""
FEWEST_CELLS = 0.05
"""Share of a block that must be covered by cells."""

ONE_STAIN = tuple(mechanism for mechanism in MECHANISMS if len(mechanism.stains) == 1)
"""Mechanisms that change one stain only."""


def leading_stains(
    plate: BlindPlate, model: Model, mechanisms: Sequence[Mechanism] = ONE_STAIN
) -> pd.DataFrame:
    """Shapley shares of the wells of one-stain mechanisms, each asked for its own mechanism.

    Returns
    -------
    DataFrame
        Indexed by well id, compound wells at any dose: ``plate``, ``mechanism`` (key), ``treatment``,
        ``dose``, ``effect``, ``stain`` (the one changed), ``leading`` (the one with the largest share),
        ``right``, and one column for each stain.
    """
    parts = []
    for mechanism in mechanisms:
        mine = (plate.truth["mechanism"] == mechanism.name) & (plate.truth["kind"] == "compound")
        wells = plate.truth.index[mine].tolist()
        if not wells:
            continue
        asked = directions(model, [mechanism.name])[0][0]
        shares = stain_contributions(plate.screen, wells, asked, model)
        about = plate.truth.loc[shares.index, ["treatment", "dose", "effect"]].assign(
            plate=plate.plate.name,
            mechanism=mechanism.key,
            dose=pd.to_numeric(plate.truth.loc[shares.index, "dose"]),
            stain=str(mechanism.stains[0]),
            leading=shares.idxmax(axis=1),
        )
        about["right"] = about["leading"] == about["stain"]
        parts.append(about.join(shares))
    return pd.concat(parts).rename_axis("id")


def heat_of_responding(plate: PartialPlate, model: Model) -> pd.DataFrame:
    """How well the heat map of each treated field ranks responding blocks above others.

    Returns
    -------
    DataFrame
        Indexed by site id: ``plate``, ``mechanism`` (key), ``treatment``, ``arrangement``, ``auc`` (of the
        heat map's blocks), ``auc_tiles`` (of the tiles' own scores), ``blocks``, ``responding`` (how many of
        them); areas are NaN where all blocks are alike.
    """
    names = {mechanism.key: mechanism.name for mechanism in MECHANISMS}
    rows = {}
    for site, field in plate.fields.iterrows():
        asked = directions(model, [names[field["mechanism"]]])[0][0]
        found = finished(iter_explain_field(plate.screen, plate.plate, str(site), asked, model))
        truth = plate.truth(str(site))
        places = found.scores.tiles.positions
        by_tile = [truth[y : y + size, x : x + size] for y, x, size in places.tolist()]
        blocks = [
            (slice(y, y + BLOCK), slice(x, x + BLOCK))
            for y in range(0, truth.shape[0] - BLOCK + 1, BLOCK)
            for x in range(0, truth.shape[1] - BLOCK + 1, BLOCK)
        ]
        heat = heat_at_pixels(found)
        values = np.array([heat[block].mean() for block in blocks])
        responds = [responding(truth[block]) for block in blocks]
        rows[site] = {
            "plate": plate.plate.name,
            "mechanism": field["mechanism"],
            "treatment": field["treatment"],
            "arrangement": field["arrangement"],
            "auc": area(values, responds),
            "auc_tiles": area(found.scores.shown, [responding(tile) for tile in by_tile]),
            "blocks": sum(r is not None for r in responds),
            "responding": sum(bool(r) for r in responds),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")


def heat_at_pixels(found: FieldExplanation) -> NDArray[np.float32]:
    """The heat map at every pixel of the field, (Y, X)."""
    rows, columns = (
        np.arange(extent) * cells // extent
        for extent, cells in zip(found.heat_map.shape, found.heat_map.values.shape, strict=True)
    )
    return found.heat_map.values[np.ix_(rows, columns)]


def responding(truth: NDArray[np.uint8]) -> bool | None:
    """Whether most of the cells' pixels here respond; ``None`` where there is hardly a cell."""
    cells = int((truth != NO_CELL).sum())
    if cells < FEWEST_CELLS * truth.size:
        return None
    return bool((truth == RESPONDING).sum() > cells / 2)


def area(values: NDArray[np.floating], truth: Sequence[bool | None]) -> float:
    """Area under the ROC curve, those that are neither left out; NaN where only one kind is there."""
    kept = [i for i, answer in enumerate(truth) if answer is not None]
    answers = [bool(truth[i]) for i in kept]
    if len(set(answers)) < 2:
        return float("nan")
    return float(roc_auc_score(answers, np.asarray(values)[kept]))


def explanation(
    folder: Path,
    model: Model,
    random: Model,
    *,
    plates: int = 5,
    partial_plates: int = 2,
    seed: int = FIRST_SEED,
    sites: int = 2,
    mechanisms: Sequence[Mechanism] = MECHANISMS,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], pd.DataFrame, Figure]:
    """Run the whole protocol, with the model and with random weights.

    Parameters
    ----------
    folder : Path
        Where plates and screens are kept; what is there is used again.
    model, random : Model
        The model to judge, and one that has learnt nothing.
    plates : int
        Screening plates for *which stain*.
    partial_plates : int
        Plates of partly responding fields for *where*; random weights see the first of them only.
    seed : int
        Of the first plate of either kind.
    sites : int
        Fields of a well of the screening plates.
    mechanisms : sequence of Mechanism
        Of the partly responding fields.
    report : callable
        Told what is being done.

    Returns
    -------
    summary, table, figure
        For :func:`napari_cellclip.evaluation.protocols.report.write_report`. Table: one row for each well
        and field.
    """
    tables = []
    for scored, who in ((model, "model"), (random, "random weights")):
        for number in range(seed, seed + plates):
            for blind in blind_plates(folder, scored, [number], sites=sites):
                tables.append(leading_stains(blind, scored).assign(part="stain", weights=who))
            report(f"{who}: stains of plate {number}")
        for number in range(seed, seed + (partial_plates if scored is model else 1)):
            heat = heat_of_responding(partial_plate(folder, scored, number, mechanisms=mechanisms), scored)
            tables.append(heat.assign(part="place", weights=who))
            report(f"{who}: heat maps of plate {number}")
    table = pd.concat(tables)
    figures: dict[str, Any] = {}
    by_mechanism: dict[str, Any] = {}
    for who, suffix in (("model", ""), ("random weights", ", random weights")):
        mine = table[table["weights"] == who]
        top = mine[(mine["part"] == "stain") & (mine["dose"] == TOP_DOSE)]
        lower = mine[(mine["part"] == "stain") & (mine["dose"] < TOP_DOSE)]
        figures[f"changed stain leads, top dose{suffix}"] = _share(top["right"])
        figures[f"changed stain leads, lower doses{suffix}"] = _share(lower["right"])
        for arrangement in ("side", "mixed"):
            fields = mine[(mine["part"] == "place") & (mine["arrangement"] == arrangement)]
            fields = fields[fields["auc"].notna()]
            for column, what in (("auc", "heat map"), ("auc_tiles", "tiles alone")):
                interval = bootstrap(fields[column], fields["treatment"], {"mean": np.mean})["mean"]
                figures[f"AUC of responding places, {arrangement}, {what}{suffix}"] = interval
            if arrangement == "side":
                figures[f"fields with AUC >= 0.85, side, heat map{suffix}"] = _share(fields["auc"] >= 0.85)
        by_mechanism[who] = {
            "changed stain leads": {
                key: [int(rows.sum()), len(rows)] for key, rows in top.groupby("mechanism")["right"]
            },
            **{
                f"AUC, {name}": rows.groupby("mechanism")["auc"].mean().round(4).to_dict()
                for name, rows in mine[mine["part"] == "place"].groupby("arrangement")
            },
        }
    summary = {
        "data": {
            "simulated": True,
            "plates": plates,
            "seeds": list(range(seed, seed + plates)),
            "plates of partly responding fields": partial_plates,
            "labels": "wells and control types only",
            "asked": "each mechanism by its name",
        },
        "model": {"name": model.card.name, "card": model.card.card_hash},
        "figures": figures,
        "mechanisms": by_mechanism,
    }
    return summary, table, picture(table)


def _share(right: pd.Series[bool]) -> dict[str, float]:
    """Share with its 95 % Wilson interval."""
    n, k = len(right), int(right.sum())
    interval = binomtest(k, n).proportion_ci(method="wilson")
    return {"value": k / n, "low": float(interval.low), "high": float(interval.high), "n": n}


def picture(table: pd.DataFrame) -> Figure:
    """Shares of the stains at the top dose, and areas under the ROC curve, by mechanism."""
    figure = new_figure(10, 4.8)
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    model = table["weights"] == "model"
    top = table[model & (table["part"] == "stain") & (table["dose"] == TOP_DOSE)]
    names = [str(stain) for stain in STAINS]
    means = top.groupby("mechanism", sort=False)[names].mean()
    place = np.arange(len(means))
    for i, stain in enumerate(STAINS):
        left.barh(place + (i - 2) * 0.16, means[str(stain)], 0.15, color=stain.colour, edgecolor="black",
                  linewidth=0.4, label=str(stain))  # fmt: skip
    left.set_yticks(place, means.index)
    left.invert_yaxis()
    left.axvline(0, color="black", linewidth=0.8)
    left.set(xlabel="mean share of the cosine, top dose")
    left.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.4, 1.0), fontsize=8)
    side = table[(table["part"] == "place") & (table["arrangement"] == "side")]
    areas = side.pivot_table(index="mechanism", columns="weights", values="auc", sort=False)
    place = np.arange(len(areas))
    for i, weights in enumerate(("model", "random weights")):
        right.barh(place + (i - 0.5) * 0.4, areas[weights], 0.38, color=COLOURS[i], label=weights)
    right.axvline(0.85, color="black", linewidth=0.8, linestyle="dotted")
    right.set_yticks(place, areas.index, fontsize=8)
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="AUC of the heat map, one side of the field responds")
    right.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main(
    out: OutOption,
    model: ModelOption = "demo",
    plates: Annotated[int, typer.Option(min=1, help="Screening plates, for stain contributions.")] = 5,
    partial_plates: Annotated[
        int, typer.Option(min=1, help="Plates of partly responding fields, for match heat maps.")
    ] = 2,
    first: Annotated[
        int, typer.Option(help="Seed of the first plate; training uses seeds below 10000.")
    ] = FIRST_SEED,
    sites: Annotated[int, typer.Option(min=1, help="Fields of a well of the screening plates.")] = 2,
    mechanisms: Annotated[
        int, typer.Option(min=1, help="Mechanisms of the partly responding fields; fewer for a trial.")
    ] = len(MECHANISMS),
    work: WorkOption = None,
    seed: SeedOption = 0,
    update_card: UpdateCardOption = None,
) -> None:
    """Check explanations against simulated truth: which stain was changed, and where cells respond.

    The share of wells whose changed stain leads, and how heat maps rank responding areas, compared with
    random weights. Simulated cells: this measures the program and its bundled model, no biology.

    Example: python -m benchmarks.accuracy.explanation --plates 5 --out figures
    """
    loaded = load_model(model)
    with tempfile.TemporaryDirectory() as scratch:
        result = explanation(
            work or Path(scratch),
            loaded,
            random_weights(loaded, seed),
            plates=plates,
            partial_plates=partial_plates,
            seed=first,
            sites=sites,
            mechanisms=MECHANISMS[:mechanisms],
            report=progress,
        )
    conclude(out, "explanation", *result, update_card=update_card)


if __name__ == "__main__":
    typer.run(main)
