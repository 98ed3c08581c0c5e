"""Plate, well and site: the lazy view of an acquisition in the language of stains."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.acquisition import Acquisition, Field, Problem
from napari_cellclip.plates.images import Plane
from napari_cellclip.plates.stain_mapping import StainMapping, chosen_channels, map_stains
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

if TYPE_CHECKING:
    import dask.array as da


MAX_SITE_PROBLEMS = 20
"""How many sites are named one by one in a plate's problems; each site knows its own."""


class _PixelFormat:
    """The pixel type of a plate, found by asking a few of its files when first needed.

    A site of another type than the rest of the plate would be on another intensity scale.
    """

    def __init__(self, planes: Sequence[Plane]) -> None:
        self._planes = tuple(planes)

    @cached_property
    def dtype(self) -> np.dtype[Any] | None:
        """Most frequent pixel type among the files asked; 16-bit wins a tie; ``None`` if none can be read."""
        found: Counter[str] = Counter()
        for plane in self._planes:
            try:
                found[plane.header()[1].name] += 1
            except PlateError:
                continue  # a damaged file is reported when its own site is read
        best = max(found, key=lambda name: (found[name], name == "uint16"), default=None)
        return np.dtype(best) if best else None


@dataclass(frozen=True, eq=False)
class Site:
    """One field of view.

    Attributes
    ----------
    id : str
        ``"plate/B03/2"``.
    well_id, well : str
        ``"plate/B03"``, ``"B03"``.
    number : int or str
        Site within the well, as the files count.
    position : tuple of float or None
        Stage position (y, x) relative to the well in micrometres, where the files say it.
    """

    id: str
    well_id: str
    well: str
    number: int | str
    position: tuple[float, float] | None
    _field: Field = field(repr=False)
    _stains: StainMapping = field(repr=False)
    _format: _PixelFormat = field(repr=False)

    @property
    def stains(self) -> tuple[Stain, ...]:
        """Stains of this site for which there are files."""
        return tuple(s for s in self._stains.channels if self._fault(s) is None)

    @property
    def problem(self) -> str | None:
        """Why this site cannot be used in full, ``None`` if nothing is known against it.

        Known without opening image files; damaged ones show when they are read.
        """
        faults = [fault for s in self._stains.channels if (fault := self._fault(s))]
        return "; ".join(dict.fromkeys(faults)) or None

    @property
    def files(self) -> tuple[Path, ...]:
        """Image files (or array metadata files) of the mapped stains."""
        channels = [c for c in self._stains.channels.values() if c in self._field.planes]
        return tuple(dict.fromkeys(plane.file for c in channels for plane in self._field.planes[c]))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels, from the header of one image file.

        Raises
        ------
        PlateError
            If no stain of the site can be read.
        """
        if not self.stains:
            raise PlateError(f"site {self.id}: {self.problem or 'no stain of it is known'}")
        return self._planes(self.stains[0])[0].header()[0]

    def read(self, stains: Sequence[Stain | str] = STAINS) -> NDArray[Any]:
        """Read pixels now.

        Parameters
        ----------
        stains : sequence of Stain
            Wanted stains.

        Returns
        -------
        ndarray (len(stains), Y, X)
            ``uint16`` as a rule; ``uint8`` or ``float32`` where the whole plate is so.

        Raises
        ------
        StainError
            If the plate was imaged without one of the stains.
        PlateError
            If a file is missing, duplicated, empty, truncated, RGB, or unlike the rest of the plate;
            the message names the file.
        """
        wanted = self._wanted(stains)
        images = [self._image(stain) for stain in wanted]
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            sizes = ", ".join(f"{s} {i.shape[0]} x {i.shape[1]}" for s, i in zip(wanted, images, strict=True))
            raise PlateError(
                f"site {self.id}: its stains have different sizes ({sizes}); export the site again"
            )
        return np.stack(images)

    def pixels(self, stains: Sequence[Stain | str] = STAINS) -> da.Array:
        """Pixels as a lazy array; only one file header is read now.

        Parameters
        ----------
        stains : sequence of Stain
            Wanted stains.

        Returns
        -------
        dask.array.Array (len(stains), Y, X)
            One chunk per stain.

        Raises
        ------
        StainError, PlateError
            As :meth:`read`; errors of the files themselves come when the array is computed.
        """
        import dask
        import dask.array as da

        wanted = self._wanted(stains)
        shape, dtype = self._planes(wanted[0])[0].header()
        image = dask.delayed(self._image, pure=False)
        layers = [da.from_delayed(image(s), shape, _held(dtype)) for s in wanted]
        return da.stack(layers)

    def _wanted(self, stains: Sequence[Stain | str]) -> list[Stain]:
        wanted = [Stain(s) for s in stains]
        if not wanted:
            raise PlateError("no stain was asked for")
        self._stains.require(split_id(self.id)[0], wanted)
        return wanted

    def _fault(self, stain: Stain) -> str | None:
        channel = self._stains.channels[stain]
        if fault := self._field.faults.get(channel):
            return fault
        return (
            None if self._field.planes.get(channel) else f"there is no image of {stain} (channel {channel!r})"
        )

    def _planes(self, stain: Stain) -> tuple[Plane, ...]:
        if fault := self._fault(stain):
            raise PlateError(f"site {self.id}: {fault}")
        return self._field.planes[self._stains.channels[stain]]

    def _image(self, stain: Stain) -> NDArray[Any]:
        planes = self._planes(stain)
        try:
            images = [plane.read() for plane in planes]
            name = planes[0].file.name
            for image in images:
                self._check(name, image)
            return (
                np.max(images, axis=0)
                if len(images) > 1
                else images[0].astype(_held(images[0].dtype), copy=False)
            )
        except PlateError as error:
            raise PlateError(f"site {self.id}, {stain}: {error}") from error
        except ValueError as error:
            raise PlateError(f"site {self.id}, {stain}: its focal planes have different sizes") from error

    def _check(self, name: str, image: NDArray[Any]) -> None:
        usual = self._format.dtype
        if usual is not None and image.dtype != usual:
            raise PlateError(
                f"{name} has pixels of type {image.dtype} where the plate has {usual}: "
                "its intensities cannot be compared; export it again like the others"
            )
        if image.dtype.kind == "f":
            if not np.isfinite(image).all():
                raise PlateError(f"{name} holds NaN or infinite values: export camera counts")
            if image.min() < 0 or image.max() <= 1:
                raise PlateError(
                    f"{name} holds rescaled values ({image.min():g} to {image.max():g}), not camera counts: "
                    "export the raw 16-bit images"
                )


def _held(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Pixel type in memory: double precision is more than a camera has."""
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


@dataclass(frozen=True, eq=False)
class Well:
    """One well.

    Attributes
    ----------
    id, name, plate : str
        ``"plate/B03"``, ``"B03"``, ``"plate"``.
    row, column : int
        0-based; a place in a strip where the files did not say the well.
    sites : tuple of Site
        Fields of view in the order of the files' numbers.
    known : bool
        Whether the files said which well this is.
    """

    id: str
    name: str
    plate: str
    row: int
    column: int
    sites: tuple[Site, ...] = field(repr=False)
    known: bool = True


class Plate:
    """A plate on disk: its wells, geometry, pixel size and stains; pixels are read when asked for.

    Made by :func:`napari_cellclip.plates.open_plate`.

    Attributes
    ----------
    name : str
        Used in ids.
    path : Path
        Where it was opened.
    layout : str
        ``"phenix"``, ``"load_data"``, ``"ome-zarr"``, ``"tiff-folder"`` or ``"zarr-table"``.
    shape : tuple of int
        Rows and columns.
    pixel_size : float or None
        Micrometres.
    stains : StainMapping
        Which channel shows which stain, and how that is known.
    wells : tuple of Well
        Imaged wells by row and column.

    Examples
    --------
    >>> plate = open_plate("BR00117006")                        # doctest: +SKIP
    >>> plate.well("B03").sites[0].read(["DNA", "Mito"]).shape   # doctest: +SKIP
    (2, 1080, 1080)
    """

    def __init__(
        self, acquisition: Acquisition, channels: Mapping[Stain | str, str | int] | None = None
    ) -> None:
        self._acquisition = acquisition
        told = chosen_channels(acquisition.channels, channels or {})
        self._chosen = {stain: channel.name for stain, channel in told.items()}
        self.name = acquisition.name
        self.path = acquisition.path
        self.layout = acquisition.layout
        self.shape = acquisition.shape
        self.pixel_size = acquisition.pixel_size
        self.stains, self._stain_problems = map_stains(acquisition.channels, self._chosen)
        self._format = _PixelFormat(self._samples())
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
        """Everything the user should know before using this plate; reads a few file headers the first time."""
        found = [*self._acquisition.problems, *self._stain_problems]
        found += self._site_problems()
        dtype = self._format.dtype
        if dtype is not None and dtype != np.uint16:
            what = "8-bit: fine intensity differences are lost" if dtype == np.uint8 else f"of type {dtype}"
            found.append(
                Problem(self.name, f"the images are {what}; use the raw 16-bit images if you have them")
            )
        return tuple(found)

    def well(self, name: str) -> Well:
        """Return a well by name in any spelling (``"b3"``) or by id (``"plate/B03"``).

        Raises
        ------
        PlateError
            If the plate has no images of that well.
        """
        text = split_id(name)[1] if "/" in name else name
        if text not in self._wells_by_name:
            try:
                text = normalise_well(text)
            except CellClipError:
                pass  # not in a well's spelling: the message below says what there is
        if text not in self._wells_by_name or ("/" in name and split_id(name)[0] != self.name):
            some = ", ".join(list(self._wells_by_name)[:6])
            raise PlateError(f"plate {self.name} has no images of well {name!r}; it has {some} …")
        return self._wells_by_name[text]

    def site(self, identifier: str) -> Site:
        """Return a site by id, ``"plate/B03/2"``.

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
        told = chosen_channels(self._acquisition.channels, channels)
        taken = {channel.name for channel in told.values()}
        kept = {s: c for s, c in self._chosen.items() if s not in told and c not in taken}
        return Plate(self._acquisition, {**kept, **{s: c.name for s, c in told.items()}})

    def fingerprint(self) -> str:
        """Hash of stains, file names, sizes and times; changes when the plate's files change."""
        digest = hashlib.sha256(f"{self.layout}|{self.name}|{sorted(self.stains.channels.items())}".encode())
        root = self.path if self.path.is_dir() else self.path.parent
        for site in self.sites:
            for file in site.files:
                try:
                    stat = file.stat()
                    state = f"{stat.st_size}|{stat.st_mtime_ns}"
                except OSError:
                    state = "missing"
                name = file.relative_to(root) if file.is_relative_to(root) else file.name
                digest.update(f"{site.id}|{name}|{state}\n".encode())
        return digest.hexdigest()

    @cached_property
    def _wells_by_name(self) -> dict[str, Well]:
        return {well.name: well for well in self.wells}

    @cached_property
    def _sites_by_id(self) -> dict[str, Site]:
        return {site.id: site for site in self.sites}

    def _samples(self) -> list[Plane]:
        """One plane from each of five fields spread over the plate."""
        fields = self._acquisition.fields
        planes = [p[0] for f in fields[:: max(1, len(fields) // 5)] for p in list(f.planes.values())[:1] if p]
        return planes[:7]

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
            )
            for f in fields
        )
        return Well(identifier, name, self.name, fields[0].row, fields[0].column, sites, fields[0].known)

    def _site_problems(self) -> list[Problem]:
        faulty = [Problem(site.id, problem) for site in self.sites if (problem := site.problem)]
        shown = faulty[:MAX_SITE_PROBLEMS]
        if more := len(faulty) - len(shown):
            shown.append(
                Problem(self.name, f"{more} more of its {len(self.sites)} sites have problems like these")
            )
        return shown
