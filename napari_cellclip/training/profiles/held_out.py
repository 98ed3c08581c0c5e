"""Ask a head for mechanisms of compounds that it was not fitted to: folds over compounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.model import Model
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.screen import Screen
from napari_cellclip.training.closed_form import fitted_model
from napari_cellclip.training.data.labelled_profiles import joined, profile_set
from napari_cellclip.training.data.platemap_captions import parts
from napari_cellclip.training.data.screen_bags import treatment_names
from napari_cellclip.training.data.splits import folds

LEAST = 3
"""Compounds that a mechanism must have to be asked for."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The questions of one fold.

    Attributes
    ----------
    seed, fold : int
    compounds : tuple of str
        The pool: held-out compounds with a known mechanism.
    mechanisms : tuple of str
        Asked for: carried by one of the pool, and by one that was fitted.
    scores : ndarray (q, n)
        Cosine of each compound with the words.
    right : ndarray of bool (q, n)
    """

    seed: int
    fold: int
    compounds: tuple[str, ...]
    mechanisms: tuple[str, ...]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]


def iter_held_out(
    screens: Sequence[Screen], donor: Model, *, seeds: Sequence[int] = (0, 1, 2), n: int = 5
) -> Iterator[Asked]:
    """Fit to four fifths of the compounds and ask for the others, fold by fold.

    Parameters
    ----------
    screens : sequence of Screen
        Plates of one assay and one feature set; folds and questions are of the first. All wells of a held-out
        compound, under all its names, are left out of all of them.
    donor : Model
        Whose text tower reads the words.
    seeds : sequence of int
        Each deals the compounds anew.
    n : int
        Folds.
    """
    compounds = compounds_of(screens[0])
    count = Counter(mechanism for _, mechanisms in compounds.values() for mechanism in mechanisms)
    for seed in seeds:
        for fold, split in enumerate(folds(screens[0].wells, "compound", n, seed, validation=0.0)):
            tested = {name for name, (wells, _) in compounds.items() if set(wells) & set(split.test)}
            sets = []
            for screen in screens:
                kept = [w for name, (ws, _) in compounds_of(screen).items() if name not in tested for w in ws]
                sets.append(profile_set(screen, frozenset([*kept, *screen.control_ids])))
            model = fitted_model([joined(sets, "training")], screens[0], donor)
            known = frozenset(sets[0].phrases)
            pool = [name for name in sorted(tested) if compounds[name][1]]
            here = {mechanism for name in pool for mechanism in compounds[name][1]}
            asked = tuple(sorted(m for m in here & known if count[m] >= LEAST))
            yield Asked(
                seed,
                fold,
                tuple(pool),
                asked,
                cosines(model, screens[0], [compounds[name][0] for name in pool], asked),
                np.array([[m in compounds[name][1] for name in pool] for m in asked]),
            )


def cosines(
    model: Model, screen: Screen, wells: Sequence[Sequence[str]], words: Sequence[str]
) -> NDArray[np.float64]:
    """Cosine (q, n) of words with treatments, each embedded from all its wells at once."""
    sites = screen.fields["Metadata_Well_id"]
    of_well = sites.groupby(sites, sort=False).indices
    bags = [
        screen.features([str(site) for well in own if well in of_well for site in sites.index[of_well[well]]])
        for own in wells
    ]
    texts = model.embed_texts([model.card.prompts.for_mechanism(text) for text in words])
    return unit_rows(texts, np.float64) @ unit_rows(model.embed_wells(bags), np.float64).T


def compounds_of(screen: Screen) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Wells and mechanisms of each treatment of a screen, by its one name."""
    table = screen.wells
    wells: dict[str, list[str]] = {}
    named: dict[str, dict[str, None]] = {}
    for well, name in treatment_names(table).items():
        wells.setdefault(name, []).append(well)
        found = parts(str(table.at[well, "Metadata_mechanism"] or ""))
        named.setdefault(name, {}).update(dict.fromkeys(found))
    return {name: (tuple(of), tuple(named[name])) for name, of in wells.items()}
