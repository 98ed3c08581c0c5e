"""Answer a question in words: prompts, their direction, and how well wells fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.answer import Answer, answer_of
from napari_cellclip.explore.asked_screen import cell_line_of, own_model
from napari_cellclip.explore.calibration.findings import find
from napari_cellclip.explore.calibration.query_scores import QueryPart
from napari_cellclip.explore.calibration.screen_calibration import calibration_of
from napari_cellclip.explore.corrected_texts import texts_beside
from napari_cellclip.explore.wording.direction import direction, summed
from napari_cellclip.explore.wording.filters import Filters
from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.query_grammar import parse
from napari_cellclip.explore.wording.reader import prompts_in_vocabulary, read_text
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.model import Model, ModelCard
    from napari_cellclip.screen import Screen

Combine = Literal["mean", "max"]

RANKING_ONLY = (
    "Words of a head fitted in closed form rank wells and make no match: for compounds that such a head was"
    " not fitted to, about one match in eighteen was right on CPJUMP1. Matches come from look-alikes."
)
"""Measured in docs/models.md."""


def ranks_only(card: ModelCard) -> bool:
    """Say whether words of a model rank wells and make no match."""
    return card.image_tower == "prototypes"


def answer_by_words(
    screen: Screen,
    text: str,
    *,
    fdr: float,
    prompts: Sequence[str | Prompt] | None,
    combine: Combine,
    use_platemap: bool,
    model: Model | None,
    reason: str,
    seed: int,
    top: int | None = None,
    index: bool = False,
) -> Answer:
    """Answer a text by the prompts it is worded in, as :func:`napari_cellclip.explore.query.ask` says."""
    model = model_of_words(screen, model)
    questions, filters, cell_line, notes = read_questions(screen, text, prompts, use_platemap, model)
    parts = parts_of(model, questions, combine)
    findings = find(
        screen,
        calibration_of(screen, model, cell_line=cell_line, seed=seed, index=index),
        parts,
        fdr=fdr,
        filters=filters,
        out_of_vocabulary=[q.wording.text for q in questions if not q.wording.in_vocabulary],
        top=top,
    )
    if ranks_only(screen.card):
        findings = findings.as_ranking(RANKING_ONLY)
    return answer_of(
        screen,
        findings,
        query=text,
        prompts=tuple(p.text for question in questions for p in question.on),
        sent=tuple(prompt for question in questions for prompt in question.signed),
        direction=parts[0].vectors[0],
        source=f"templates of the model card {screen.card.name!r}" if prompts is None else "as given",
        notes=notes,
        fdr=fdr,
        evidence_reason=reason,
    )


def model_of_words(screen: Screen, model: Model | None) -> Model:
    """Return the model that embeds the texts of a question, which go through a screen's correction.

    Raises
    ------
    CellClipError
        If the screen's model reads no words, or another one is given.
    """
    if screen.card.text_tower == "fingerprint":
        raise CellClipError(
            f"the model {screen.card.name!r} reads structures and no words, as a baseline: ask a"
            " screen of a model that reads words"
        )
    return texts_beside(screen, own_model(screen, model))


def read_questions(
    screen: Screen, text: str, prompts: Sequence[str | Prompt] | None, use_platemap: bool, model: Model
) -> tuple[list[Question], Filters, str, tuple[str, ...]]:
    """Word a text, or take prompts as they are: the terms asked, filters, cell line and notes.

    Raises
    ------
    CellClipError
        If there is nothing to ask.
    """
    vocabulary = ModelVocabulary.of_card(model.card)
    terms, filters = parse(text) if prompts is None else ([], Filters())
    cell_line = cell_line_of(screen, filters.cell_line)
    if prompts is not None:
        sent = [p if isinstance(p, Prompt) else Prompt(p) for p in prompts]
        given = Wording(text, "free", tuple(p for p in sent if p.text.strip()))
        known = vocabulary is None or prompts_in_vocabulary(
            given.prompts, vocabulary, screen.card.prompts, cell_line
        )
        questions = [Question(1.0, "sum", replace(given, in_vocabulary=known))]
    else:
        questions = [
            Question(
                term.weight,
                term.role,
                read_text(
                    term.text,
                    templates=screen.card.prompts,
                    cell_line=cell_line,
                    platemap=screen.wells if use_platemap else None,
                    vocabulary=vocabulary,
                ),
            )
            for term in terms
        ]
    notes = tuple(note for question in questions for note in question.wording.notes)
    questions = [question for question in questions if question.on]
    if not questions:
        raise CellClipError(notes[-1] if notes else "there is nothing to ask: write a few words")
    return questions, filters, cell_line, notes


@dataclass(frozen=True)
class Question:
    """A term of a question: its weight, its role, and how it is worded."""

    weight: float
    role: Literal["sum", "and", "not"]
    wording: Wording

    @property
    def on(self) -> tuple[Prompt, ...]:
        """Prompts that are sent."""
        return tuple(prompt for prompt in self.wording.prompts if prompt.on and prompt.weight)

    @property
    def signed(self) -> tuple[Prompt, ...]:
        """All prompts, with the weight that the term gives them."""
        return tuple(replace(p, weight=p.weight * self.weight) for p in self.wording.prompts)


def parts_of(model: Model, questions: Sequence[Question], combine: Combine) -> list[QueryPart]:
    """Put a question into directions: its sum, then what wells must answer also, and what they must not."""
    parts: list[QueryPart] = []
    sums: list[tuple[float, NDArray[np.float32]]] = []
    for question in questions:
        texts = [prompt.text for prompt in question.on]
        shares = [prompt.weight for prompt in question.on]
        if combine == "max" and len(questions) == 1 and question.weight > 0:
            return [QueryPart(tuple(direction(model, [text]) for text in texts), (1.0,), "sum")]
        vector = direction(model, texts, shares)
        if question.role == "sum":
            sums.append((question.weight, vector))
        else:
            parts.append(QueryPart((vector,), (1.0,), question.role))
    if sums:
        # One text is one direction whatever its weight; of several only the proportions count.
        weights = (float(np.sign(sums[0][0])),) if len(sums) == 1 else tuple(w for w, _ in sums)
        parts.insert(0, QueryPart((summed(np.stack([v for _, v in sums]), weights),), weights, "sum"))
    elif all(part.role == "not" for part in parts):
        first = parts.pop(0)
        parts.insert(0, QueryPart((-first.vectors[0],), (-1.0,), "sum"))
    return parts
