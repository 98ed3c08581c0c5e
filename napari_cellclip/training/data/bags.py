"""Bags: what a CellCLIP head learns from, with the captions each may be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.training.data.stored_features import StoredFeatures
from napari_cellclip.vocabulary import Control, Perturbation

if TYPE_CHECKING:
    import torch

Features = NDArray[np.floating] | StoredFeatures
"""In memory, or on disk until they are drawn."""
Tokenise = Callable[[Sequence[str]], "Mapping[str, torch.Tensor]"]
"""Texts to ``input_ids`` and ``attention_mask``, int64 ``[n, length]`` each."""

NEGATIVE_CONTROL = "negative control"
"""Group of vehicle, non-targeting and untreated wells."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One wording of what was done to a well, and how often it is drawn relative to the others.

    `mechanism` tells wordings that name nothing but a mechanism of action.
    """

    text: str
    odds: float = 1.0
    mechanism: bool = False


@dataclass(frozen=True, slots=True)
class Bag:
    """One well as the head sees it.

    Attributes
    ----------
    features : ndarray of float16 or float32, shape (fields, 5, D), or StoredFeatures
        Frozen channel-encoder features, stains in the order of the model card; of screens in half precision,
        as they are stored.
    captions : tuple of Caption
        One is drawn each time the well is used.
    group : str
        Wells of one group show the same perturbation and are never each other's negatives.
    weight : float
        How often the well is drawn relative to the others; 0 leaves it out.
    name : str
        Id of the well (or of the bag), for messages and splits.
    treatment : str
        What was done, under its one name, whatever the groups are made by; empty: the group's name.
    """

    features: Features
    captions: tuple[Caption, ...]
    group: str
    weight: float = 1.0
    name: str = ""
    treatment: str = ""


def group_of(perturbation: Perturbation, group_by: str = "treatment", treatment: str = "") -> str:
    """Name under which wells count as the same perturbation; dose plays no part in it.

    `treatment` is the one name of a treatment that goes by several (see `screen_bags.treatment_names`); where
    not given, the plate map's name counts as it is.
    """
    if perturbation.is_negative_control or perturbation.control is Control.EMPTY:
        return NEGATIVE_CONTROL
    if group_by == "mechanism" and perturbation.mechanism:
        return perturbation.mechanism
    return (
        treatment
        or f"{perturbation.kind}:{perturbation.name or perturbation.smiles or '|'.join(perturbation.genes)}"
    )


def pad(features: Sequence[Features]) -> NDArray[np.float32]:
    """Stack bags of different sizes to ``[B, M, 5, D]``, filled up with zeros (which pooling ignores)."""
    size = max(f.shape[0] for f in features)
    out = np.zeros((len(features), size, *features[0].shape[1:]), np.float32)
    for row, bag in zip(out, features, strict=True):
        row[: bag.shape[0]] = np.asarray(bag)
    return out
