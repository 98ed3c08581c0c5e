"""A plate and its wells, stain by stain; pixels are read when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_cellclip.plates.acquisition import Acquisition, Field, Problem
from napari_cellclip.plates.images.illumination import Illumination
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.processing import Processing
from napari_cellclip.plates.images.projection import IN_WORDS
from napari_cellclip.plates.images.stacks import depth_of
from napari_cellclip.plates.site import PixelFormat, Site
from napari_cellclip.plates.stain_mapping import chosen_channels, map_stains
from napari_cellclip.plates.well import Well
from napari_cellclip.vocabulary import (
    STAINS,
    CellClipError,
    PlateError,
    Stain,
    normalise_well,
    site_id,
    split_id,
    well_id,
)

MAX_SITE_PROBLEMS = 20
"""How many sites are named one by one in a plate's problems; each site knows its own."""
ALIKE = 3
"""How many are named where every site has one."""


class Plate:
    """A plate on disk: its wells, geometry, pixel size and stains; pixels are read when asked for.

    Made by :func:`napari_cellclip.plates.open_plate`.

    Attributes
    ----------
    name : str
        Used in ids.
    path : Path
        Where its files are; of a remote plate the folder in the cache.
    address : str
        What opens it again: the path, or the address of a remote plate.
    layout : str
        ``"phenix"``, ``"tiff-folder"`` and so on: how its files lie on disk.
    time : int
        Time point that was opened, as the files count; 1 unless another was asked for.
    shape : tuple of int
        Rows and columns.
    pixel_size : float or None
        Micrometres.
    stains : StainMapping
        Which channel shows which stain, and how that is known.
    wells : tuple of Well
        Imaged wells by row and column.
    processing : Processing
        How its images are made from its files: focal planes and illumination.

    Examples
    --------
    >>> plate = open_plate("BR00117006")                        # doctest: +SKIP
    >>> plate.well("B03").sites[0].read(["DNA", "Mito"]).shape   # doctest: +SKIP
    (2, 1080, 1080)
    """

    def __init__(
        self,
        acquisition: Acquisition,
        channels: Mapping[Stain, str] | Mapping[Stain | str, str | int] | None = None,
        processing: Processing | None = None,
    ) -> None:
        _require_names(acquisition)
        self._acquisition = acquisition
        self.processing = processing or Processing()
        chosen = chosen_channels(acquisition.channels, channels or {})
        self._chosen = {stain: channel.name for stain, channel in chosen.items()}
        self.name = acquisition.name
        self.path = acquisition.path
        self.address = acquisition.address or str(acquisition.path)
        self.layout = acquisition.layout
        self.time = acquisition.time
        self.shape = acquisition.shape
        self.pixel_size = acquisition.pixel_size
        self.stains, self._stain_problems = map_stains(acquisition.channels, self._chosen)
        self._format = PixelFormat(self._samples())
        self.wells: tuple[Well, ...] = self._make_wells()

    def __repr__(self) -> str:
        return (
            f"Plate({self.name!r}, {self.layout}, {len(self.wells)} wells, {len(self.sites)} sites, "
            f"stains {', '.join(self.stains.channels) or 'unknown'})"
        )

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """All sites, well by well."""
        return tuple(site for well in self.wells for site in well.sites)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """List what the user should know about this plate; reads a few file headers the first time."""
        found = [*self._acquisition.problems, *self._stain_problems]
        if (depth := self._depth()) > 1:
            what = f"up to {depth} focal planes of a channel are {IN_WORDS[self.processing.projection]}"
            found.append(Problem("focal planes", what))
        found += self._site_problems()
        if self._format.unreadable:
            found.append(
                Problem(self.name, f"none of the image files looked at can be used: {self._first_fault()}")
            )
        dtype = self._format.dtype
        if dtype is not None and dtype != np.uint16:
            what = "8-bit: fine intensity differences are lost" if dtype == np.uint8 else f"of type {dtype}"
            found.append(
                Problem(self.name, f"the images are {what}; use the raw 16-bit images if you have them")
            )
        return tuple(found)

    def need(self, file: Path) -> None:
        """Make sure that a file beside the images is on this computer; of a remote plate it is fetched.

        Raises
        ------
        PlateError
            If it cannot be fetched.
        """
        self._acquisition.need(file)

    def well(self, name: str) -> Well:
        """Find a well by name in any spelling (``"b3"``) or by id (``"plate/B03"``).

        Raises
        ------
        PlateError
            If the plate has no images of that well.
        """
        text = split_id(name)[1] if "/" in name else name
        if text not in self._wells_by_name:
            # A text that is no well is refused below, with the wells there are.
            with suppress(CellClipError):
                text = normalise_well(text)
        if text not in self._wells_by_name or ("/" in name and split_id(name)[0] != self.name):
            some = ", ".join(list(self._wells_by_name)[:6])
            raise PlateError(f"plate {self.name} has no images of well {name!r}; it has {some} …")
        return self._wells_by_name[text]

    def site(self, identifier: str) -> Site:
        """Find a site by id, ``"plate/B03/2"``.

        Raises
        ------
        PlateError
            If there is none of that id.
        """
        try:
            return self._sites_by_id[identifier]
        except KeyError:
            raise PlateError(
                f"plate {self.name} has no site {identifier!r}; an id reads {self.sites[0].id!r}"
            ) from None

    def require_stains(self, stains: Sequence[Stain] = STAINS) -> None:
        """Refuse if a stain that is needed has no channel.

        Raises
        ------
        StainError
            Names the missing stains and the option to pass.
        """
        self.stains.require(self.name, stains)

    def with_channels(self, channels: Mapping[Stain | str, str | int]) -> Plate:
        """Return the same plate with a corrected stain mapping; stains not named keep theirs.

        Parameters
        ----------
        channels : mapping
            Stain to channel name or number in the files.

        Raises
        ------
        StainError
            If a stain or channel does not exist, or a channel is given twice.
        """
        chosen = chosen_channels(self._acquisition.channels, channels)
        taken = {channel.name for channel in chosen.values()}
        others = {s: c for s, c in self._chosen.items() if s not in chosen and c not in taken}
        mapping = dict(others) | {s: c.name for s, c in chosen.items()}
        return Plate(self._acquisition, mapping, self.processing)

    def with_illumination(self, illumination: Illumination | None) -> Plate:
        """Return the same plate with its illumination corrected, or (``None``) as it was acquired.

        Parameters
        ----------
        illumination : Illumination or None
            From :func:`~napari_cellclip.plates.illumination_functions.find_functions` or
            :func:`~napari_cellclip.plates.illumination_functions.estimate_illumination`.
        """
        return self.with_processing(replace(self.processing, illumination=illumination))

    def with_processing(self, processing: Processing) -> Plate:
        """Return the same plate with its images made in another way from the same files."""
        return Plate(self._acquisition, self._chosen, processing)

    def file_states(self) -> dict[str, str]:
        """Look up the state of every site's files (see :meth:`Site.file_state`), by site id.

        Each file is stat-ed once, which takes a while on a network disk: call it in a worker, and hand the
        result to :meth:`fingerprint`.
        """
        return {site.id: site.file_state() for site in self.sites}

    def fingerprint(self, states: Mapping[str, str] | None = None) -> str:
        """Compute a hash of files, stains and processing, which changes when one of them does.

        Parameters
        ----------
        states : mapping of str to str, optional
            What :meth:`file_states` returned a moment ago; looked up now if not given.

        Returns
        -------
        str
            64 hex digits.
        """
        digest = hashlib.sha256(f"{self.layout}|{self.name}|{sorted(self.stains.channels.items())}".encode())
        digest.update(self.processing.key.encode())
        for identifier, state in (self.file_states() if states is None else states).items():
            digest.update(f"{identifier}|{state}\n".encode())
        return digest.hexdigest()

    @cached_property
    def _wells_by_name(self) -> dict[str, Well]:
        return {well.name: well for well in self.wells}

    @cached_property
    def _sites_by_id(self) -> dict[str, Site]:
        return {site.id: site for site in self.sites}

    def _samples(self) -> list[Plane]:
        """Take one plane from each of about five fields spread over the plate."""
        fields = self._acquisition.fields
        planes = [p[0] for f in fields[:: max(1, len(fields) // 5)] for p in list(f.planes.values())[:1] if p]
        return planes[:7]

    def _depth(self) -> int:
        """Count the focal planes of the deepest channel; those inside of files in a few fields."""
        depth = max((len(p) for f in self._acquisition.fields for p in f.planes.values()), default=0)
        for plane in self._samples():
            with suppress(PlateError):  # a damaged file is reported when its own site is read
                depth = max(depth, depth_of(plane))
        return depth

    def _first_fault(self) -> str:
        for plane in self._samples():
            try:
                plane.header()
            except PlateError as error:
                return str(error)
        return "copy the plate again"

    def _make_wells(self) -> tuple[Well, ...]:
        grouped: dict[str, list[Field]] = {}
        for f in sorted(
            self._acquisition.fields, key=lambda f: (f.row, f.column, str(type(f.number)), f.number)
        ):
            grouped.setdefault(f.well, []).append(f)
        return tuple(self._make_well(name, fields) for name, fields in grouped.items())

    def _make_well(self, name: str, fields: list[Field]) -> Well:
        identifier = well_id(self.name, name)
        sites = tuple(
            Site(
                site_id(self.name, name, f.number),
                identifier,
                name,
                f.number,
                f.position,
                f,
                self.stains,
                self._format,
                self.processing,
            )
            for f in fields
        )
        return Well(identifier, name, self.name, fields[0].row, fields[0].column, sites, fields[0].known)

    def _site_problems(self) -> list[Problem]:
        faulty = [Problem(site.id, problem) for site in self.sites if (problem := site.problem)]
        if len(faulty) == len(self.sites) > ALIKE:  # as where the images are elsewhere: a few tell it all
            what = f"all of its {len(self.sites)} sites have problems like these"
            return [*faulty[:ALIKE], Problem(self.name, what)]
        shown = faulty[:MAX_SITE_PROBLEMS]
        if more := len(faulty) - len(shown):
            shown.append(
                Problem(self.name, f"{more} more of its {len(self.sites)} sites have problems like these")
            )
        return shown


def _require_names(acquisition: Acquisition) -> None:
    """Refuse names that are no text: names of files that are not UTF-8, or halves of characters.

    They could be shown, but in no table could they be stored.
    """
    names = {str(acquisition.path), acquisition.name, *(channel.name for channel in acquisition.channels)}
    names |= {str(field.number) for field in acquisition.fields}
    for name in sorted(names):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise PlateError(
                f"the name {name!r} is no text in UTF-8: give the file or folder another name"
            ) from None
