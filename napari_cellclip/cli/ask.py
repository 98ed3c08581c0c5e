"""``napari-cellclip ask SCREEN TEXT``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.options import JsonOption, ScreenArgument

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer
    from napari_cellclip.screen import Screen

ROWS = 10


def ask(
    screen: ScreenArgument,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            show_default=False,
            help="A mechanism, compound, gene or SMILES, in your own words.",
        ),
    ],
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=False,
            help=f"How many wells to list, best first (text: {ROWS}, JSON: all, if not said).",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the wells of a screen by a sentence.

    The score of a well says how many robust standard deviations of the plate's negative controls it
    stands out by. Treatments are shown beside it and never used for it.

    Example: napari-cellclip ask my-screen "tubulin polymerisation inhibitor" --top 20
    """
    if not text.strip():
        raise typer.BadParameter("there is nothing to ask: write a few words", param_hint="TEXT")
    from napari_cellclip.explore import ask as ask_screen
    from napari_cellclip.screen import Screen

    opened = Screen.open(screen)
    answer = ask_screen(opened, text)
    if as_json:
        document = answer.to_json()
        document["wells"] = document["wells"][:top]
        json.dump(document, sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        print(describe(answer, opened, top or ROWS))


def describe(answer: Answer, screen: Screen, top: int) -> str:
    """Return the answer as a table for people."""
    verdict = {True: "a match", False: "no confident match", None: "not calibrated: judge by eye"}[
        answer.match
    ]
    lines = [f"{answer.query!r}: {verdict}", "prompts sent:"]
    lines += [f"  {prompt}" for prompt in answer.prompts]
    lines += [f"note: {note}" for note in answer.notes]
    best = answer.top(top)
    treatments = screen.wells["Metadata_treatment"].reindex(best.index).fillna("")
    width = max((len(name) for name in best.index), default=4)
    lines.append(f"{'rank':>4}  {'well':<{width}}  {'score':>7}  {'cosine':>7}  treatment")
    for rank, (name, row) in enumerate(best.iterrows(), start=1):
        lines.append(
            f"{rank:>4}  {name!s:<{width}}  {row['score']:>7.2f}  {row['cosine']:>7.3f}  {treatments[name]}"
        )
    return "\n".join(lines)
