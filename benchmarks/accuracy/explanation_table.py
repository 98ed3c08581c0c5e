"""The figures of the explanation protocol as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_cellclip.vocabulary.mechanisms import MECHANISMS

RANDOM = ", random weights"


def as_table(summary: Mapping[str, Any]) -> str:
    """The summary of :func:`benchmarks.accuracy.explanation.explanation` as Markdown tables.

    Parameters
    ----------
    summary : mapping
        As it was written; every figure has a ``value``, ``low`` and ``high``.
    """
    figures: Mapping[str, Mapping[str, float]] = summary["figures"]
    lines = [f"| | {summary['model']['name']} | random weights |", "|---|---|---|"]
    lines += [
        f"| {name} | **{_text(value)}** | {_text(figures[name + RANDOM])} |"
        for name, value in figures.items()
        if not name.endswith(RANDOM)
    ]
    lines += [
        "",
        "| mechanism | changed stain leads | AUC, one side | AUC, mixed | AUC, one side, random weights |",
        "|---|---|---|---|---|",
    ]
    own, other = (summary["mechanisms"][who] for who in ("model", "random weights"))
    for mechanism in MECHANISMS:
        right = own["changed stain leads"].get(mechanism.key)
        areas = [
            table.get(mechanism.key) for table in (own["AUC, side"], own["AUC, mixed"], other["AUC, side"])
        ]
        shown = ["–" if area is None else f"{area:.2f}" for area in areas]
        of = "several stains" if right is None else f"{right[0]} of {right[1]}"
        lines.append(f"| {mechanism.name} | {of} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _text(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
