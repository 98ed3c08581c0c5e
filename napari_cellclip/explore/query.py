"""Asking a screen in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.robust import score_plates
from napari_cellclip.vocabulary import CellClipError, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen


def ask(
    screen: Screen,
    text: str,
    *,
    prompts: Sequence[str] | None = None,
    model: Model | None = None,
    top: int | None = None,
) -> Answer:
    """Rank the wells of a screen by how well they fit a text.

    The text is worded by the model card's templates, embedded, and averaged on the unit sphere. A well's
    cosine with it is compared with those of the negative controls on the same plate. Of the plate map only
    the control type is used.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    text : str
        A mechanism, a compound, a gene or its knockout, a structure.
    prompts : sequence of str, optional
        Sent as they are instead of the templates' wording.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.
    top : int, optional
        Keep only so many wells, best first.

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
    >>> ask(screen, "tubulin inhibitor").top(5)   # doctest: +SKIP
    """
    sent = tuple(p for p in (prompts if prompts is not None else (text,)) if p.strip())
    if not sent:
        raise CellClipError("there is nothing to ask: write a few words")
    there = np.isfinite(screen.norms) & (screen.norms > 0)
    if not there.any():
        raise ScreenError(f"no well of screen {screen.name} has an embedding yet: encode it first")
    if model is None:
        model = screen.model
    else:
        screen.require_model(model)
    source = "as given"
    if prompts is None:
        sent = tuple(screen.card.prompts.for_query(text))
        source = f"templates of the model card {screen.card.name!r}"
    cosine = cosines(screen, direction(model, sent))[there]

    codes, names = screen.plate_codes
    scored = score_plates(cosine, codes[there], names, screen.negative_controls[there])
    notes = scored.notes
    if missing := int((~there).sum()):
        wells_are = "1 well has" if missing == 1 else f"{missing} wells have"
        notes = (*notes, f"{wells_are} no embedding and cannot answer (see the failed sites).")

    if screen.card.simulated:
        seen = f"The model {screen.card.name!r} has seen simulated cells only"
        notes = (*notes, f"{seen}: on real images its answers mean nothing.")

    order = best_first(scored.z, cosine)[:top]
    table = pd.DataFrame(
        {
            "cosine": cosine[order].astype(np.float64),
            "score": scored.z[order],
            "rank": np.arange(1, len(order) + 1),
        },
        index=screen.wells.index[np.flatnonzero(there)[order]],
    )
    return Answer(
        query=text,
        prompts=sent,
        source=source,
        scores=table,
        model=screen.card.name,
        notes=notes,
        treatments=screen.wells["Metadata_treatment"],
    )


def direction(model: Model, prompts: Sequence[str]) -> NDArray[np.float32]:
    """Mean of the prompts' embeddings on the unit sphere, float32 (E,) of length 1.

    Raises
    ------
    CellClipError
        If the prompts cancel each other out.
    """
    texts = model.embed_texts(list(prompts)).astype(np.float64)
    lengths = np.linalg.norm(texts, axis=1, keepdims=True)
    mean = (texts / np.where(lengths > 0, lengths, 1)).mean(axis=0)
    length = np.linalg.norm(mean)
    if not length > 1e-6:
        raise CellClipError(
            "these prompts point in opposite directions and leave nothing to ask: send fewer of them"
        )
    return (mean / length).astype(np.float32)


def best_first(z: NDArray[np.floating], cosine: NDArray[np.floating]) -> NDArray[np.intp]:
    """Order by score; wells without one come after those that have one, by cosine; ties as they stand."""
    order = np.argsort(-z)  # several times faster than a stable sort, and sorts NaN last
    known = z[order]
    if np.isnan(known[-1]) or (known[1:] == known[:-1]).any():
        order = np.lexsort((-cosine, -np.nan_to_num(z, nan=-np.inf)))
    return order


def cosines(screen: Screen, unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of every well with a vector of length 1, float32 (n_wells,); NaN where there is no embedding."""
    # Lengths are kept by the screen: dividing the products is far cheaper than dividing all embeddings.
    with np.errstate(invalid="ignore", divide="ignore"):
        return (screen.embeddings @ unit) / screen.norms
