"""Ask a screen in words, or by example wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.explore.answer import Answer, answer_of
from napari_cellclip.explore.asked_screen import require_embeddings
from napari_cellclip.explore.by_look_alikes import answer_by_look_alikes
from napari_cellclip.explore.by_words import Combine, answer_by_words, ranks_only
from napari_cellclip.explore.calibration.findings import find
from napari_cellclip.explore.calibration.query_scores import QueryPart
from napari_cellclip.explore.calibration.screen_calibration import calibration_of
from napari_cellclip.explore.fusion import fuse
from napari_cellclip.explore.references.choice import Evidence, decide, decide_on_prompts
from napari_cellclip.explore.references.reference_set import ReferenceSet
from napari_cellclip.explore.wording.direction import summed
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen


def ask(
    screen: Screen,
    text: str,
    *,
    fdr: float = FDR,
    prompts: Sequence[str | Prompt] | None = None,
    combine: Combine = "mean",
    use_platemap: bool = True,
    evidence: Evidence = "auto",
    references: ReferenceSet | None = None,
    structures: bool = True,
    ticked_off: Sequence[str] = (),
    model: Model | None = None,
    top: int | None = None,
    index: bool = False,
    seed: int = 0,
) -> Answer:
    """Rank the wells of a screen by how well they fit a text, and say whether any of them matches it.

    Evidence is of two kinds. *Words*: the text is worded as the model was trained
    (:func:`napari_cellclip.explore.wording.reader.read_text`), embedded, and compared with every well. Scores
    are standardised by the negative controls of the same plate; replicate wells of a treatment and dose are
    tested together (:mod:`napari_cellclip.explore.calibration.calibration`). Names of treatments say which
    wells are replicates and decide no score. *Look-alikes*: the text names reference treatments, whose
    identity is known from this plate map or from other screens, and wells are scored by their likeness to
    them (:mod:`napari_cellclip.explore.references`); no treatment is scored with the help of its own label.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    text : str
        A mechanism, a compound, a gene or its knockout, a structure; with ``+``, ``-``, ``AND``, ``AND NOT``,
        weights, doses and cell lines (:func:`napari_cellclip.explore.wording.query_grammar.parse`).
    fdr : float
        Accepted false-discovery rate among the treatments that match.
    prompts : sequence of str or Prompt, optional
        Sent as they are instead of the wording; those with ``on=False`` are not.
    combine : {"mean", "max"}
        Whether the prompts of a term are averaged on the unit sphere, or a well's best cosine counts.
    use_platemap : bool
        Whether a mechanism may be worded with compounds that the plate map lists under it. Answers then rest
        on its labels, and the notes say so. For look-alikes: whether its labelled treatments are references.
    evidence : {"auto", "words", "look-alikes", "both"}
        Auto: look-alikes where references carry what is asked and the model was not trained on simulated
        cells; words where the text tower is known to find mechanisms of labelled treatments; both where both
        hold. The answer says which was used, and why.
    references : ReferenceSet, optional
        Reference treatments of other screens, beside those of this plate map.
    structures : bool
        Whether likeness of chemical structures is part of the look-alikes' score, where both sides have one.
    ticked_off : sequence of str
        Names of reference treatments that are left out.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.
    top : int, optional
        Keep only so many wells, best first, and of an answer by words so many treatments, but all that match;
        p, q and the verdict are of all. Tables of a million wells take longer than their scores.
    index : bool
        For screens that do not fit into memory: read embeddings from a file of two bytes a number, made once
        (:class:`~napari_cellclip.explore.vectors.well_index.WellIndex`). Words are then the evidence.
    seed : int
        Of what is drawn at random for the null.

    Returns
    -------
    Answer
        Wells without an embedding are left out, and counted in the notes.

    Raises
    ------
    CellClipError
        If there is nothing to ask, no well has an embedding, or the model is not the screen's; with `index`
        also if other evidence is asked for, or embeddings are corrected.

    Examples
    --------
    >>> ask(screen, "tubulin inhibitor").verdict   # doctest: +SKIP
    '14 wells of 3 treatments match (FDR ≤ 5 %)'
    """
    if not 0 < fdr < 1:
        raise CellClipError(f"a false-discovery rate of {fdr} cannot be accepted: give one between 0 and 1")
    if index and evidence not in ("auto", "words"):
        raise CellClipError("an index holds embeddings, for words: ask with evidence 'words', or without it")
    if prompts is not None:
        kind, reason = decide_on_prompts(screen, evidence)
        beside = None
    else:
        kind, reason, beside = decide(
            screen,
            text,
            "words" if index else evidence,
            references=references,
            use_platemap=use_platemap,
            structures=structures,
            seed=seed,
        )
    words = looks = None
    if kind in ("words", "both"):
        words = answer_by_words(
            screen,
            text,
            fdr=fdr,
            prompts=prompts,
            combine=combine,
            use_platemap=use_platemap,
            model=model,
            reason=reason,
            top=top if kind == "words" else None,
            index=index,
            seed=seed,
        )
    if kind in ("look-alikes", "both"):
        assert beside is not None
        looks = answer_by_look_alikes(
            screen, text, beside, fdr=fdr, ticked_off=ticked_off, reason=reason, seed=seed
        )
    if words is not None and looks is not None:
        answer = fuse(words, looks, reason=reason, words_count=not ranks_only(screen.card))
    else:
        answer = looks if looks is not None else words  # type: ignore[assignment]  # one of them was made
    return (
        answer
        if top is None or len(answer.scores) <= top
        else replace(answer, scores=answer.scores.iloc[:top])
    )


def like(
    screen: Screen,
    wells: Sequence[str],
    but_not: Sequence[str] = (),
    *,
    fdr: float = FDR,
    top: int | None = None,
    seed: int = 0,
) -> Answer:
    """Find wells that look like example wells, and not like others.

    The direction asked for is the mean of the examples on the unit sphere, less that of the others. It is
    tested as a text is, with directions drawn from the spread of the screen's own treatments in place of
    background prompts. Treatments of the examples are not tested: they would match themselves.

    Parameters
    ----------
    screen : Screen
        Encoded plates; its model is not needed, for no text plays a part.
    wells : sequence of str
        Ids of the examples, such as those of a lasso.
    but_not : sequence of str
        Ids of wells that the answer should not look like.
    fdr, top, seed
        As for :func:`ask`.

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
    there = require_embeddings(screen)
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
    part = QueryPart((summed(np.stack(ends), weights),), weights, "sum")
    calibration = calibration_of(screen, None, cell_line="", seed=seed)
    findings = find(screen, calibration, [part], fdr=fdr, examples=(*wells, *but_not), top=top)
    return answer_of(
        screen,
        findings,
        query=f"like {_few(wells)}" + (f", not like {_few(but_not)}" if but_not else ""),
        source="example wells",
        direction=part.vectors[0],
        fdr=fdr,
        evidence="example wells",
    )


def _few(wells: Sequence[str]) -> str:
    return ", ".join(wells[:3]) + (f" and {len(wells) - 3} more" if len(wells) > 3 else "")
