"""The figures of the CPJUMP1 study as Markdown and as a picture; docs/cpjump1.md holds these tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from napari_cellclip.evaluation.protocols.plots import bars, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CUTS = ("R@1", "R@5", "R@10")
WAYS = ("text to profile", "profile to text")

READ_BY = {"words": "words (BERT)", "structures": "structures (Morgan fingerprint)"}

METHODS = {
    "words": "words, head trained on words",
    "structures": "known structures of the mechanism, head trained on structures",
    "nearest profiles": "known profiles of the mechanism, nothing trained",
    "nearest structures": "known structures of the mechanism by Tanimoto, without cells",
}


def retrieval_table(found: Mapping[str, Any], names: Mapping[str, str] = READ_BY) -> str:
    """R@k both ways of several heads on the same pools, with intervals, beside random order."""
    first = found[next(iter(found))]
    lines = [
        f"| way | captions read by | {' | '.join(CUTS)} | mean rank | median rank |",
        "|---|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        for key, name in names.items():
            if key in found:
                figures = found[key][way]
                cells = " | ".join(_interval(figures[cut]) for cut in CUTS)
                lines.append(
                    f"| {way} | {name} | {cells} | {figures['mean rank']:.1f} |"
                    f" {figures['median rank']:.0f} |"
                )
        random = first[way]["random"]
        lines.append(
            f"| {way} | *random order* | {' | '.join(f'{random[cut]:.3f}' for cut in CUTS)} |"
            f" {first[way]['random mean rank']:.1f} | |"
        )
    return "\n".join(lines)


def mechanism_table(found: Mapping[str, Any]) -> str:
    """MAP of mechanism queries by method, with intervals and every seed, beside the baselines."""
    methods = found["methods"]
    seeds = list(next(iter(methods.values()))["by seed"])
    lines = [
        f"| asked by | mAP [95 %] | {' | '.join(f'seed {seed}' for seed in seeds)} |",
        f"|---|---|{'---|' * len(seeds)}",
    ]
    for key, name in METHODS.items():
        if key in methods:
            figures = methods[key]
            cells = " | ".join(f"{figures['by seed'][seed]:.3f}" for seed in seeds)
            lines.append(f"| {name} | {_interval({**figures, 'value': figures['mAP']})} | {cells} |")
    prompts = found["random prompts"]
    empty = " |" * len(seeds)
    for name, text in (
        ("*random prompts, same head*", _interval({**prompts, "value": prompts["mAP"]})),
        ("*words of the other mechanisms, same head*", f"{found[OTHERS]:.3f}"),
        ("*random order*", f"{found['random order']:.3f}"),
    ):
        lines.append(f"| {name} | {text} |{empty}")
    return "\n".join(lines)


OTHERS = "other mechanisms' words"


def by_mechanism_table(found: Mapping[str, Any]) -> str:
    """Mean average precision of each mechanism, best by words first."""
    rows = sorted(found["by mechanism"].items(), key=lambda item: -item[1].get("words", 0.0))
    lines = [
        "| mechanism | pools | words | structures | nearest profiles | nearest structures | random order |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows:
        cells = " | ".join(f"{row[key]:.2f}" if key in row else "" for key in (*METHODS, "random order"))
        lines.append(f"| {name} | {row['queries']:.0f} | {cells} |")
    return "\n".join(lines)


def replicate_table(found: Mapping[str, Any]) -> str:
    """Replicate mAP by both computations."""
    lines = ["| | mAP over wells | wells | retrieved at FDR 0.05 |", "|---|---|---|---|"]
    for name in ("copairs", "plain NumPy"):
        row = found[name]
        share = f"{row['retrieved']:.3f} of {row['perturbations']}" if "retrieved" in row else ""
        lines.append(f"| {name} | {row['mAP']:.6f} | {row['wells']} | {share} |")
    lines.append(f"| *random order* | {found['random mAP']:.6f} | | |")
    return "\n".join(lines)


def all_tables(study: Mapping[str, Any]) -> dict[str, str]:
    """Every table of the document, by what it shows."""
    tables = {
        "held out": retrieval_table(study["held_out"]),
        "mechanisms": mechanism_table(study["mechanisms"]),
        "by mechanism": by_mechanism_table(study["mechanisms"]),
    }
    if "seen_compounds" in study:
        names = {
            f"{reads}, {saw}": f"{name}; head on {text}"
            for reads, name in READ_BY.items()
            for saw, text in (("profiles", "profiles"), ("positions", "row and column alone"))
        }
        tables["seen compounds"] = retrieval_table(study["seen_compounds"], names)
    if "replicates" in study:
        tables["replicates"] = replicate_table(study["replicates"])
    return tables


def figures_of(study: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers to be quoted, flat."""
    found: dict[str, Any] = {}
    for reads, figures in study["held_out"].items():
        for way in WAYS:
            for cut in CUTS:
                found[f"{reads}, {way}: {cut}"] = figures[way][cut]
                found[f"random, {way}: {cut}"] = figures[way]["random"][cut]
    mechanisms = study["mechanisms"]
    for name, figures in mechanisms["methods"].items():
        found[f"mechanism mAP by {name}"] = {
            "value": figures["mAP"],
            "low": figures["low"],
            "high": figures["high"],
        }
    found["mechanism mAP of random prompts"] = mechanisms["random prompts"]["mAP"]
    found["mechanism mAP of random order"] = mechanisms["random order"]
    return found


def table_of(study: Mapping[str, Any]) -> pd.DataFrame:
    """One row a mechanism."""
    return pd.DataFrame.from_dict(study["mechanisms"]["by mechanism"], orient="index").rename_axis(
        "mechanism"
    )


def picture(study: Mapping[str, Any]) -> Figure:
    """R@k of text to profile, and mAP of mechanism queries, each beside chance."""
    figure = new_figure(10, 4.2)
    left: Axes
    right: Axes
    left, right = figure.subplots(1, 2)
    held = study["held_out"]
    bars(
        left,
        CUTS,
        {READ_BY[r]: [f[WAYS[0]][cut]["value"] for cut in CUTS] for r, f in held.items()},
        intervals={
            READ_BY[r]: [(f[WAYS[0]][cut]["low"], f[WAYS[0]][cut]["high"]) for cut in CUTS]
            for r, f in held.items()
        },
        baseline=[next(iter(held.values()))[WAYS[0]]["random"][cut] for cut in CUTS],
        baseline_name="random order",
    )
    left.set(title="held-out compounds, text to profile", ylabel="share of compounds found")
    methods = study["mechanisms"]["methods"]
    names = [name for name in METHODS if name in methods]
    bars(
        right,
        [name.replace(" ", "\n") for name in names],
        {"mAP": [methods[name]["mAP"] for name in names]},
        intervals={"mAP": [(methods[name]["low"], methods[name]["high"]) for name in names]},
        baseline=study["mechanisms"]["random order"],
        baseline_name="random order",
    )
    right.set(title="mechanisms asked for among held-out compounds", ylabel="mean average precision")
    return figure


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
