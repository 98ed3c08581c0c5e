"""Why a well matches: what each stain adds to its score, and how much each of its fields counts.

A well's value is its cosine with what was asked. A stain is taken away by putting the mean features of the
plate's negative controls in its place, in every field of the well; the exact Shapley values over all 32
subsets of the five stains then say what each stain adds (Shapley 1953; Lundberg and Lee 2017, arXiv
1705.07874). They add up to the well's cosine less that of a well in which every stain is the controls' mean.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.robust import Reference
from napari_cellclip.explore.explanation.contributions import StainContributions
from napari_cellclip.explore.explanation.shapley import shapley_values, subsets
from napari_cellclip.explore.wording.direction import cosines, direction
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.screen.progress import Progress, finished
from napari_cellclip.vocabulary import STAINS, CellClipError, ScreenError, split_id

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

Asked = NDArray[np.floating] | Sequence[str | Prompt]
"""A direction in the shared space, or the prompts whose mean it is."""

WELLS_KEPT = 1024
"""Wells whose subset embeddings are remembered for each model: 64 MB at an embedding of 512."""

SAME_COSINE = 1e-3
"""A well whose fields give another cosine than its stored embedding by more than this has changed since."""


def iter_stain_contributions(
    screen: Screen,
    wells: Iterable[str],
    asked: Asked,
    model: Model | None = None,
) -> Generator[Progress, None, StainContributions]:
    """Share the match of wells among the five stains; may be closed after any well.

    Embeddings of a well's 32 subsets are remembered for as long as the model lives, so another question about
    the same wells is answered at once.

    Parameters
    ----------
    screen : Screen
        With the features of these wells' fields.
    wells : iterable of str
        Ids. Those without an encoded field are left out, and counted in the notes.
    asked : ndarray (E,), or sequence of str or Prompt
        The direction that was asked for, or prompts; those that are off are not used.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.

    Yields
    ------
    Progress
        After each well; the published head takes seconds for one on a processor.

    Returns
    -------
    StainContributions

    Raises
    ------
    ScreenError
        If the screen has no such well, none of the wells has an encoded field, or the model is not the
        screen's.
    """
    if model is None:
        model = screen.model
    else:
        screen.require_model(model)
    unit = unit_direction(asked, model)
    chosen = list(dict.fromkeys(wells))
    sites = _sites_of(screen, chosen)
    there = [well for well in chosen if well in sites]
    if not there:
        raise ScreenError(
            f"there is nothing to explain in screen {screen.name}: none of these wells has an encoded field"
        )
    notes: list[str] = []
    absent: dict[str, NDArray[np.float32]] = {}
    values = np.empty((len(there), 1 << len(STAINS)))
    for i, well in enumerate(there):
        plate = split_id(well)[0]
        if plate not in absent:
            absent[plate], note = control_features(screen, plate)
            notes += note
        embedded = _subset_embeddings(model, screen.features(sites[well]), absent[plate])
        values[i] = embedded @ unit.astype(np.float64)
        yield Progress(i + 1, len(there), f"explaining {well}", well, stage="explanation")
    if left_out := len(chosen) - len(there):
        notes.append(f"{left_out} of {len(chosen)} wells have no encoded field and are left out.")
    stored = cosines(screen, unit)
    index = pd.Index(there, name="well_id")
    rows = screen.wells.index.get_indexer(index)
    if (changed := np.abs(stored[rows] - values[:, -1]) > SAME_COSINE).any():
        notes.append(
            f"{int(changed.sum())} wells have other fields now than when they were embedded "
            f"({there[int(changed.argmax())]} is the first): finish encoding the screen."
        )
    order = [model.card.stain_order.index(stain) for stain in STAINS]
    shares = shapley_values(values)[:, order]
    return StainContributions(
        cosine=pd.DataFrame(shares, index=index, columns=[str(stain) for stain in STAINS]),
        value=pd.Series(values[:, -1], index=index),
        baseline=pd.Series(values[:, 0], index=index),
        spread=pd.Series(_spreads(screen, stored)[rows], index=index),
        notes=tuple(dict.fromkeys(notes)),
    )


def stain_contributions(
    screen: Screen,
    wells: Iterable[str],
    asked: Asked,
    model: Model | None = None,
    *,
    standardised: bool = False,
) -> pd.DataFrame:
    """What each stain adds to the cosine of wells; parameters and errors as :func:`iter_stain_contributions`.

    Parameters
    ----------
    standardised : bool
        In units of the score of the table of hits instead of the cosine.

    Returns
    -------
    DataFrame
        One row per well, one column per stain.

    Examples
    --------
    >>> stain_contributions(screen, ["P1/B03"], answer.prompts)      # doctest: +SKIP
    """
    found = finished(iter_stain_contributions(screen, wells, asked, model))
    return found.score if standardised else found.cosine


def field_attention(screen: Screen, well: str, model: Model | None = None) -> pd.DataFrame:
    """How much each field of a well counts in its embedding, stain by stain.

    Parameters
    ----------
    screen : Screen
        With the features of this well's fields.
    well : str
        Id.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.

    Returns
    -------
    DataFrame
        One row per encoded field (index: site id), one column per stain in the order of ``STAINS``; each
        column adds up to 1, or to 0 where a stain is blank throughout. Without attention in the model all
        fields with that stain count alike.

    Raises
    ------
    ScreenError
        If the well has no encoded field.
    CellClipError
        If the model takes the median over fields, of which none has a share.
    """
    if model is None:
        model = screen.model
    else:
        screen.require_model(model)
    sites = _sites_of(screen, [well]).get(well)
    if not sites:
        raise ScreenError(f"well {well} has no encoded field: there is nothing to weigh")
    shares = model.pooling_weights(screen.features(sites))
    order = [model.card.stain_order.index(stain) for stain in STAINS]
    columns = [str(stain) for stain in STAINS]
    return pd.DataFrame(shares[:, order], index=pd.Index(sites, name="site_id"), columns=columns)


def control_features(screen: Screen, plate: str) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Mean features of a plate's negative controls, float32 (5, D), and a note where it has none.

    Raises
    ------
    ScreenError
        If the plate has no encoded field.
    """
    fields = screen.fields
    here = fields["Metadata_Plate"] == plate
    sites = fields.index[here & fields["Metadata_Well_id"].isin(screen.control_ids)].tolist()
    notes: tuple[str, ...] = ()
    if not sites:
        sites = fields.index[here].tolist()
        notes = (
            f"Plate {plate} has no encoded negative control: an absent stain is the mean of all its wells.",
        )
    if not sites:
        raise ScreenError(f"plate {plate} of screen {screen.name} has no encoded field to compare with")
    return screen.features(sites).mean(axis=0, dtype=np.float64).astype(np.float32), notes


def unit_direction(asked: Asked, model: Model) -> NDArray[np.float32]:
    """Vector of length 1, float32 (E,), of a direction or of prompts.

    Raises
    ------
    CellClipError
        If the vector has another length than the model's embeddings, or no direction, or no prompt is on.
    """
    if not isinstance(asked, np.ndarray):
        prompts = [Prompt(prompt) if isinstance(prompt, str) else prompt for prompt in asked]
        sent = [prompt for prompt in prompts if prompt.on]
        if not sent:
            raise CellClipError("there is nothing to explain: no prompt was sent")
        return direction(model, [prompt.text for prompt in sent], [prompt.weight for prompt in sent])
    length = float(np.linalg.norm(asked))
    if asked.shape != (model.card.embed_dim,) or not (np.isfinite(length) and length > 0):
        raise CellClipError(
            f"what was asked must be one vector of {model.card.embed_dim} numbers, got shape {asked.shape}"
        )
    return (asked / length).astype(np.float32)


def _sites_of(screen: Screen, wells: Sequence[str]) -> dict[str, list[str]]:
    """Encoded sites of each of these wells that has any."""
    unknown = [well for well in wells if well not in screen.wells.index]
    if unknown:
        raise ScreenError(f"screen {screen.name} has no well {unknown[0]!r}")
    fields = screen.fields
    mine = fields[fields["Metadata_Well_id"].isin(wells)]
    return {str(well): list(rows.index) for well, rows in mine.groupby("Metadata_Well_id", sort=False)}


def _spreads(screen: Screen, cosine: NDArray[np.float32]) -> NDArray[np.float64]:
    """By well: spread of the cosines of its plate's controls, of all its wells where they do not tell."""
    codes, names = screen.plate_codes
    known = np.isfinite(cosine)
    of_controls, of_all = (
        Reference.of(cosine[which], codes[which], len(names)).spread
        for which in (known & screen.negative_controls, known)
    )
    return np.where(np.isnan(of_controls), of_all, of_controls)[codes]


_kept: WeakKeyDictionary[Model, OrderedDict[bytes, NDArray[np.float32]]] = WeakKeyDictionary()
_lock = Lock()


def _subset_embeddings(
    model: Model, bag: NDArray[np.float32], absent: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Unit embeddings of a well with every subset of its stains, (32, E), remembered by content."""
    digest = hashlib.blake2b(np.ascontiguousarray(bag).data, digest_size=16)
    digest.update(np.ascontiguousarray(absent).data)
    key = digest.digest()
    with _lock:
        kept = _kept.setdefault(model, OrderedDict())
        if (known := kept.get(key)) is not None:
            kept.move_to_end(key)
            return known.astype(np.float64)
    present = subsets(bag.shape[1])
    embedded = model.embed_wells([np.where(row[None, :, None], bag, absent) for row in present])
    unit = embedded / np.linalg.norm(embedded, axis=1, keepdims=True)
    with _lock:
        kept[key] = unit
        while len(kept) > WELLS_KEPT:
            kept.popitem(last=False)
    return unit.astype(np.float64)
