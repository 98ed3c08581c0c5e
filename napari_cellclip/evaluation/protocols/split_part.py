"""Choose the wells to evaluate: the part of a split that a model was not trained on."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.evaluation.protocols.embeddings import EmbeddingTable
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

FRACTIONS = (0.7, 0.1, 0.2)


def part_of_split(
    table: EmbeddingTable, split: str, *, part: str = "test", seed: int = 0
) -> tuple[NDArray[np.bool_], str]:
    """Rows of a part of a split, and how to call them.

    Parameters
    ----------
    table : EmbeddingTable
        Wells that the split divides: all those that were trained on, too.
    split : str
        ``compound``, ``scaffold`` or ``plate`` (70/10/20, by
        :func:`napari_cellclip.training.data.splits.split_wells`); ``card`` for the split that the model
        card says
        it was trained with (of all wells of the screens, which must be those it was trained on); or a file
        with a well id on each line.
    part : {"train", "validation", "test"}
        Which part.
    seed : int
        Of the split; a card has its own.

    Returns
    -------
    rows : ndarray of bool (n,)
    name : str

    Raises
    ------
    CellClipError
        If there is no such split, or nothing in the part, or the card's split cannot be made again.
    """
    fractions, wells = FRACTIONS, table.wells
    digests: dict[str, str] | None = None
    if split == "card":
        training = table.screens[0].card.training if table.screens else {}
        chosen = training.get("split")
        if not chosen or chosen.get("by") not in ("compound", "scaffold", "plate"):
            raise CellClipError(
                "the model card names no split by compound, scaffold or plate: give --split one of them,"
                " or a file of well ids"
            )
        split, seed, fractions = (
            chosen["by"],
            chosen.get("seed", 0),
            chosen.get("fractions", FRACTIONS),
        )
        from napari_cellclip.training.data.splits import SPLIT_WELLS

        wells = pd.concat([screen.wells for screen in table.screens])  # those without an embedding, too
        digests = training.get(SPLIT_WELLS) or {}
    if split in ("compound", "scaffold", "plate"):
        from napari_cellclip.training.data.splits import split_wells

        by = cast(Literal["compound", "scaffold", "plate"], split)
        divided = split_wells(wells, by, fractions, seed)
        ids = divided.parts.get(part)
        if ids is None:
            raise CellClipError(f"{part!r} is no part of a split: use train, validation or test")
        if digests is not None and digests != divided.digests:
            raise CellClipError(
                f"the wells of {table.name} or their plate map differ from those the model was trained on (or"
                " its card does not record them), so that its split cannot be made again: give exactly the"
                " screens it was trained on, or a file of well ids it has not seen"
            )
        name = f"{part} part of a split by {split}, seed {seed}"
    else:
        path = from_home(split)
        if not path.is_file():
            raise CellClipError(
                f"{split!r} is no split: use compound, scaffold, plate, card or a file of well ids"
            )
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        ids = tuple(line.split(",")[0].strip() for line in lines if line.strip())
        name = f"wells of {path.name}"
    rows = np.asarray(table.wells.index.isin(pd.Index(ids)))
    if not rows.any():
        raise CellClipError(f"no well of {table.name} is in the {name}")
    return rows, name
