"""Bags: the wells a CellCLIP head learns from, with the captions each may be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model import PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError, Control, Kind, Perturbation

if TYPE_CHECKING:
    import torch

Tokenise = Callable[[Sequence[str]], "Mapping[str, torch.Tensor]"]
"""Texts to ``input_ids`` and ``attention_mask``, int64 ``[n, length]`` each."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One wording of what was done to a well, and how often it is drawn relative to the others."""

    text: str
    odds: float = 1.0


@dataclass(frozen=True, slots=True)
class Bag:
    """One well as the head sees it.

    Attributes
    ----------
    features : ndarray of float32, shape (fields, 5, D)
        Frozen channel-encoder features, stains in the order of the model card.
    captions : tuple of Caption
        One is drawn each time the well is used.
    group : str
        Wells of one group show the same perturbation and are never each other's negatives.
    weight : float
        How often the well is drawn relative to the others; 0 leaves it out.
    name : str
        Id of the well (or of the bag), for messages and splits.
    """

    features: NDArray[np.float32]
    captions: tuple[Caption, ...]
    group: str
    weight: float = 1.0
    name: str = ""


def bags_of(
    screens: Iterable[Screen],
    templates: PromptTemplates,
    *,
    cell_line: str = "U2OS",
    group_by: str = "treatment",
) -> list[Bag]:
    """Make bags from encoded screens and their plate maps.

    Empty wells and wells without a named perturbation are left out.

    Parameters
    ----------
    screens : iterable of Screen
        Encoded with one and the same channel encoder.
    templates : PromptTemplates
        Wording of the captions, from the model card.
    cell_line : str
        Used where the plate map names none.
    group_by : {"treatment", "mechanism"}
        What makes two wells the same perturbation; wells without a mechanism fall back to their treatment.

    Returns
    -------
    list of Bag

    Raises
    ------
    CellClipError
        If no well has both features and a caption, or screens differ in their encoder.
    """
    bags: list[Bag] = []
    hashes: set[str] = set()
    for screen in screens:
        hashes.add(screen.card.encoder_hash)
        if len(hashes) > 1:
            raise CellClipError(
                f"screen {screen.name} was encoded with another channel encoder than the first: encode all"
                " screens with the same model before training on them"
            )
        sites = screen.fields
        for well in screen.well_ids:
            perturbation = screen.perturbation(well)
            text = caption_of(perturbation, templates, cell_line)
            ids = list(sites.index[sites["Metadata_Well_id"] == well]) if text else []
            if ids:
                bags.append(Bag(screen.features(ids), (Caption(text),), group_of(perturbation, group_by)))
    if not bags:
        raise CellClipError(
            "no well of these screens has both features and a named perturbation: add a plate map"
        )
    return bags


def caption_of(perturbation: Perturbation, templates: PromptTemplates, cell_line: str) -> str:
    """Caption of a well in the model card's words; empty where the plate map does not say what was done."""
    if perturbation.control is Control.EMPTY or perturbation.kind is Kind.UNKNOWN:
        return ""
    if not (perturbation.name or perturbation.smiles or perturbation.genes or perturbation.control):
        return ""
    return templates.for_perturbation(perturbation, perturbation.cell_line or cell_line)


def group_of(perturbation: Perturbation, group_by: str = "treatment") -> str:
    """Name under which wells count as the same perturbation; dose plays no part in it."""
    if perturbation.is_negative_control:
        return "negative control"
    if group_by == "mechanism" and perturbation.mechanism:
        return perturbation.mechanism
    return f"{perturbation.kind}:{perturbation.name or perturbation.smiles or '|'.join(perturbation.genes)}"


def pad(features: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Stack bags of different sizes to ``[B, M, 5, D]``, filled up with zeros (which pooling ignores)."""
    size = max(f.shape[0] for f in features)
    out = np.zeros((len(features), size, *features[0].shape[1:]), np.float32)
    for row, bag in zip(out, features, strict=True):
        row[: bag.shape[0]] = bag
    return out
