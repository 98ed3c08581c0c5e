"""OMERO plates with a stand-in at the boundary of omero-py: the methods of its gateway that are used, and no more."""

from __future__ import annotations

import pickle
import sys
from types import ModuleType

import numpy as np
import pytest

from napari_cellclip import open_plate
from napari_cellclip.plates.remote import omero
from napari_cellclip.plates.remote.stores.addresses import remote_address
from napari_cellclip.vocabulary import PlateError

LABELS = ["HOECHST 33342", "Alexa 488", "488 long", "Alexa 568", "Alexa 647", "Brightfield"]


class Image:
    def __init__(self, number: int, depth: int = 1, kind: str = "uint16") -> None:
        self.number, self.depth, self.kind = number, depth, kind

    def getId(self):
        return self.number

    def getSizeX(self):
        return 24

    def getSizeY(self):
        return 16

    def getSizeZ(self):
        return self.depth

    def getSizeT(self):
        return 1

    def getPixelsType(self):
        return self.kind

    def getPixelSizeX(self):
        return 0.6

    def getChannels(self):
        return [Channel(label) for label in LABELS]

    def getPrimaryPixels(self):
        return self

    def getPlane(self, z, c, t):
        if self.number == 13:
            raise RuntimeError("Ice.ConnectionLostException: recv() returned zero")
        if self.number == 14:
            return np.zeros((3, 3), np.uint16)
        return np.full((16, 24), self.number * 100 + c * 10 + z, np.dtype(">u2"))


class Channel:
    def __init__(self, label: str) -> None:
        self.label = label

    def getLabel(self):
        return self.label

    def getExcitationWave(self):
        return None

    def getEmissionWave(self):
        return None


class Well:
    def __init__(self, row: int, column: int, images: list[Image | None]) -> None:
        self.row, self.column, self.images = row, column, images

    def countWellSample(self):
        return len(self.images)

    def getImage(self, index):
        return self.images[index]


class Plate:
    wells = (
        Well(1, 2, [Image(11), Image(12, depth=3)]),
        Well(2, 0, [Image(13), None, Image(14)]),
        Well(99, 0, []),
    )

    def getName(self):
        return "Screen/1"

    def listChildren(self):
        return iter(self.wells)


class Gateway:
    def getObject(self, kind, number):
        if kind == "Plate":
            return Plate() if number == 7 else None
        return next(i for w in Plate.wells for i in w.images if i is not None and i.number == number)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    monkeypatch.setattr(omero, "connected", lambda host: Gateway())


def test_plate_of_a_server(server: None) -> None:
    plate = open_plate("omero://omero.lab.example/plate/7")
    assert (plate.name, plate.layout, plate.pixel_size) == ("Screen_1", "omero", 0.6)
    assert plate.stains.complete
    assert list(plate.stains.ignored) == ["Brightfield"]
    assert [site.id for site in plate.sites] == [
        f"Screen_1/{s}" for s in ("B03/1", "B03/2", "C01/1", "C01/3")
    ]
    assert [int(image[0, 0]) for image in plate.sites[0].read()] == [1100, 1110, 1120, 1130, 1140]
    assert int(plate.sites[1].read(["DNA"])[0, 0, 0]) == 1202  # maximum of three focal planes
    assert plate.sites[0].read().dtype == np.uint16
    assert any("row 99" in problem.subject for problem in plate.problems)
    assert plate.address == "omero://omero.lab.example/plate/7"
    with pytest.raises(PlateError, match="ConnectionLost"):
        plate.sites[2].read()
    with pytest.raises(PlateError, match="not as large as the server states"):
        plate.sites[3].read()
    assert pickle.loads(pickle.dumps(plate)).fingerprint() == plate.fingerprint()


def test_link_of_omero_web_is_the_same_plate(server: None) -> None:
    address = remote_address("https://omero.lab.example/webclient/?show=plate-7")
    assert str(address) == "omero://omero.lab.example/plate/7"


@pytest.mark.parametrize("text", ["omero://host/image/3", "omero://host/plate/x", "omero://host"])
def test_addresses_of_no_plate(text: str, server: None) -> None:
    with pytest.raises(PlateError, match="names no plate"):
        open_plate(text)


def test_refusals(server: None) -> None:
    with pytest.raises(PlateError, match="has no plate 8"):
        open_plate("omero://host/plate/8")
    with pytest.raises(PlateError, match="no time point 2"):
        open_plate("omero://host/plate/7", time=2).sites[0].read()


def test_without_omero_py_and_without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "omero", None)
    with pytest.raises(PlateError, match="needs omero-py"):
        open_plate("omero://host/plate/7")
    sessions = ModuleType("omero.util.sessions")

    class SessionsStore:
        def get_current(self):
            return "another.host", "me", "key", "4064"

    sessions.SessionsStore = SessionsStore  # type: ignore[attr-defined]
    for name, module in {
        "omero": ModuleType("omero"),
        "omero.gateway": ModuleType("omero.gateway"),
        "omero.util": ModuleType("omero.util"),
        "omero.util.sessions": sessions,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(PlateError, match="no login to host: log in with"):
        open_plate("omero://host/plate/7")
