"""Choose the evidence a question is answered by: words, look-alikes, or both, and say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_cellclip.explore.references.reference_set import ReferenceSet
from napari_cellclip.explore.references.referenced_screen import ReferencedScreen, referenced
from napari_cellclip.explore.wording.query_grammar import parse
from napari_cellclip.model.card import FITTED_PLATES
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

Evidence = Literal["auto", "words", "look-alikes", "both"]

WORDS_KEY = "mechanisms-by-words"
"""Key of a model card's scores: how well its text tower finds mechanisms of unseen labelled treatments."""

BETTER_THAN_CHANCE = 2.0
"""Ratio of average precision to chance from which a text tower counts as proven."""


def decide(
    screen: Screen,
    text: str,
    evidence: Evidence,
    *,
    references: ReferenceSet | None,
    use_platemap: bool,
    structures: bool,
    seed: int,
) -> tuple[Evidence, str, ReferencedScreen | None]:
    """Decide on the evidence for a text.

    Returns
    -------
    evidence : {"words", "look-alikes", "both"}
    reason : str
        One sentence.
    beside : ReferencedScreen or None
        The references, where they are needed.

    Raises
    ------
    CellClipError
        If what is asked for explicitly is not to be had: no references, or a screen without a text tower.
    """
    if evidence not in ("auto", "words", "look-alikes", "both"):
        raise CellClipError(f"{evidence!r} is no evidence: choose 'auto', 'words', 'look-alikes' or 'both'")
    if evidence == "words":
        screen.require_head()
        return "words", "Asked for.", None
    silent = _says_nothing(screen)
    at_home = screen.card.simulated and not silent and references is None
    if evidence == "auto" and screen.has_head and at_home:
        return (
            "words",
            f"The model {screen.card.name!r} was trained on simulated cells, so it is asked in words.",
            None,
        )
    try:
        beside = referenced(screen, references, use_platemap=use_platemap, structures=structures, seed=seed)
    except CellClipError as error:
        if silent and evidence == "auto":
            raise CellClipError(f"{silent}, and {error}") from error
        if evidence == "auto" and screen.has_head:
            return "words", f"There are no look-alikes to compare with: {error}.", None
        raise
    if evidence in ("look-alikes", "both"):
        if evidence == "both":
            screen.require_head()
        return evidence, "Asked for.", beside
    terms, _ = parse(text)
    carried = bool(terms) and all(
        beside.select(term.text).members.any() for term in terms if term.role != "not" and term.weight > 0
    )
    if not screen.has_head:
        return "look-alikes", "The screen has no text tower: wells are compared with references.", beside
    if silent:
        if not carried:
            raise CellClipError(
                f"{silent}, and no reference treatment carries what is asked: add references"
                " (napari-cellclip references install), or encode with another model"
            )
        return "look-alikes", f"Wells are compared with references: {silent}.", beside
    if not carried:
        return "words", "No reference treatment carries what is asked.", None
    if known := sorted(set(screen.plates) & set(screen.card.training.get(FITTED_PLATES) or ())):
        return (
            "look-alikes",
            f"Words would come from memory: {screen.card.name!r} was fitted to {known[0]}.",
            beside,
        )
    if (proof := proven_by(screen)) is None:
        return (
            "look-alikes",
            f"The text tower of {screen.card.name!r} is not known to find mechanisms of labelled treatments.",
            beside,
        )
    return "both", f"References carry what is asked, and {proof}.", beside


def _says_nothing(screen: Screen) -> str:
    """Say why the text tower says nothing about this screen; empty where it may say something."""
    if screen.card.untrained:
        return f"the head of {screen.card.name!r} has learnt nothing, so that its words mean nothing"
    if screen.card.simulated and screen.simulated is False:
        return (
            f"the text tower of {screen.card.name!r} was trained on simulated cells and says nothing about"
            " real ones"
        )
    return ""


def decide_on_prompts(screen: Screen, evidence: Evidence) -> tuple[Evidence, str]:
    """Decide for prompts of the user's own, which only a text tower reads.

    Raises
    ------
    CellClipError
        If look-alikes are asked for, or the screen has no text tower.
    """
    if evidence in ("look-alikes", "both"):
        raise CellClipError("prompts of your own are for the text tower: ask them with evidence 'words'")
    screen.require_head()
    return "words", "Prompts of your own are for the text tower."


def proven_by(screen: Screen) -> str | None:
    """Say by which figure the text tower is proven on labelled treatments; ``None`` if it is not."""
    figures = (screen.card.scores.get(WORDS_KEY) or {}).get("figures") or {}
    try:
        found, chance = float(figures["map"]), float(figures["chance"])
    except (KeyError, TypeError, ValueError):
        return None
    if not found >= BETTER_THAN_CHANCE * chance > 0:
        return None
    return f"the text tower finds mechanisms of unseen compounds at mAP {found:.2f} (chance {chance:.2f})"
