"""Fit a CellCLIP head on measured profiles in closed form: kernel ridge regression to vectors of words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellclip.model.model import Model
from napari_cellclip.model.network.cellclip import CellCLIP
from napari_cellclip.model.network.prototype_tower import PrototypeTower
from napari_cellclip.model.prototypes.profile_sets import ProfileSet
from napari_cellclip.model.prototypes.sphering import Sphering
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import STAINS, ModelError, Stain

FEWEST_FEATURES = 30
"""Features that a table and a set of labelled profiles must share for the set to be of use."""


@dataclass(frozen=True)
class FitSettings:
    """Settings of the regression; chosen on CPJUMP1, see docs/cpjump1.md for how little they matter.

    Attributes
    ----------
    sharpness : float
        Of the kernel ``exp(sharpness * (cosine - 1))``.
    ridge : float
        Added to its diagonal.
    strength : float
        Constant last number of each well's embedding, in units of the median length of the rest over the
        profiles that were fitted. At 0 a well that resembles nothing has as long an embedding as any.
    """

    sharpness: float = 3.0
    ridge: float = 1.0
    strength: float = 2.0


@dataclass(frozen=True, eq=False)
class _Group:
    """One set of profiles on the features it shares with a table."""

    shared: tuple[str, ...]
    matrix: NDArray[np.float64]
    prototypes: NDArray[np.float64]
    values: NDArray[np.float64]
    at_rest: NDArray[np.float64]
    lengths: NDArray[np.float64]


def fit_prototypes(
    sets: Sequence[ProfileSet],
    rows: Mapping[Stain, Sequence[str]],
    text: CellCLIP,
    vectors: Mapping[str, NDArray[np.floating]],
    settings: FitSettings | None = None,
) -> CellCLIP:
    """Fit an image tower to labelled profiles, on the features that a table has.

    Each set is sphered on its own negative controls, on those of its features that the table measures too;
    kernel ridge regression then leads from the profile of a treatment to the mean vector of its labels.
    Features that a table lacks are left out of the regression, not guessed.

    Parameters
    ----------
    sets : sequence of ProfileSet
        Those that share fewer than `FEWEST_FEATURES` with the table are left out.
    rows : mapping of Stain to sequence of str
        Features in each stain's row of the table, as ``features.json`` lists them.
    text : CellCLIP
        Whose text tower and projection are taken over.
    vectors : mapping of str to ndarray (E,)
        Of every label, as `text` embeds it; their last number is 0.
    settings : FitSettings, optional

    Returns
    -------
    CellCLIP

    Raises
    ------
    ModelError
        If no set shares enough features with the table.
    """
    settings = settings or FitSettings()
    places: dict[str, list[tuple[int, int]]] = {}
    for row, stain in enumerate(STAINS):
        for column, name in enumerate(rows[stain]):
            places.setdefault(name, []).append((row, column))
    used = [found for found in sets if _shared(found, places) >= FEWEST_FEATURES]
    if not used:
        most = max((_shared(found, places) for found in sets), default=0)
        raise ModelError(
            f"only {most} of the table's {len(places)} features are known to this head, {FEWEST_FEATURES} are"
            " needed: they should be CellProfiler's, such as Cells_Texture_Contrast_ER_3_00_256"
        )
    groups = [_fit_group(found, places, vectors, settings) for found in used]
    embed_dim = groups[0].values.shape[1]
    width = max(len(rows[stain]) for stain in STAINS)
    config = replace(
        text.config,
        width=sum(len(group.shared) for group in groups),
        embed_dim=embed_dim,
        layers=1,
        stains=len(STAINS),
        pool_hidden=1,
        bias=False,
        image_tower="prototypes",
        features=width,
        prototypes=tuple((len(group.shared), len(group.prototypes)) for group in groups),
    )
    network = CellCLIP(config, pooling="mean")
    network.text, network.text_proj = text.text, text.text_proj
    tower, projection = network.visual, network.projection
    assert isinstance(tower, PrototypeTower)
    assert projection is not None
    weight = np.zeros((len(STAINS), width, config.width))
    start = 0
    for group in groups:
        stop = start + len(group.shared)
        for name, line in zip(group.shared, group.matrix, strict=True):
            for row, column in places[name]:
                weight[row, column, start:stop] = line / len(places[name])
        start = stop
    offset = -np.sum([group.at_rest for group in groups], axis=0)
    offset[-1] = settings.strength * float(np.median(np.concatenate([group.lengths for group in groups])))
    with torch.no_grad():
        for parameter in network.image_pool.parameters():  # profiles are averaged; the gate is never used
            parameter.zero_()
        projection.weight.copy_(torch.from_numpy(weight))
        tower.offset.copy_(torch.from_numpy(offset))
        tower.sharpness.fill_(settings.sharpness)
        for group, prototypes, values in zip(groups, tower.prototypes, tower.values, strict=True):
            prototypes.copy_(torch.from_numpy(group.prototypes))
            values.copy_(torch.from_numpy(group.values))
    return network.eval()


def rows_of(features: str) -> dict[Stain, tuple[str, ...]]:
    """Features in each stain's row, from the text of a ``features.json``.

    Raises
    ------
    ModelError
        If it does not list them.
    """
    try:
        stains = json.loads(features)["stains"]
        return {stain: tuple(map(str, stains[str(stain)])) for stain in STAINS}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError("the list of features does not say which stain has which: import again") from error


def label_vectors(model: Model, sets: Sequence[ProfileSet]) -> dict[str, NDArray[np.float64]]:
    """Unit vectors (E,) of all labels of sets, as a model's text tower reads them."""
    phrases = list(dict.fromkeys(phrase for found in sets for phrase in found.phrases))
    prompts = [model.card.prompts.for_mechanism(phrase) for phrase in phrases]
    return dict(zip(phrases, unit_rows(model.embed_texts(prompts), np.float64), strict=True))


def _shared(found: ProfileSet, places: Mapping[str, object]) -> int:
    return sum(name in places for name in found.features)


def _fit_group(
    found: ProfileSet,
    places: Mapping[str, object],
    vectors: Mapping[str, NDArray[np.floating]],
    settings: FitSettings,
) -> _Group:
    columns = [i for i, name in enumerate(found.features) if name in places]
    matrix = Sphering.fit(found.controls[:, columns]).matrix
    prototypes = unit_rows(found.profiles[:, columns] @ matrix, np.float64)
    means = np.stack([np.mean([vectors[one] for one in labels], axis=0) for labels in found.labels])
    targets = unit_rows(means, np.float64)
    kernel = np.exp(settings.sharpness * (prototypes @ prototypes.T - 1))
    centred = targets - targets.mean(axis=0)
    values = np.linalg.solve(kernel + settings.ridge * np.eye(len(kernel)), centred) * found.weight
    controls = unit_rows(found.controls[:, columns] @ matrix, np.float64)
    at_rest = (np.exp(settings.sharpness * (controls @ prototypes.T - 1)) @ values).mean(axis=0)
    lengths = np.linalg.norm(kernel @ values - at_rest, axis=1)
    return _Group(tuple(found.features[i] for i in columns), matrix, prototypes, values, at_rest, lengths)
