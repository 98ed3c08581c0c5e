"""One field of view: its pixels, stain by stain, with everything that can be wrong with them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.acquisition import Field
from napari_cellclip.plates.images.plane import Plane, check_stack
from napari_cellclip.plates.images.processing import Processing
from napari_cellclip.plates.images.projection import project, sharpest
from napari_cellclip.plates.images.stacks import focal_planes
from napari_cellclip.plates.stain_mapping import StainMapping, named_stain
from napari_cellclip.vocabulary import STAINS, PlateError, Stain, split_id


class PixelFormat:
    """The pixel type of a plate, from the headers of a few of its files when first needed.

    A site of another type than the rest of the plate would be on another intensity scale.
    """

    def __init__(self, planes: Sequence[Plane]) -> None:
        self._planes = tuple(planes)

    @property
    def unreadable(self) -> bool:
        """Whether not one of the files looked at can be read."""
        return bool(self._planes) and self.dtype is None

    @cached_property
    def dtype(self) -> np.dtype[Any] | None:
        """Most frequent pixel type of the files looked at; 16-bit wins a tie, ``None`` if unreadable."""
        found: Counter[str] = Counter()
        for plane in self._planes:
            # A damaged file is reported when its own site is read.
            with suppress(PlateError):
                found[plane.header()[1].name] += 1
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
    _format: PixelFormat = field(repr=False)
    _processing: Processing = field(default=Processing(), repr=False)

    @property
    def stains(self) -> tuple[Stain, ...]:
        """Stains of this site for which there are files."""
        return tuple(s for s in self._stains.channels if self._fault(s) is None)

    @property
    def source(self) -> str:
        """Plate or microscope this field was acquired on, where the folder pools several; else empty.

        Counts of different sources are not on one scale: display contrast is measured for each.
        """
        return self._field.source

    @property
    def problem(self) -> str | None:
        """Reason why this site cannot be used in full; ``None`` if it can as far as is known.

        Known without opening image files; damaged ones show when they are read.
        """
        faults = [fault for s in self._stains.channels if (fault := self._fault(s))]
        return "; ".join(dict.fromkeys(faults)) or None

    @property
    def files(self) -> tuple[Path, ...]:
        """Image files (or array metadata files) of the mapped stains."""
        return tuple(self._by_file())

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels, from the header of one image file.

        Raises
        ------
        PlateError
            If no stain of the site can be read.
        """
        if not self.stains:
            raise PlateError(f"site {self.id}: {self.problem or 'none of its stains is known'}")
        return self._planes(self.stains[0])[0].header()[0]

    def read(self, stains: Sequence[Stain | str] = STAINS) -> NDArray[Any]:
        """Read the pixels of some stains.

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
            If the plate was imaged without one of the stains, or there is no such stain.
        PlateError
            If a file is missing, duplicated, empty, truncated, RGB, or unlike the rest of the plate;
            the message names the file.

        Notes
        -----
        Focal planes are combined, and illumination is corrected, as the plate was opened
        (:class:`~napari_cellclip.plates.images.processing.Processing`).
        """
        wanted = self._wanted(stains)
        plane = self._sharpest_dna() if self._processing.projection == "dna-focus" else None
        images = [self._image(stain, plane) for stain in wanted]
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            sizes = ", ".join(f"{s} {i.shape[0]} x {i.shape[1]}" for s, i in zip(wanted, images, strict=True))
            raise PlateError(
                f"site {self.id}: its stains have different sizes ({sizes}); export the site again"
            )
        return np.stack(images)

    def file_state(self) -> str:
        """Compute a hash of the names, sizes and times of this site's files, as they are now.

        Returns
        -------
        str
            16 hex digits; others once a file was changed or has gone.
        """
        digest = hashlib.sha256()
        for plane in self._by_file().values():
            digest.update(f"{plane.file.name}|{plane.state()}\n".encode())
        return digest.hexdigest()[:16]

    def _by_file(self) -> dict[Path, Plane]:
        """One plane of each file of the mapped stains."""
        channels = [c for c in self._stains.channels.values() if c in self._field.planes]
        return {plane.file: plane for c in channels for plane in self._field.planes[c]}

    def _wanted(self, stains: Sequence[Stain | str]) -> list[Stain]:
        wanted = [named_stain(s) for s in stains]
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

    def _image(self, stain: Stain, plane: int | None) -> NDArray[Any]:
        how = self._processing
        try:
            image = project(self._stack(stain), how.projection, plane)
            image = image.astype(_held(image.dtype), copy=False)
            return image if how.illumination is None else how.illumination.correct(stain, image)
        except PlateError as error:
            raise PlateError(f"site {self.id}, {stain}: {error}") from error
        except ValueError as error:
            raise PlateError(f"site {self.id}, {stain}: its focal planes have different sizes") from error

    def _stack(self, stain: Stain) -> list[NDArray[Any]]:
        """Focal planes of a stain, each checked."""
        planes = self._planes(stain)
        # The planes of a file are combined as it is read where their maximum is wanted.
        whole = self._processing.projection == "max"
        images: list[NDArray[Any]] = []
        for plane in planes:
            images += [plane.read()] if whole else focal_planes(plane)
            check_stack(planes[0].file.name, max(len(planes), len(images)), images[0].shape)
        for image in images:
            self._check(planes[0].file.name, image)
        return images

    def _sharpest_dna(self) -> int:
        """Which focal plane has the sharpest DNA."""
        self._wanted([Stain.DNA])
        try:
            return sharpest(self._stack(Stain.DNA))
        except PlateError as error:
            raise PlateError(f"site {self.id}, {Stain.DNA}: {error}") from error

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
