"""The figures of the retrieval protocol as a table."""

from __future__ import annotations

from collections.abc import Mapping


def as_table(result: Mapping[str, object]) -> str:
    """The figures of :func:`napari_cellclip.evaluation.evaluate` as a Markdown table."""
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
