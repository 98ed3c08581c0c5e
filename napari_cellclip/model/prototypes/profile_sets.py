"""Labelled profiles that a closed-form head is fitted to: in memory, and as a file of a model folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import ModelError

FILE = "profile_sets.safetensors"
"""Where a model folder holds them."""

MAX_BYTES = 200_000_000
"""Far above the profiles of any set of labelled treatments."""


@dataclass(frozen=True, eq=False)
class ProfileSet:
    """Treatments of one data set whose mechanism is known, as a head learns them.

    Attributes
    ----------
    name : str
    features : tuple of str
        Names of the columns.
    profiles : ndarray of float32 (n, F)
        Mean profile of each treatment (or dose of it), in robust units of its plates' negative controls and
        less their mean.
    labels : tuple of tuple of str
        Phrases that say what each does, such as names of mechanisms; at least one each.
    controls : ndarray of float32 (c, F)
        Negative control wells, each less the mean of its plate's.
    weight : float
        How much its head counts where several sets are used.
    treatments : tuple of str
        Names of the treatments, a row for each dose; empty where they are not known.
    """

    name: str
    features: tuple[str, ...]
    profiles: NDArray[np.float32]
    labels: tuple[tuple[str, ...], ...]
    controls: NDArray[np.float32]
    weight: float = 1.0
    treatments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = len(self.features)
        fits = self.profiles.shape == (len(self.labels), columns) and self.controls.ndim == 2
        if not (fits and self.controls.shape[1] == columns and len(self.labels) and len(self.controls)):
            raise ModelError(f"the profiles of {self.name!r} do not fit their labels, features and controls")
        if len(set(self.features)) != columns or not all(self.labels):
            raise ModelError(f"the profiles of {self.name!r} lack a label, or name a feature twice")
        if self.treatments and len(self.treatments) != len(self.labels):
            raise ModelError(f"the profiles of {self.name!r} do not fit the names of their treatments")
        if not (np.isfinite(self.profiles).all() and np.isfinite(self.controls).all()):
            raise ModelError(f"the profiles of {self.name!r} hold numbers that are not finite")

    @property
    def phrases(self) -> tuple[str, ...]:
        """All labels, each once."""
        return tuple(dict.fromkeys(phrase for labels in self.labels for phrase in labels))


def write_profile_sets(sets: Sequence[ProfileSet], folder: Path) -> Path:
    """Write sets into a model folder, in half precision, and return the file."""
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {}
    about = []
    for i, found in enumerate(sets):
        tensors[f"{i}.profiles"] = np.ascontiguousarray(found.profiles, np.float16)
        tensors[f"{i}.controls"] = np.ascontiguousarray(found.controls, np.float16)
        about.append(
            {
                "name": found.name,
                "features": list(found.features),
                "labels": [list(labels) for labels in found.labels],
                "weight": found.weight,
                "treatments": list(found.treatments),
            }
        )
    part = folder / f"{FILE}.part"
    save_file(tensors, part, metadata={"sets": json.dumps(about, sort_keys=True)})
    os.replace(part, folder / FILE)
    return folder / FILE


def read_profile_sets(path: Path) -> tuple[ProfileSet, ...]:
    """Read the sets of a model folder's file.

    Raises
    ------
    ModelError
        If it cannot be read, or what it says of itself does not fit its numbers.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path} is larger than the labelled profiles of a head can be")
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})["sets"])
            return tuple(
                ProfileSet(
                    str(one["name"]),
                    tuple(map(str, one["features"])),
                    np.asarray(file.get_tensor(f"{i}.profiles"), np.float32),
                    tuple(tuple(map(str, labels)) for labels in one["labels"]),
                    np.asarray(file.get_tensor(f"{i}.controls"), np.float32),
                    float(one["weight"]),
                    tuple(map(str, one["treatments"])),
                )
                for i, one in enumerate(about)
            )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise ModelError(
            f"the labelled profiles {path} cannot be read ({type(error).__name__}): get the model again"
        ) from error
