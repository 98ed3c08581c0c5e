"""From scores to an answer: parts of a question put together, q, the verdict, and what limits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.answer import JOIN, Answer
from napari_cellclip.explore.calibration.calibration import Calibration, Judgement, embedded
from napari_cellclip.explore.wording.filters import Filters

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

VETO = 0.05
"""p at which a treatment is taken to answer what it must not."""

FEW_CONTROLS = 8
"""Negative controls below which a null made of them is coarse."""

NO_MATCH = "No confident match"


@dataclass(frozen=True)
class Part:
    """One direction of a question, or several of which the best counts.

    Attributes
    ----------
    vectors : tuple of ndarray of float32 (E,)
        Unit directions.
    weights : tuple of float
        Of the texts a direction is the sum of.
    role : {"sum", "and", "not"}
        What is asked; what wells must answer also; what they must not answer.
    """

    vectors: tuple[NDArray[np.float32], ...]
    weights: tuple[float, ...]
    role: Literal["sum", "and", "not"]


def conclude(
    screen: Screen,
    calibration: Calibration,
    parts: Sequence[Part],
    *,
    fdr: float,
    filters: Filters | None = None,
    examples: Sequence[str] = (),
    unknown: Sequence[str] = (),
    top: int | None = None,
) -> Answer:
    """Answer a question that is already put into directions; query, prompts and source are left empty.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    calibration : Calibration
        Of that screen.
    parts : sequence of Part
        At least one, the first being what is asked.
    fdr : float
        Accepted false-discovery rate.
    filters : Filters, optional
        Wells outside them are neither listed nor tested.
    examples : sequence of str
        Wells whose treatments are not tested.
    unknown : sequence of str
        Texts of the question that are not in the model's vocabulary.
    top : int, optional
        Keep only so many wells.
    """
    there = embedded(screen)
    wells = screen.wells[there]
    found = joined([_judged(calibration, part) for part in parts], parts)
    kept = filters.mask(wells) if filters is not None and filters else np.ones(len(wells), bool)
    blocks = calibration.blocks
    tested = np.ones(len(blocks), bool)
    if len(blocks):
        tested = np.logical_and.reduceat(kept[blocks.rows], blocks.starts[:-1])
        if examples:
            own = wells.index.isin(list(examples))
            tested &= ~np.logical_or.reduceat(own[blocks.rows], blocks.starts[:-1])
    p = np.where(tested, found.p, np.nan)
    if unknown:
        p = np.full(len(p), np.nan)
    q = calibration.q_values(p)
    well_q = np.full(len(wells), np.nan)
    if len(blocks):
        well_q[blocks.rows] = q[blocks.of_row]
    match, verdict = _verdict(q, blocks.table, fdr, unknown)
    notes = [*calibration.scale.notes, *_limits(screen, calibration, there, filters, kept, unknown)]
    if match is None and not unknown:
        notes.append(_why_not(calibration, tested))

    order = np.flatnonzero(kept)
    order = order[best_first(found.score[kept], found.cosine[kept])][:top]
    scores = pd.DataFrame(
        {
            "cosine": found.cosine[order],
            "score": found.score[order],
            "rank": np.arange(1, len(order) + 1),
            "z": found.z[order],
            "q": well_q[order],
        },
        index=wells.index[order],
    )
    return Answer(
        query="",
        prompts=(),
        source="",
        scores=scores,
        model=screen.card.name,
        notes=tuple(notes),
        match=match,
        treatments=screen.wells["Metadata_treatment"],
        verdict=verdict,
        fdr=fdr,
        treatments_table=_table(wells, calibration, found, p, q, tested),
        null=null_of(screen, calibration, parts),
    )


def _judged(calibration: Calibration, part: Part) -> Judgement:
    if len(part.vectors) > 1:
        return calibration.judge_best(np.stack(part.vectors))
    return calibration.judge(part.vectors[0], part.weights)


def joined(found: Sequence[Judgement], parts: Sequence[Part]) -> Judgement:
    """Put the parts of a question together.

    Wells must answer every part: the lowest score and the largest p count. Where they must not answer one,
    what they score there is taken off, and a treatment that answers it (p of 0.05 or less) cannot match.
    """
    total = found[0]
    for other, part in zip(found[1:], parts[1:], strict=True):
        if part.role == "not":
            total = Judgement(
                total.cosine - np.maximum(other.cosine, 0),
                total.score - np.maximum(other.score, 0),
                total.z - np.maximum(other.z, 0),
                total.block_score - np.maximum(other.block_score, 0),
                np.where(other.p <= VETO, 1.0, total.p),
                total.decoys,
            )
        else:
            total = Judgement(
                np.minimum(total.cosine, other.cosine),
                np.minimum(total.score, other.score),
                np.minimum(total.z, other.z),
                np.minimum(total.block_score, other.block_score),
                np.maximum(total.p, other.p),
                np.maximum(total.decoys, other.decoys),
            )
    return total


def best_first(z: NDArray[np.floating], cosine: NDArray[np.floating]) -> NDArray[np.intp]:
    """Order by score; wells without one come after those that have one, by cosine; ties as they stand."""
    order = np.argsort(-z)  # several times faster than a stable sort, and sorts NaN last
    known = z[order]
    if len(known) and (np.isnan(known[-1]) or (known[1:] == known[:-1]).any()):
        order = np.lexsort((-cosine, -np.nan_to_num(z, nan=-np.inf)))
    return order


def _verdict(
    q: NDArray[np.float64], table: pd.DataFrame, fdr: float, unknown: Sequence[str]
) -> tuple[bool | None, str]:
    if unknown:
        return False, NO_MATCH
    if not np.isfinite(q).any():
        return None, "Not calibrated"
    hit = q <= fdr
    if not hit.any():
        return False, NO_MATCH
    n_wells = int(table["n_wells"].to_numpy()[hit].sum())
    named = table["treatment"].to_numpy(object)[hit]
    n_treatments = len({name for name in named if name}) + int((named == "").sum())
    wells = "1 well" if n_wells == 1 else f"{n_wells} wells"
    if not all(named):
        return True, f"{wells} match{'es' if n_wells == 1 else ''} (q < {fdr:g})"
    of = "1 treatment" if n_treatments == 1 else f"{n_treatments} treatments"
    return True, f"{wells} of {of} match{'es' if n_wells == 1 else ''} (q < {fdr:g})"


def _limits(
    screen: Screen,
    calibration: Calibration,
    there: NDArray[np.bool_],
    filters: Filters | None,
    kept: NDArray[np.bool_],
    unknown: Sequence[str],
) -> list[str]:
    """Sentences on what limits an answer."""
    notes = []
    if unknown:
        words = ", ".join(repr(text if len(text) <= 60 else text[:57] + "…") for text in unknown)
        notes.append(
            f"Not in the vocabulary of the model {screen.card.name!r}: {words}. It was not trained on these "
            "words and can only guess from their letters, so no score counts as a match."
        )
    if filters is not None and filters:
        of = "1 well is" if kept.sum() == 1 else f"{int(kept.sum())} wells are"
        notes.append(f"Only wells {filters} were asked: {of} left.")
    if missing := int((~there).sum()):
        wells_are = "1 well has" if missing == 1 else f"{missing} wells have"
        notes.append(f"{wells_are} no embedding and cannot answer (see the failed sites).")
    if 0 < calibration.n_controls < FEW_CONTROLS:
        notes.append(
            f"There are {calibration.n_controls} negative controls in all: what they say about chance is "
            f"coarse, and {FEW_CONTROLS} or more would be better."
        )
    table = calibration.blocks.table
    if len(table) and calibration.blocks.named and int(table["n_wells"].max()) == 1:
        notes.append("No treatment has replicate wells: each well is judged alone.")
    elif len(table) and not calibration.blocks.named:
        notes.append("The plate map names no treatments: each well is judged alone.")
    if _at_the_side(screen):
        notes.append(
            "All negative controls stand in one or two columns: effects of the place on the plate cannot be "
            "told from effects of a treatment."
        )
    if screen.card.simulated:
        seen = f"The model {screen.card.name!r} has seen simulated cells only"
        notes.append(f"{seen}: on real images its answers mean nothing.")
    return notes


def _at_the_side(screen: Screen) -> bool:
    """Whether controls fill at most two columns of plates that use many more."""
    if "Metadata_Column" not in screen.wells or not screen.negative_controls.any():
        return False
    column = screen.wells["Metadata_Column"]
    return bool(column[screen.negative_controls].nunique() <= 2 and column.nunique() > 6)


def _why_not(calibration: Calibration, tested: NDArray[np.bool_]) -> str:
    if not len(calibration.blocks):
        return "Nothing could be calibrated: there are only control wells."
    if not tested.any():
        return "Nothing could be calibrated: no treatment is left to be tested."
    return (
        "Nothing could be calibrated: no plate with treatments has at least 4 negative controls to tell "
        "chance from; give a plate map that marks them."
    )


def _table(
    wells: pd.DataFrame,
    calibration: Calibration,
    found: Judgement,
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    tested: NDArray[np.bool_],
) -> pd.DataFrame:
    blocks = calibration.blocks
    ids = wells.index.to_numpy(object)[blocks.rows]
    ends = zip(blocks.starts[:-1], blocks.starts[1:], strict=True)
    names = [JOIN.join(ids[start:stop]) for start, stop in ends]
    table = blocks.table[["treatment", "dose", "n_wells", "n_plates"]].assign(
        score=found.block_score,
        p=p,
        q=q,
        smallest_p=calibration.smallest_p,
        active=calibration.active,
    )
    table.index = pd.Index(names, name="wells")
    order = np.lexsort((-np.nan_to_num(found.block_score, nan=-np.inf), np.nan_to_num(p, nan=2.0)))
    return table.iloc[order[tested[order]]]


def null_of(screen: Screen, calibration: Calibration, parts: Sequence[Part]) -> dict[str, Any]:
    """What p-values were taken against, so that every figure can be traced."""
    reference = calibration.reference
    referred = reference is not None and all(
        len(part.vectors) == 1 and part.weights == (1.0,) for part in parts
    )
    smallest = calibration.smallest_p
    least = smallest[np.isfinite(smallest)]
    kind = "sets of control wells, and directions drawn from the spread of background prompts"
    if calibration.by_example:
        kind = "sets of control wells, and directions drawn from the spread of the screen's treatments"
    return {
        "kind": kind + (", read off the model's reference" if referred else ""),
        "n": len(calibration.decoys.drawn),
        "control_wells": calibration.n_controls,
        "control_scores": int(calibration.null_sizes.max(initial=0)),
        "background": len(calibration.bank),
        "reference": reference.data if referred and reference is not None else "",
        "reference_pairs": reference.pairs if referred and reference is not None else 0,
        "tested": int((calibration.active & np.isfinite(smallest)).sum()),
        "seed": calibration.seed,
        "smallest_p": float(least.min()) if len(least) else float("nan"),
        "model": screen.card.name,
        "model_card": getattr(screen.card, "card_hash", ""),
    }
