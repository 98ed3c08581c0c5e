"""Plates on an OMERO server, through the gateway of omero-py and the login of napari-omero; never written.

``omero://host/plate/123``, or the link that OMERO.web shows: ``https://host/webclient/?show=plate-123``.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.images.plane import check_format, check_stack
from napari_cellclip.plates.layouts.layout import Options
from napari_cellclip.plates.remote.stores.addresses import Address
from napari_cellclip.vocabulary import CellClipError, PlateError, well_name
from napari_cellclip.vocabulary.user_folders import cache_folder

MAX_FIELDS = 100_000
"""Most images of a plate."""

_PLACE = re.compile(r"(?P<host>[A-Za-z0-9.-]{1,253})(?::\d{1,5})?/plate/(?P<id>\d{1,15})", re.IGNORECASE)


class OmeroLogin:
    """The login to one server that the user has made with ``omero login`` or with napari-omero.

    Parameters
    ----------
    host : str
        Name of the server.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.lock = threading.Lock()  # one pixel store of the gateway at a time
        self._gateway: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand on the name of the server: each process attaches to the login itself."""
        return OmeroLogin, (self.host,)

    @property
    def gateway(self) -> Any:
        """The connected ``BlitzGateway``.

        Raises
        ------
        PlateError
            If omero-py is not installed, or there is no login.
        """
        if self._gateway is None:
            self._gateway = connected(self.host)
        return self._gateway


def connected(host: str) -> Any:
    """Attach to the user's login; errors as :attr:`OmeroLogin.gateway`."""
    try:
        # By name: who has no OMERO has no omero-py, and no line of this package imports it.
        gateway, sessions = import_module("omero.gateway"), import_module("omero.util.sessions")
    except ImportError as error:
        raise PlateError(
            f"omero://{host} needs omero-py ({error}): install it with pip install 'napari-cellclip[omero]'"
        ) from error
    try:
        store = sessions.SessionsStore()
        server, user, key, _port = store.get_current()
        if not key or server != host:
            raise PlateError(
                f"there is no login to {host}: log in with 'omero login -s {host}' or in napari-omero"
            )
        made = gateway.BlitzGateway(client_obj=store.attach(server, user, key)[0])
        made.SERVICE_OPTS.setOmeroGroup("-1")
    except CellClipError:
        raise
    except Exception as error:  # Ice raises many kinds
        raise PlateError(
            f"{host} cannot be reached with the login there is ({_words(error)}): log in again"
        ) from error
    return made


@dataclass(frozen=True, slots=True)
class OmeroPlane:
    """One channel of an image on a server.

    Attributes
    ----------
    login : OmeroLogin
        Where it is.
    image : int
        Its number.
    channel : int
        Index of the channel.
    time : int
        Index of the time point.
    size : tuple of int
        Focal planes, height, width.
    kind : str
        Type of the pixels as the server calls it.
    """

    login: OmeroLogin = field(repr=False, compare=False)
    image: int
    channel: int
    time: int
    size: tuple[int, int, int]
    kind: str

    @property
    def file(self) -> Path:
        """A name for messages; there is no file."""
        return Path(f"image {self.image}")

    def state(self) -> str:
        """Number of the image, whose pixels OMERO never changes."""
        return f"{self.login.host} {self.image}"

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype, as the server states them."""
        check_format(self.file.name, self.size[1:], _dtype(self.kind))
        check_stack(self.file.name, self.size[0], self.size[1:])
        return (self.size[1], self.size[2]), np.dtype(_dtype(self.kind))

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X); focal planes are maximum-projected.

        Raises
        ------
        PlateError
            If the server does not give them, or others than it stated.
        """
        planes = self.read_stack()
        return planes[0] if len(planes) == 1 else np.asarray(np.max(planes, axis=0))

    def read_stack(self) -> list[NDArray[Any]]:
        """Pixels (Y, X) of each focal plane; errors as :meth:`read`."""
        shape, dtype = self.header()
        try:
            with self.login.lock:
                pixels = self.login.gateway.getObject("Image", self.image).getPrimaryPixels()
                planes = [
                    np.asarray(pixels.getPlane(z, self.channel, self.time)) for z in range(self.size[0])
                ]
        except CellClipError:
            raise
        except Exception as error:  # Ice raises many kinds
            raise PlateError(
                f"image {self.image} of {self.login.host} cannot be read ({_words(error)})"
            ) from error
        if any(plane.shape != shape for plane in planes):
            raise PlateError(f"image {self.image} of {self.login.host} is not as large as the server states")
        return [plane.astype(dtype, copy=False) for plane in planes]

    def depth(self) -> int:
        """Count the focal planes."""
        return self.size[0]


def read_omero_plate(address: Address, options: Options) -> Acquisition:
    """Read wells, fields and channels of a plate; no pixels are read.

    Parameters
    ----------
    address : Address
        ``omero://host/plate/123``.
    options : Options
        ``name`` renames the plate; ``time`` chooses a time point, counted from 1.

    Raises
    ------
    PlateError
        If the address is of no plate, there is no login, or the plate holds nothing.
    """
    found = _PLACE.fullmatch(address.place)
    if found is None:
        raise PlateError(f"{address} names no plate: write omero://host/plate/123")
    login = OmeroLogin(found["host"])
    gateway = login.gateway
    try:
        plate = gateway.getObject("Plate", int(found["id"]))
        if plate is None:
            raise PlateError(f"{login.host} has no plate {found['id']}, or your login may not see it")
        fields, channels, sizes, problems = _fields(login, plate, (options.time or 1) - 1)
        name = str(plate.getName() or f"plate {found['id']}")
    except CellClipError:
        raise
    except Exception as error:  # Ice raises many kinds
        raise PlateError(f"{address} cannot be read ({_words(error)}): log in again") from error
    folder = cache_folder() / "remote" / "omero" / f"{login.host}-{found['id']}"
    folder.mkdir(parents=True, exist_ok=True)
    require_fields(fields, folder)
    return Acquisition(
        name=clean_name(options.name or name),
        path=folder,
        layout="omero",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(channels.values()),
        fields=tuple(fields),
        pixel_size=sizes[0] if sizes else None,
        problems=tuple(problems),
        address=str(address),
    )


def _fields(
    login: OmeroLogin, plate: Any, time: int
) -> tuple[list[Field], dict[str, Channel], list[float], list[Problem]]:
    fields: list[Field] = []
    channels: dict[str, Channel] = {}
    sizes: list[float] = []
    problems: list[Problem] = []
    for well in plate.listChildren():
        row, column = int(well.row), int(well.column)
        try:
            name = well_name(row, column)
        except CellClipError as error:
            problems.append(Problem(f"row {row}, column {column}", f"{error}; it is left out"))
            continue
        for number in range(int(well.countWellSample())):
            image = well.getImage(number)
            if image is None:
                continue
            if len(fields) >= MAX_FIELDS:
                raise PlateError(f"plate {plate.getName()} lists more than {MAX_FIELDS:,} images")
            planes, faults = {}, {}
            size = (int(image.getSizeZ()), int(image.getSizeY()), int(image.getSizeX()))
            for index, channel in enumerate(_channels(image)):
                channels.setdefault(channel.name, channel)
                if time < int(image.getSizeT()):
                    kind = str(image.getPixelsType())
                    planes[channel.name] = (OmeroPlane(login, int(image.getId()), index, time, size, kind),)
                else:
                    faults[channel.name] = f"it has no time point {time + 1}, only {image.getSizeT()}"
            fields.append(Field(row, column, name, number + 1, planes, faults))
            if (pixel := image.getPixelSizeX()) and not sizes:
                sizes.append(float(pixel))
    return fields, channels, sizes, problems


def _channels(image: Any) -> list[Channel]:
    """Channels of an image with what the server knows of them; two of one name are told apart by number."""
    described = list(image.getChannels())
    labels = [str(channel.getLabel() or "").strip() for channel in described]
    return [
        Channel(
            label if label and labels.count(label) == 1 else f"channel {i}" + f" {label}" * bool(label),
            "OMERO channel name",
            i,
            excitation=_positive(channel.getExcitationWave()),
            emission=_positive(channel.getEmissionWave()),
        )
        for i, (label, channel) in enumerate(zip(labels, described, strict=True))
    ]


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _dtype(kind: str) -> Any:
    try:
        return np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    except TypeError:
        return None


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
