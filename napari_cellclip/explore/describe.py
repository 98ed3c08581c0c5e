"""The other way round: which words fit these wells."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.answer import JOIN
from napari_cellclip.explore.calibration.calibration import calibration_of, embedded
from napari_cellclip.explore.calibration.null import benjamini_hochberg
from napari_cellclip.explore.calibration.verdict import null_of
from napari_cellclip.explore.query import FDR, own_model, require_embeddings
from napari_cellclip.explore.wording.direction import direction
from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.reader import read_text
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotations import known_compounds, references

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

TermList = Literal["mechanisms", "compounds", "genes"]

NOTHING = "Nothing stands out"


@dataclass(frozen=True)
class Description:
    """Terms that fit a selection of wells.

    Attributes
    ----------
    table : DataFrame
        Best first: ``term``, ``score`` (mean standard score of the wells against their plates' controls),
        ``cosine``, ``p``, ``q`` (NaN for terms that are not in the model's vocabulary) and ``in_vocabulary``.
    verdict : str
        In words; ``"Nothing stands out"`` where no term is left at the accepted rate.
    fdr : float
        The false-discovery rate that was accepted.
    null : dict
        What p was taken against; see :class:`napari_cellclip.explore.Answer`.
    notes : tuple of str
        What limits it, in sentences.
    """

    table: pd.DataFrame
    verdict: str
    fdr: float
    null: dict[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def standing_out(self) -> pd.DataFrame:
        """Rows of `table` at the accepted rate."""
        return self.table[(self.table["q"] <= self.fdr).to_numpy(bool)]


@dataclass(frozen=True)
class TermDirections:
    """A list of terms as directions of a model's space.

    Attributes
    ----------
    names : tuple of str
        As they are shown.
    vectors : ndarray of float32 (V, E)
        Of length 1.
    in_vocabulary : ndarray of bool (V,)
        Whether the model's vocabulary has them; true where its card does not say.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    in_vocabulary: NDArray[np.bool_]


_KEPT: weakref.WeakKeyDictionary[Any, dict[Any, TermDirections]] = weakref.WeakKeyDictionary()
"""Lists of terms read and embedded before, by model."""


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

    The wells are judged together, as replicates of one treatment are by :func:`napari_cellclip.explore.ask`:
    against sets of as many control wells of the same plates, and against directions drawn from the spread of
    the background prompts. q is over the terms. Plate maps decide nothing but which wells are controls.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    wells : sequence of str
        Ids of the selection; those without an embedding are left out.
    terms : {"mechanisms", "compounds", "genes"} or sequence of str
        The package's own table, or terms of one's own.
    fdr : float
        Accepted share of false discoveries.
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
        If none of the wells has an embedding, or the list of terms is empty or unknown.
    """
    require_embeddings(screen)
    model = own_model(screen, model)
    there = embedded(screen)
    ids = np.asarray(screen.well_ids, object)[there]
    rows = np.flatnonzero(np.isin(ids, list(wells)))
    if not len(rows):
        raise CellClipError("none of the selected wells has an embedding: select others")
    directions = embed_terms(screen, model, terms)
    calibration = calibration_of(screen, model, seed=seed)
    cosine, score, p = calibration.judge_together(rows, directions.vectors)
    p = np.where(directions.in_vocabulary, p, np.nan)
    table = pd.DataFrame(
        {
            "term": directions.names,
            "score": score,
            "cosine": cosine,
            "p": p,
            "q": benjamini_hochberg(p),
            "in_vocabulary": directions.in_vocabulary,
        }
    )
    order = np.lexsort((-cosine, np.nan_to_num(p, nan=2.0)))
    table = table.iloc[order].reset_index(drop=True)
    notes = list(calibration.scale.notes)
    if unknown := int((~directions.in_vocabulary).sum()):
        notes.append(
            f"{unknown} of {len(directions.names)} terms are not in the vocabulary of the model "
            f"{screen.card.name!r}: they are listed without p."
        )
    return Description(table, _verdict(table, fdr), fdr, null_of(screen, calibration, ()), tuple(notes))


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
        Accepted share of false discoveries: terms beyond it are left empty.

    Returns
    -------
    DataFrame
        One row for each treatment and dose, in the order of the plate: ``treatment``, ``dose``, ``n_wells``,
        ``n_plates``, ``term`` (empty where nothing stands out), ``best`` (the best term all the same),
        ``score``, ``cosine``, ``p`` (of the best term), ``q`` (over terms, by Simes, and treatments, by
        Benjamini-Hochberg), ``runner_up`` and its ``runner_up_p``; the index tells the wells.
    """
    require_embeddings(screen)
    model = own_model(screen, model)
    directions = embed_terms(screen, model, terms)
    calibration = calibration_of(screen, model, seed=seed)
    blocks = calibration.blocks
    known = np.flatnonzero(directions.in_vocabulary)
    if not len(known):
        raise CellClipError(
            f"none of these terms is in the vocabulary of the model {screen.card.name!r}: choose others"
        )
    judged = [calibration.judge(directions.vectors[i]) for i in known]
    p = np.stack([found.p for found in judged]).reshape(len(known), len(blocks))
    cosine = np.stack([calibration.points @ directions.vectors[i] for i in known]).reshape(p.shape)
    score = np.stack([found.block_score for found in judged]).reshape(p.shape)
    order = np.lexsort((-cosine, np.nan_to_num(p, nan=2.0)), axis=0)
    names = np.asarray(directions.names, object)[known]
    every = np.arange(len(blocks))
    best = order[0]
    second = order[min(1, len(known) - 1)]
    overall = np.array([_simes(column) for column in p.T]) if len(blocks) else np.zeros(0)
    q = benjamini_hochberg(np.where(calibration.active, overall, np.nan))
    q[np.isfinite(overall) & ~calibration.active] = 1.0
    ids = np.asarray(screen.well_ids, object)[embedded(screen)][blocks.rows]
    wells = [JOIN.join(ids[a:b]) for a, b in zip(blocks.starts[:-1], blocks.starts[1:], strict=True)]
    return (
        blocks.table[["treatment", "dose", "n_wells", "n_plates"]]
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
        .set_axis(pd.Index(wells, name="wells"))
    )


def embed_terms(screen: Screen, model: Model, terms: TermList | Sequence[str]) -> TermDirections:
    """Read and embed a list of terms, without help of the plate map.

    Raises
    ------
    CellClipError
        If it is empty, or no list goes by that name.
    """
    texts = tuple(_texts(terms))
    kept = _KEPT.setdefault(model, {})
    key = (texts, screen.card.prompts)
    if key not in kept:
        kept[key] = _embed(texts, screen, model)
    return kept[key]


def _embed(texts: Sequence[tuple[str, str]], screen: Screen, model: Model) -> TermDirections:
    vocabulary = ModelVocabulary.of_card(model.card)
    names, vectors, in_vocabulary = [], [], []
    for name, text in texts:
        wording = read_text(text, templates=screen.card.prompts, vocabulary=vocabulary)
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
        return [(found.name, found.name) for found in references()]
    if terms == "compounds":
        return [(name, name) for name in dict.fromkeys(found.name for found in known_compounds())]
    if terms == "genes":
        genes = dict.fromkeys(gene for found in references() for gene in found.knockouts)
        return [(gene, f"{gene} knockout") for gene in genes]
    raise CellClipError(
        f"no list of terms is called {terms!r}: use {', '.join(get_args(TermList))}, or give a list"
    )


def _verdict(table: pd.DataFrame, fdr: float) -> str:
    if not table["p"].notna().any():
        return "Not calibrated"
    found = table[(table["q"] <= fdr).to_numpy(bool)]
    if not len(found):
        return NOTHING
    first = str(found["term"].iloc[0])
    more = "" if len(found) == 1 else f" and {len(found) - 1} more"
    return f"{first}{more} (q < {fdr:g})"


def _simes(p: NDArray[np.float64]) -> float:
    """One p for several (Simes 1986)."""
    known = np.sort(p[np.isfinite(p)])
    return float((known * len(known) / np.arange(1, len(known) + 1)).min()) if len(known) else float("nan")
