"""Which stains a CellProfiler feature speaks of, and its place in a ``[5, D]`` row of a well."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import STAINS, ScreenError, Stain, is_unstained

COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei", "Image")
"""What the names of CellProfiler features begin with, as pycytominer keeps them."""

EMBEDDING = "Embedding"
"""What the names of an embedding's numbers begin with; they speak of no stain."""

_NO_PHENOTYPE = frozenset({"Location", "Parent", "Children", "Number", "ObjectNumber", "Count"})
"""Modules whose numbers say where an object lies or how it is numbered, not what it looks like."""


def is_feature(name: str) -> bool:
    """Tell whether a column is named as a CellProfiler measurement of cells, or a number of an embedding.

    Examples
    --------
    >>> is_feature("Cells_Texture_Contrast_ER_3_00_256"), is_feature("Metadata_Well")
    (True, False)
    >>> is_feature("Nuclei_Location_Center_X")
    False
    """
    parts = name.split("_")
    if parts[0] == EMBEDDING:
        return len(parts) == 2 and parts[1].isdecimal()
    return len(parts) > 2 and parts[0] in COMPARTMENTS and parts[1] not in _NO_PHENOTYPE


def is_embedding(names: Sequence[str]) -> bool:
    """Tell whether all these are numbers of an embedding."""
    return all(name.startswith(f"{EMBEDDING}_") for name in names)


def stains_of(name: str) -> tuple[Stain, ...]:
    """Stains that the name of a feature speaks of, in the order of ``STAINS``; empty for shapes and the like.

    The compartment (``Nuclei_…``) is where was measured, not what, and names no stain.

    Examples
    --------
    >>> [str(stain) for stain in stains_of("Nuclei_Correlation_K_Mito_DNA")]
    ['DNA', 'Mito']
    >>> stains_of("Nuclei_AreaShape_Area")
    ()
    """
    found = {Stain.recognise(word) for word in name.split("_")[2:]}
    return tuple(stain for stain in STAINS if stain in found)


def is_brightfield(name: str) -> bool:
    """Tell whether a feature was (also) measured in transmitted light.

    Examples
    --------
    >>> is_brightfield("Cells_Correlation_K_AGP_LowZBF"), is_brightfield("Cells_Granularity_3_AGP")
    (True, False)
    """
    return any(is_unstained(word) for word in name.split("_")[2:])


@dataclass(frozen=True)
class StainGroups:
    """Features by stain.

    Attributes
    ----------
    names : tuple of str
        Features in use, each once.
    of_stain : dict of Stain to tuple of str
        What stands in each stain's row: features of that stain alone, then those it shares with another
        stain, then those of no stain, which every row has.
    left_out : tuple of str
        Features that are not used: those measured in transmitted light.
    """

    names: tuple[str, ...]
    of_stain: Mapping[Stain, tuple[str, ...]]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], *, brightfield: bool = False) -> StainGroups:
        """Group features by their names.

        Parameters
        ----------
        names : sequence of str
            CellProfiler features.
        brightfield : bool
            Keep those of transmitted light. They belong to no stain, so every stain's row has them; those
            that compare a stain with it stand in that stain's row.

        Raises
        ------
        ScreenError
            If none of them names a stain.
        """
        left_out = () if brightfield else tuple(name for name in names if is_brightfield(name))
        kept = tuple(name for name in names if brightfield or not is_brightfield(name))
        stains = {name: stains_of(name) for name in kept}
        if not any(stains.values()) and not (kept and is_embedding(kept)):
            some = ", ".join(names[:3]) or "none at all"
            raise ScreenError(
                f"no feature names a stain ({some}): a CellProfiler table is needed, with names such as"
                f" Cells_Texture_Contrast_ER_3_00_256 for {', '.join(STAINS)}"
            )
        of_stain = {
            stain: tuple(
                name
                for wanted in ([stain], "several", [])
                for name in kept
                if (
                    len(stains[name]) > 1 and stain in stains[name]
                    if wanted == "several"
                    else list(stains[name]) == wanted
                )
            )
            for stain in STAINS
        }
        return cls(kept, of_stain, left_out)

    @property
    def width(self) -> int:
        """Length D of a row: that of the widest stain; the others are padded with zeros."""
        return max(len(names) for names in self.of_stain.values())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Mask of the places in a row that hold a feature and not padding, bool (5, D)."""
        return np.arange(self.width) < np.array([[len(self.of_stain[s])] for s in STAINS])

    @property
    def counts(self) -> dict[str, int]:
        """Features of one stain, of several, of none, left out; and the numbers of (5, D) that pad."""
        several = sum(len(stains_of(name)) > 1 for name in self.names)
        none = sum(not stains_of(name) for name in self.names)
        return {
            "one stain": len(self.names) - several - none,
            "several stains": several,
            "no stain": none,
            "left out": len(self.left_out),
            "padding": int((~self.mask).sum()),
        }

    def fill(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Spread features over the stains.

        Parameters
        ----------
        values : ndarray (n, F)
            Columns as in `names`.

        Returns
        -------
        ndarray of float32 (n, 5, D)
            Zero where there is no feature.
        """
        column = {name: i for i, name in enumerate(self.names)}
        out = np.zeros((len(values), len(STAINS), self.width), np.float32)
        for row, stain in enumerate(STAINS):
            places = [column[name] for name in self.of_stain[stain]]
            out[:, row, : len(places)] = values[:, places]
        return out

    def to_json(self, **more: object) -> str:
        """Rows and whatever else tells one set of features from another, as JSON text."""
        rows = {str(stain): list(names) for stain, names in self.of_stain.items()}
        return json.dumps({"stains": rows, **more}, indent=1, sort_keys=True) + "\n"
