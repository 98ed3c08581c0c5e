"""Print what an answer by look-alikes rests on: references, gate, and the evidence of each treatment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellclip.cli.references import source_line

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer


def look_alike_lines(answer: Answer, top: int) -> list[str]:
    """Write references, whether they resemble each other, their sources, and the best treatments.

    Parameters
    ----------
    answer : Answer
        With references.
    top : int
        Treatments to list.
    """
    found = answer.references
    assert found is not None
    gate = found.recognisable
    names = list(dict.fromkeys(found.members["name"]))
    lines = [f"compared with: {', '.join(names[:12])}" + (", …" if len(names) > 12 else "")]
    if gate.open:
        lines.append(
            f"these references resemble each other: average precision {gate.precision:.2f}"
            f" (chance {gate.chance:.2f}, p = {gate.p:.2g})"
        )
    lines += ["sources of references:", *map(source_line, found.sources)]
    table = answer.treatments_table.head(top)
    width = max((len(str(name)) for name in table["treatment"]), default=9)
    lines.append(
        f"{'treatment':<{width}}  {'dose':>8}  {'looks':>6}  {'built':>6}  {'q':>7}  shared the mechanism"
    )
    for row in table.to_dict("records"):
        dose = "" if row["dose"] != row["dose"] else f"{row['dose']:g} µM"
        lines.append(
            f"{row['treatment']:<{width}}  {dose:>8}  {_number(row['looks_like'], '6.1f')}"
            f"  {_number(row['built_like'], '6.1f')}  {_number(row['q'], '7.2g')}  {_promise(row)}"
        )
        if row["nearest"]:
            lines.append(f"{'':<{width}}    looks like {row['nearest']}")
        if row["rivals"]:
            lines.append(f"{'':<{width}}    also like {row['rivals']}")
    return lines


def _promise(row: dict[str, float]) -> str:
    """How often labelled treatments that looked this alike shared the mechanism."""
    if row["probability"] != row["probability"]:
        return "unknown"
    text = f"{row['probability']:.0%}"
    if row["precision_n"]:
        low, high = row["precision_low"], row["precision_high"]
        text += (
            f" ({row['precision']:.0%} of {row['precision_n']:.0f} labelled pairs,"
            f" 95 % interval {low:.0%} to {high:.0%})"
        )
    return text


def _number(value: float, form: str) -> str:
    return " " * int(form.split(".")[0]) if value != value else f"{value:{form}}"
