"""``napari-cellclip ask SCREEN TEXT``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellclip.cli.look_alikes import look_alike_lines
from napari_cellclip.cli.options import JsonOption, ScreenArgument
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer

ROWS = 10


def ask(
    screen: ScreenArgument,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            show_default=False,
            help="A mechanism, compound, gene or SMILES, in your own words; with AND, AND NOT, + and -, a "
            "dose ('at 3 uM') or a cell line ('in A549').",
        ),
    ],
    fdr: Annotated[
        float,
        typer.Option(help="Share of false discoveries you accept among the treatments called a match."),
    ] = FDR,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=False,
            help=f"How many wells to list, best first (text: {ROWS}, JSON: all, unless given).",
        ),
    ] = None,
    platemap: Annotated[
        bool,
        typer.Option(
            "--platemap/--no-platemap",
            help="Whether a mechanism may be worded with compounds that the plate map lists under it.",
        ),
    ] = True,
    best: Annotated[
        bool,
        typer.Option("--best", help="Let a well's best prompt count, in place of the prompts' mean."),
    ] = False,
    evidence: Annotated[
        str,
        typer.Option(
            help="What scores rest on: 'words' (what the model's text tower says), 'look-alikes' (likeness "
            "to treatments whose identity is known), 'both', or 'auto', which chooses and says why."
        ),
    ] = "auto",
    references: Annotated[
        list[str] | None,
        typer.Option(
            "--references",
            metavar="SET",
            show_default=False,
            help="Reference treatments of other screens: a file, or the name of an installed set "
            "('references install'). May be given several times.",
        ),
    ] = None,
    structures: Annotated[
        bool,
        typer.Option(
            "--structures/--no-structures",
            help="Whether likeness of chemical structures is part of the look-alikes' score.",
        ),
    ] = True,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="NAME",
            show_default=False,
            help="A reference treatment to leave out. May be given several times.",
        ),
    ] = None,
    correction: Annotated[
        str,
        typer.Option(
            help="Correct the embeddings for batch effects first, fitted on negative controls: 'sphering', "
            "through which texts go too. 'correct' shows what it does to replicates and plates."
        ),
    ] = "none",
    index: Annotated[
        bool,
        typer.Option(
            "--index",
            help="For screens that do not fit into memory: read embeddings from an index, a file of two "
            "bytes a number that is made once and kept in the screen's folder.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random draws behind p-values.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask a screen in words: which wells match?

    The score of a well says how far it stands out of the negative controls of its plate. Replicate wells of
    a treatment and dose are evaluated together: p against control wells and against other texts, q over all
    treatments, and "No confident match" where none is left. Treatments' names decide no score.

    With look-alikes, wells are compared with treatments whose identity is known, of this plate map or of
    other screens; a treatment is never scored with the help of its own label. Each line says how often
    labelled treatments that looked this alike shared the mechanism.

    Example: napari-cellclip ask my-screen "tubulin polymerisation inhibitor" --fdr 0.1
    """
    if not text.strip():
        raise typer.BadParameter("there is nothing to ask: write a few words", param_hint="TEXT")
    if evidence not in ("auto", "words", "look-alikes", "both"):
        raise typer.BadParameter(
            "evidence is 'auto', 'words', 'look-alikes' or 'both'", param_hint="--evidence"
        )
    from napari_cellclip.explore import ask as ask_screen
    from napari_cellclip.explore.references.public.installed_sets import named_references
    from napari_cellclip.explore.references.reference_set import joined
    from napari_cellclip.screen import Screen

    opened = Screen.open(screen)
    if index and (correction != "none" or references or without or evidence not in ("auto", "words")):
        raise typer.BadParameter(
            "an index holds embeddings as the model made them, for words: leave out --correction,"
            " --references, --without and other evidence",
            param_hint="--index",
        )
    answer = ask_screen(
        opened if correction == "none" else opened.correct(correction),  # type: ignore[arg-type]
        text,
        fdr=fdr,
        combine="max" if best else "mean",
        use_platemap=platemap,
        evidence=evidence,  # type: ignore[arg-type]  # checked above
        references=joined([named_references(name) for name in references]) if references else None,
        structures=structures,
        ticked_off=without or (),
        top=None if as_json else top or ROWS,  # tables of a million wells take longer than their scores
        index=index,
        seed=seed,
    )
    if without and answer.references is None:
        note = "Nothing was left out by --without: this answer rests on words, not on reference treatments."
        answer = replace(answer, notes=(*answer.notes, note))
    if as_json:
        document = answer.to_json()
        document["wells"] = document["wells"][:top]
        json.dump(document, sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        print(as_text(answer, top or ROWS))


def as_text(answer: Answer, top: int) -> str:
    """Return the answer for people: verdict, what was sent, what limits it, best treatments and wells."""
    lines = [f"{answer.query!r}: {answer.verdict}"]
    if answer.prompts:  # look-alikes send none
        lines += ["prompts sent:", *(f"  {prompt}" for prompt in answer.prompts)]
    if answer.evidence_reason:
        lines.append(f"evidence: {answer.evidence}. {answer.evidence_reason}")
    lines += [f"note: {note}" for note in answer.notes]
    if answer.references is not None:
        lines += look_alike_lines(answer, top)
    if len(matches := answer.matches):
        lines.append("treatments that match:")
        for row in matches.to_dict("records"):
            dose = "" if row["dose"] != row["dose"] else f" {row['dose']:g} µM"
            wells = "1 well" if row["n_wells"] == 1 else f"{row['n_wells']} wells"
            name = row["treatment"] or "unnamed"
            lines.append(
                f"  {name}{dose}: {wells}, score {row['score']:.2f}, p {row['p']:.2g}, q {row['q']:.2g}"
            )
    best = answer.top(top)
    width = max((len(name) for name in best.index), default=4)
    lines.append(f"{'rank':>4}  {'well':<{width}}  {'score':>7}  {'cosine':>7}  {'q':>7}  treatment")
    for name, row in best.iterrows():
        q = "" if row["q"] != row["q"] else f"{row['q']:.2g}"
        treatment = answer.treatments.get(name, "")
        score = "" if row["score"] != row["score"] else f"{row['score']:.2f}"
        numbers = f"{score:>7}  {row['cosine']:>7.3f}  {q:>7}"
        lines.append(f"{int(row['rank']):>4}  {name!s:<{width}}  {numbers}  {treatment}")
    return "\n".join(lines)
