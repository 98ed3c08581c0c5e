"""Which site is on the canvas, and which one is next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import PlateError, split_id

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate


def well_of(site: str) -> str:
    """Id of the well of a site."""
    plate, well, _ = split_id(site)
    return f"{plate}/{well}"


def site_to_show(plate: Plate | None, identifier: str) -> str:
    """Find the site that stands for an id: a site for itself, a well for its first site.

    Raises
    ------
    PlateError
        If the pixels are not open or the well has no images.
    """
    if plate is None:
        raise PlateError("The pixels of this screen are not open: drop its plate folder on the Explorer.")
    name, well, site = split_id(identifier)
    if name != plate.name:
        raise PlateError(f"Plate {name} is not open: drop its folder on the Explorer to see its fields.")
    if site is not None:
        return identifier
    sites = plate.well(f"{name}/{well}").sites
    if not sites:
        raise PlateError(f"Well {well} has no images.")
    return str(sites[0].id)


def next_site(plate: Plate, site: str, step: int) -> str:
    """Id of the site some steps further in the same well, round and round."""
    sites = [str(s.id) for s in plate.well(well_of(site)).sites]
    return sites[(sites.index(site) + step) % len(sites)]


def next_well(plate: Plate, well: str, step: int) -> str:
    """Id of the imaged well some steps further on the plate, round and round."""
    wells = [str(w.id) for w in plate.wells]
    return wells[(wells.index(well) + step) % len(wells)]
