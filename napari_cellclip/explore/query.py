"""Asking a screen in words, or by example wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.calibration.calibration import calibration_of, embedded
from napari_cellclip.explore.calibration.verdict import Part, conclude
from napari_cellclip.explore.wording.direction import direction, summed
from napari_cellclip.explore.wording.filters import Filters
from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.query_grammar import parse
from napari_cellclip.explore.wording.reader import prompts_in_vocabulary, read_text
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.vocabulary import CellClipError, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

FDR = 0.05
"""Accepted share of false discoveries where the asker says nothing else."""

Combine = Literal["mean", "max"]


def ask(
    screen: Screen,
    text: str,
    *,
    fdr: float = FDR,
    prompts: Sequence[str | Prompt] | None = None,
    combine: Combine = "mean",
    use_platemap: bool = True,
    model: Model | None = None,
    top: int | None = None,
    seed: int = 0,
) -> Answer:
    """Rank the wells of a screen by how well they fit a text, and say whether any of them matches it.

    The text is worded as the model was trained (:func:`napari_cellclip.explore.wording.reader.read_text`),
    embedded, and
    compared with every well. Scores are standardised by the negative controls of the same plate; replicate
    wells of a treatment and dose are judged together
    (:mod:`napari_cellclip.explore.calibration.calibration`). Names of
    treatments say which wells are replicates and decide no score.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    text : str
        A mechanism, a compound, a gene or its knockout, a structure; with ``+``, ``-``, ``AND``, ``AND NOT``,
        weights, doses and cell lines (:func:`napari_cellclip.explore.wording.query_grammar.parse`).
    fdr : float
        Share of false discoveries that is accepted among the treatments said to match.
    prompts : sequence of str or Prompt, optional
        Sent as they are instead of the wording; those with ``on=False`` are not.
    combine : {"mean", "max"}
        Whether the prompts of a term are averaged on the unit sphere, or a well's best cosine counts.
    use_platemap : bool
        Whether a mechanism may be worded with compounds that the plate map lists under it. Answers then rest
        on its labels, and the notes say so.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.
    top : int, optional
        Keep only so many wells, best first; p, q and the verdict are of all.
    seed : int
        Of what is drawn at random for the null.

    Returns
    -------
    Answer
        Wells without an embedding are left out, and counted in the notes.

    Raises
    ------
    CellClipError
        If there is nothing to ask, no well has an embedding, or the model is not the screen's.

    Examples
    --------
    >>> ask(screen, "tubulin inhibitor").verdict   # doctest: +SKIP
    '14 wells of 3 treatments match (q < 0.05)'
    """
    if not 0 < fdr < 1:
        raise CellClipError(f"a false-discovery rate of {fdr} cannot be accepted: give one between 0 and 1")
    if getattr(screen.card, "text_tower", "bert") == "fingerprint":
        raise CellClipError(
            f"the model {screen.card.name!r} reads structures and no words, as a baseline: ask a"
            " screen of a model that reads words"
        )
    model = own_model(screen, model)
    vocabulary = ModelVocabulary.of_card(model.card)
    filters = Filters()
    if prompts is not None:
        sent = [p if isinstance(p, Prompt) else Prompt(p) for p in prompts]
        given = Wording(text, "free", tuple(p for p in sent if p.text.strip()))
        in_vocabulary = vocabulary is None or prompts_in_vocabulary(
            given.prompts, vocabulary, screen.card.prompts
        )
        given = replace(given, in_vocabulary=in_vocabulary)
        questions = [_Question(1.0, "sum", given)]
    else:
        terms, filters = parse(text)
        platemap = screen.wells if use_platemap else None
        questions = [
            _Question(
                term.weight,
                term.role,
                read_text(
                    term.text,
                    templates=screen.card.prompts,
                    cell_line=filters.cell_line or _cell_line(screen),
                    platemap=platemap,
                    vocabulary=vocabulary,
                ),
            )
            for term in terms
        ]
    said = tuple(note for question in questions for note in question.wording.notes)
    if not any(question.on for question in questions):
        raise CellClipError(said[-1] if said else "there is nothing to ask: write a few words")
    questions = [question for question in questions if question.on]
    require_embeddings(screen)
    parts = _parts(model, questions, combine)
    unknown = [question.wording.text for question in questions if not question.wording.in_vocabulary]
    source = f"templates of the model card {screen.card.name!r}" if prompts is None else "as given"
    answer = conclude(
        screen,
        calibration_of(screen, model, seed=seed),
        parts,
        fdr=fdr,
        filters=filters,
        unknown=tuple(unknown),
        top=top,
    )
    return replace(
        answer,
        query=text,
        prompts=tuple(p.text for question in questions for p in question.on),
        sent=tuple(prompt for question in questions for prompt in question.signed),
        direction=parts[0].vectors[0],
        source=source,
        notes=(*said, *answer.notes),
    )


def like(
    screen: Screen,
    wells: Sequence[str],
    but_not: Sequence[str] = (),
    *,
    fdr: float = FDR,
    model: Model | None = None,
    top: int | None = None,
    seed: int = 0,
) -> Answer:
    """Find wells that look like example wells, and not like others.

    The direction asked for is the mean of the examples on the unit sphere, less that of the others. It is
    judged as a text is, with directions drawn from the spread of the screen's own treatments in place of
    background prompts. Treatments of the examples are not tested: they would match themselves.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    wells : sequence of str
        Ids of the examples, such as those of a lasso.
    but_not : sequence of str
        Ids of wells that the answer should not look like.
    fdr, top, seed
        As for :func:`ask`.
    model : Model, optional
        Not needed: texts play no part; given for the sake of callers that have it at hand.

    Returns
    -------
    Answer
        Without prompts.

    Raises
    ------
    CellClipError
        If no well is given, one is not of the screen or has no embedding, or a well is on both sides.
    """
    wells, but_not = list(wells), list(but_not)
    if not wells:
        raise CellClipError("there is nothing to look for: choose at least one well")
    if both := set(wells) & set(but_not):
        raise CellClipError(f"well {min(both)} cannot be both like and unlike what is looked for")
    require_embeddings(screen)
    if model is not None:
        screen.require_model(model)
    there = embedded(screen)
    position = {well: i for i, well in enumerate(screen.well_ids)}
    rows = []
    for well in (*wells, *but_not):
        if well not in position or not there[position[well]]:
            raise CellClipError(f"well {well} has no embedding in screen {screen.name}: choose others")
        rows.append(position[well])
    vectors = screen.embeddings[rows]
    ends = [summed(vectors[: len(wells)])]
    weights: tuple[float, ...] = (1.0,)
    if but_not:
        ends.append(summed(vectors[len(wells) :]))
        weights = (1.0, -1.0)
    calibration = calibration_of(screen, None, seed=seed)
    part = Part((summed(np.stack(ends), weights),), weights, "sum")
    answer = conclude(screen, calibration, [part], fdr=fdr, examples=(*wells, *but_not), top=top)
    shown = f"like {_few(wells)}" + (f", not like {_few(but_not)}" if but_not else "")
    return replace(answer, query=shown, source="example wells", direction=part.vectors[0])


@dataclass(frozen=True)
class _Question:
    weight: float
    role: Literal["sum", "and", "not"]
    wording: Wording

    @property
    def on(self) -> tuple[Prompt, ...]:
        return tuple(prompt for prompt in self.wording.prompts if prompt.on and prompt.weight)

    @property
    def signed(self) -> tuple[Prompt, ...]:
        """All prompts, with the weight that the term gives them."""
        return tuple(replace(p, weight=p.weight * self.weight) for p in self.wording.prompts)


def _parts(model: Model, questions: Sequence[_Question], combine: Combine) -> list[Part]:
    """Directions of a question: its sum, then what wells must answer also, and what they must not."""
    parts: list[Part] = []
    sums: list[tuple[float, NDArray[np.float32]]] = []
    for question in questions:
        texts = [prompt.text for prompt in question.on]
        shares = [prompt.weight for prompt in question.on]
        if combine == "max" and len(questions) == 1 and question.weight > 0:
            return [Part(tuple(direction(model, [text]) for text in texts), (1.0,), "sum")]
        vector = direction(model, texts, shares)
        if question.role == "sum":
            sums.append((question.weight, vector))
        else:
            parts.append(Part((vector,), (1.0,), question.role))
    if sums:
        # One text is one direction whatever its weight; of several only the proportions count.
        weights = (float(np.sign(sums[0][0])),) if len(sums) == 1 else tuple(w for w, _ in sums)
        parts.insert(0, Part((summed(np.stack([v for _, v in sums]), weights),), weights, "sum"))
    elif all(part.role == "not" for part in parts):
        first = parts.pop(0)
        parts.insert(0, Part((-first.vectors[0],), (-1.0,), "sum"))
    return parts


def _cell_line(screen: Screen) -> str:
    """Cell line of the screen, where its plate map names just one."""
    if "Metadata_cell_line" not in screen.wells:
        return ""
    named = [str(line) for line in screen.wells["Metadata_cell_line"].unique() if line]
    return named[0] if len(named) == 1 else ""


def _few(wells: Sequence[str]) -> str:
    return ", ".join(wells[:3]) + (f" and {len(wells) - 3} more" if len(wells) > 3 else "")


def require_embeddings(screen: Screen) -> None:
    """Refuse a screen without any embedded well."""
    if not embedded(screen).any():
        raise ScreenError(f"no well of screen {screen.name} has an embedding yet: encode it first")


def own_model(screen: Screen, model: Model | None) -> Model:
    """The screen's model, or the one given if it is the same."""
    if model is None:
        return screen.model
    screen.require_model(model)
    return model
