"""Bags of simulated wells: what the bundled model's head learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.model import PromptTemplates
from napari_cellclip.training.data.bags import Bag, Caption
from napari_cellclip.training.demo.demo_captions import control_captions, treatment_captions
from napari_cellclip.vocabulary import Control, Kind, Perturbation
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

LEAST_EFFECT = 0.25
"""Wells simulated below this effect look like controls; no caption is learnt from them."""

INACTIVE = "inactive"
"""Group of negative controls and inert compounds."""


def well_bags(sites: pd.DataFrame, features: NDArray[np.float32], templates: PromptTemplates) -> list[Bag]:
    """Make the bags of one simulated plate.

    Parameters
    ----------
    sites : DataFrame
        One row per field with the columns of a simulated plate map.
    features : ndarray of float32, shape (fields, 5, D)
        Features of these fields.
    templates : PromptTemplates
        The model card's.

    Returns
    -------
    list of Bag
        One a well; weights grow with the simulated effect and are 0 below a quarter of the full one.
    """
    mechanisms = {mechanism.name: mechanism for mechanism in MECHANISMS}
    bags = []
    for _, rows in sites.reset_index(drop=True).groupby("well", sort=True):
        first = rows.iloc[0]
        perturbation = perturbation_of(first)
        mechanism = mechanisms.get(str(first["mechanism"]))
        captions: tuple[Caption, ...]
        if perturbation.is_negative_control:
            captions, group, weight = control_captions(perturbation, templates), INACTIVE, 1.0
        elif mechanism is None:
            captions, group, weight = treatment_captions(perturbation, None, templates), INACTIVE, 1.0
        else:
            effect = float(first["effect"])
            weight = effect if effect >= LEAST_EFFECT else 0.0
            captions, group = treatment_captions(perturbation, mechanism, templates), mechanism.key
        bags.append(Bag(features[rows.index], captions, group, weight))
    return bags


def tile_bags(
    sites: pd.DataFrame,
    fields: NDArray[np.float32],
    tiles: NDArray[np.float32],
    templates: PromptTemplates,
    odds: float,
) -> list[Bag]:
    """Make bags of tiles of one simulated plate, so that a head can also embed a small place.

    Tiles are moved by the difference between the plate's mean control field and its mean control tile, as
    heat maps move them (:mod:`napari_cellclip.explore.explanation.tile_scores`).

    Parameters
    ----------
    sites : DataFrame
        One row per field with the columns of a simulated plate map.
    fields : ndarray of float32, shape (fields, 5, D)
        Features of these fields.
    tiles : ndarray of float32, shape (fields, tiles, 5, D)
        Features of their tiles.
    templates : PromptTemplates
        The model card's.
    odds : float
        How often a bag of tiles is drawn relative to the same well's bag of fields.

    Returns
    -------
    list of Bag
        One a well.
    """
    control = (sites["control_type"] == "negcon").to_numpy()
    move = fields[control].mean(0, dtype=np.float64) - tiles[control].mean((0, 1), dtype=np.float64)
    moved = (tiles + move.astype(np.float32)).reshape(-1, *tiles.shape[2:])
    rows = sites.loc[sites.index.repeat(tiles.shape[1])]
    return [replace(bag, weight=odds * bag.weight) for bag in well_bags(rows, moved, templates)]


def balanced(bags: Sequence[Bag], *, inactive_share: float = 2.0) -> list[Bag]:
    """Give every mechanism the same total weight, inactive wells `inactive_share` times as much."""
    totals = pd.Series([bag.weight for bag in bags]).groupby([bag.group for bag in bags]).sum()
    return [
        replace(
            bag, weight=bag.weight * (inactive_share if bag.group == INACTIVE else 1.0) / totals[bag.group]
        )
        for bag in bags
        if totals[bag.group] > 0
    ]


def shuffle_captions(bags: Sequence[Bag], seed: int) -> list[Bag]:
    """Hand every bag the captions (and group) of another one: what is learnt from this is nothing."""
    order = np.random.default_rng(seed).permutation(len(bags))
    return [
        replace(bag, captions=bags[other].captions, group=bags[other].group)
        for bag, other in zip(bags, order, strict=True)
    ]


def perturbation_of(row: pd.Series[object]) -> Perturbation:
    """Read the perturbation that a row of a simulated plate map names."""
    control = str(row["control_type"])
    return Perturbation(
        Kind(str(row["kind"])),
        str(row["treatment"]),
        smiles=str(row["smiles"]),
        genes=tuple(gene for gene in str(row["genes"]).split("|") if gene),
        mechanism=str(row["mechanism"]),
        control=Control(control) if control in set(Control) else None,
    )
