"""Describing wells: which terms fit a selection, and which fit each treatment."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_cellclip.explore.asked_screen import cell_line_of, embedded, own_model, require_embeddings
from napari_cellclip.explore.calibration.calibration import SelectionScores
from napari_cellclip.explore.calibration.findings import describe_null
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg, q_values, simes
from napari_cellclip.explore.calibration.screen_calibration import calibration_of
from napari_cellclip.explore.calibration.verdict import Verdict, description_sentence
from napari_cellclip.explore.corrected_texts import texts_beside
from napari_cellclip.explore.wording.direction import direction
from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.reader import read_text
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotations import annotated_mechanisms, known_compounds
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

TermList = Literal["mechanisms", "compounds", "genes"]
"""Lists of terms in the package's own table."""

TERM_LISTS = 32
"""Embedded lists of terms remembered, over all models and cell lines."""


@dataclass(frozen=True)
class Description:
    """Terms that fit a selection of wells.

    Attributes
    ----------
    table : DataFrame
        Best first: ``term``, ``score`` (mean standard score of the wells against their plates' controls),
        ``cosine``, ``p``, ``q`` (NaN for terms out of the model's vocabulary) and ``in_vocabulary``.
    outcome : Verdict
        Whether terms fit significantly, none does, or nothing could be tested.
    fdr : float
        The accepted false-discovery rate.
    null : dict
        What p was computed from; see :class:`napari_cellclip.explore.Answer`.
    notes : tuple of str
        What limits it, in sentences.
    """

    table: pd.DataFrame
    outcome: Verdict
    fdr: float
    null: dict[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def significant(self) -> pd.DataFrame:
        """Rows of `table` at the accepted rate."""
        return self.table[(self.table["q"] <= self.fdr).to_numpy(bool)]

    @property
    def verdict(self) -> str:
        """The outcome in words; ``"Nothing stands out"`` if no term is significant."""
        return description_sentence(self.outcome, self.significant["term"].tolist(), self.fdr)


@dataclass(frozen=True)
class TermDirections:
    """Terms as directions of a model's space.

    Attributes
    ----------
    names : tuple of str
        As they are shown.
    vectors : ndarray of float32 (V, E)
        Of length 1.
    in_vocabulary : ndarray of bool (V,)
        Whether they are in the model's vocabulary; true if its card does not say.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    in_vocabulary: NDArray[np.bool_]


_embedded_terms: LRUCache[tuple[Hashable, ...], TermDirections] = LRUCache(TERM_LISTS)
_lock = Lock()


def describe(
    screen: Screen,
    wells: Sequence[str],
    terms: TermList | Sequence[str] = "mechanisms",
    *,
    fdr: float = FDR,
    model: Model | None = None,
    seed: int = 0,
) -> Description:
    """Rank terms by how well they fit a selection of wells, such as a lasso.

    The wells are tested together, as replicates of one treatment are by :func:`napari_cellclip.explore.ask`:
    against sets of as many control wells of the same plates, and against directions drawn from the spread of
    the background prompts. q is over the terms. Plate maps decide nothing but which wells are controls, and
    the cell line.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    wells : sequence of str
        Ids of the selection; those without an embedding are left out.
    terms : {"mechanisms", "compounds", "genes"} or sequence of str
        The package's own table, or terms of one's own.
    fdr : float
        Accepted false-discovery rate.
    model : Model, optional
        The screen's own, if it is loaded already.
    seed : int
        Of what is drawn for the null.

    Returns
    -------
    Description

    Raises
    ------
    CellClipError
        If none of the wells has an embedding, or there are no terms.
    """
    require_embeddings(screen)
    model = texts_beside(screen, own_model(screen, model))
    known = embed_terms(screen, model, terms)
    tested = score_wells(screen, model, wells, known, seed=seed)
    table = pd.DataFrame(
        {
            "term": known.names,
            "score": tested.score,
            "cosine": tested.cosine,
            "p": tested.p,
            "q": benjamini_hochberg(tested.p),
            "in_vocabulary": known.in_vocabulary,
        }
    )
    order = np.lexsort((-tested.cosine, np.nan_to_num(tested.p, nan=2.0)))
    table = table.iloc[order].reset_index(drop=True)
    calibration = calibration_of(screen, model, cell_line=cell_line_of(screen), seed=seed)
    notes = list(calibration.scale.notes)
    if unknown := int((~known.in_vocabulary).sum()):
        notes.append(
            f"{unknown} of {len(known.names)} terms are not in the vocabulary of the model "
            f"{screen.card.name!r}: they are listed without p."
        )
    null = describe_null(screen, calibration, np.array([tested.smallest_p]), single_text=True)
    return Description(table, Verdict.of(table["q"].to_numpy(), fdr), fdr, null, tuple(notes))


def score_wells(
    screen: Screen, model: Model, wells: Sequence[str], terms: TermDirections, *, seed: int = 0
) -> SelectionScores:
    """Test terms on a selection of wells; those out of the model's vocabulary get no p.

    Raises
    ------
    CellClipError
        If none of the wells has an embedding.
    """
    ids = np.asarray(screen.well_ids, object)[embedded(screen)]
    rows = np.flatnonzero(np.isin(ids, list(wells)))
    if not len(rows):
        raise CellClipError("none of the selected wells has an embedding: select others")
    calibration = calibration_of(screen, model, cell_line=cell_line_of(screen), seed=seed)
    tested = calibration.score_selection(rows, terms.vectors)
    return replace(tested, p=np.where(terms.in_vocabulary, tested.p, np.nan))


def annotate_all(
    screen: Screen,
    terms: TermList | Sequence[str] = "mechanisms",
    *,
    fdr: float = FDR,
    model: Model | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Name the best term of every treatment and dose, with its confidence.

    Parameters
    ----------
    screen, terms, model, seed
        As for :func:`describe`.
    fdr : float
        Accepted false-discovery rate: terms beyond it are left empty.

    Returns
    -------
    DataFrame
        One row for each treatment and dose, in the order of the plate: ``treatment``, ``dose``, ``n_wells``,
        ``n_plates``, ``term`` (empty if none is significant), ``best`` (the best term all the same),
        ``score``, ``cosine``, ``p`` (of the best term), ``q`` (over terms, by Simes, and treatments, by
        Benjamini-Hochberg), ``runner_up`` and its ``runner_up_p``; the index tells the wells.
    """
    require_embeddings(screen)
    model = texts_beside(screen, own_model(screen, model))
    known = embed_terms(screen, model, terms)
    calibration = calibration_of(screen, model, cell_line=cell_line_of(screen), seed=seed)
    groups = calibration.replicates
    usable = np.flatnonzero(known.in_vocabulary)
    if not len(usable):
        raise CellClipError(
            f"none of these terms is in the vocabulary of the model {screen.card.name!r}: choose others"
        )
    found = [calibration.score(known.vectors[i]) for i in usable]
    p = np.stack([scores.p for scores in found])
    p_after_filter = np.stack([scores.p_after_filter for scores in found])
    score = np.stack([scores.treatment_score for scores in found])
    cosine = np.stack([calibration.near(scores.cosine) for scores in found])
    order = np.lexsort((-cosine, np.nan_to_num(p, nan=2.0)), axis=0)
    names = np.asarray(known.names, object)[usable]
    every = np.arange(len(groups))
    best = order[0]
    second = order[min(1, len(usable) - 1)]
    q = q_values(simes(p_after_filter), calibration.left_out)
    return (
        groups.table[["treatment", "dose", "n_wells", "n_plates"]]
        .assign(
            term=np.where(q <= fdr, names[best], ""),
            best=names[best],
            score=score[best, every],
            cosine=cosine[best, every],
            p=p[best, every],
            q=q,
            runner_up=names[second],
            runner_up_p=p[second, every],
        )
        .set_axis(calibration.treatment_ids)
    )


def embed_terms(screen: Screen, model: Model, terms: TermList | Sequence[str]) -> TermDirections:
    """Word and embed terms for the cell line of the screen, without help of the plate map.

    Raises
    ------
    CellClipError
        If there are none, or no list of terms goes by that name.
    """
    texts = tuple(_texts(terms))
    cell_line = cell_line_of(screen)
    vocabulary = ModelVocabulary.of_card(model.card)
    key = (model.card.card_hash, screen.card.prompts, vocabulary, cell_line, texts)
    with _lock:
        found = _embedded_terms.get(key)
    if found is None:
        found = _embed(texts, screen, model, cell_line, vocabulary)
        with _lock:
            _embedded_terms[key] = found
    return found


def _embed(
    texts: Sequence[tuple[str, str]],
    screen: Screen,
    model: Model,
    cell_line: str,
    vocabulary: ModelVocabulary | None,
) -> TermDirections:
    names, vectors, in_vocabulary = [], [], []
    for name, text in texts:
        wording = read_text(text, templates=screen.card.prompts, cell_line=cell_line, vocabulary=vocabulary)
        sent = [prompt for prompt in wording.prompts if prompt.on and prompt.weight]
        if not sent:
            continue
        names.append(name)
        vectors.append(direction(model, [p.text for p in sent], [p.weight for p in sent]))
        in_vocabulary.append(wording.in_vocabulary)
    if not names:
        raise CellClipError("there are no terms to describe wells by: give at least one")
    return TermDirections(tuple(names), np.stack(vectors), np.asarray(in_vocabulary, bool))


def _texts(terms: TermList | Sequence[str]) -> list[tuple[str, str]]:
    """Terms as they are shown and as they are asked."""
    if not isinstance(terms, str):
        return [(text, text) for text in dict.fromkeys(" ".join(t.split()) for t in terms) if text]
    if terms == "mechanisms":
        return [(found.name, found.name) for found in annotated_mechanisms()]
    if terms == "compounds":
        return [(name, name) for name in dict.fromkeys(found.name for found in known_compounds())]
    if terms == "genes":
        genes = dict.fromkeys(gene for found in annotated_mechanisms() for gene in found.knockouts)
        return [(gene, f"{gene} knockout") for gene in genes]
    raise CellClipError(
        f"no list of terms is called {terms!r}: use {', '.join(get_args(TermList))}, or give a list"
    )
