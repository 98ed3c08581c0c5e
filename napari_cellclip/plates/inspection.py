"""Look a plate over for what is odd: missing sites, mixed sizes, empty, saturated or doubled images."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.plate import Plate
from napari_cellclip.plates.site import Site
from napari_cellclip.vocabulary import PlateError

LOOKED_AT = 8
"""How many sites are read, spread over the plate."""

SATURATED = 0.01
"""Share of pixels at the largest value from which an image counts as saturated."""


def inspect(plate: Plate, sites: int = LOOKED_AT) -> tuple[Problem, ...]:
    """List what is odd about a plate, from its files and the pixels of a few sites.

    Parameters
    ----------
    plate : Plate
        The plate.
    sites : int
        How many sites, spread over the plate, are read.

    Returns
    -------
    tuple of Problem
        Beyond those in :attr:`Plate.problems`; sites that cannot be read are passed over.
    """
    looked = plate.sites[:: max(1, len(plate.sites) // max(sites, 1))][:sites]
    found = _missing_sites(plate)
    sizes: Counter[tuple[int, int]] = Counter()
    empty: Counter[str] = Counter()
    saturated: Counter[str] = Counter()
    doubled: list[str] = []
    seen: dict[str, str] = {}
    read = 0
    for site in looked:
        images = _images(site)
        read += bool(images)
        sizes.update({image.shape for image in images.values()})
        empty.update(stain for stain, image in images.items() if image.min() == image.max())
        saturated.update(stain for stain, image in images.items() if _saturated(image))
        doubled += _doubled(site, images) + _seen_before(site, images, seen)
    if len(sizes) > 1:
        listed = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        found.append(Problem(plate.name, f"its sites have different sizes ({listed} pixels)"))
    for kind, counted in (("empty (all pixels are the same)", empty), ("saturated", saturated)):
        for stain, count in counted.items():
            found.append(Problem(stain, f"is {kind} in {count} of {read} sites looked at"))
    found += [Problem(plate.name, what) for what in doubled[:3]]
    return tuple(found)


def _missing_sites(plate: Plate) -> list[Problem]:
    """Name the wells that have fewer sites than most, or more."""
    usual = Counter(len(well.sites) for well in plate.wells).most_common(1)
    odd = [well for well in plate.wells if usual and len(well.sites) != usual[0][0]]
    if not odd:
        return []
    some = ", ".join(f"{w.name} ({len(w.sites)})" for w in odd[:6]) + (", …" if len(odd) > 6 else "")
    return [Problem(plate.name, f"{len(odd)} wells do not have {usual[0][0]} sites like the others: {some}")]


def _images(site: Site) -> dict[str, NDArray[Any]]:
    images = {}
    for stain in site.stains:
        try:
            images[stain.value] = site.read([stain])[0]
        except PlateError:  # told when the site is encoded, with its reason
            continue
    return images


def _saturated(image: NDArray[Any]) -> bool:
    """Whether many pixels have the largest value, and that is one at which cameras stop counting."""
    top = int(image.max())
    stops = image.dtype.kind == "u" and top in (2**8 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1)
    return stops and float(np.mean(image == top)) > SATURATED and int(image.min()) < top


def _seen_before(site: Site, images: dict[str, NDArray[Any]], seen: dict[str, str]) -> list[str]:
    """Name a site whose images are those of a site looked at before; `seen` keeps them by their digest."""
    found = []
    for stain, image in images.items():
        if image.min() == image.max():
            continue  # empty ones are alike, and told as empty
        digest = hashlib.sha256(f"{stain}|{image.shape}".encode() + image.tobytes()).hexdigest()
        other = seen.setdefault(digest, site.id)
        if other != site.id:
            found.append(f"{stain} of sites {other} and {site.id} is the same image: was it copied twice?")
    return found[:1]


def _doubled(site: Site, images: dict[str, NDArray[Any]]) -> list[str]:
    """Name stains of a site that hold the very same pixels."""
    names = list(images)
    return [
        f"{first} and {second} of site {site.id} are the same image: check which channel is which"
        for i, first in enumerate(names)
        for second in names[i + 1 :]
        if images[first].min() < images[first].max() and np.array_equal(images[first], images[second])
    ]
