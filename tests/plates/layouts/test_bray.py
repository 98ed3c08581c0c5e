"""Bray 2017 as published: made folders and archives, one for each stain."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import tifffile

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.images import tiff
from napari_cellclip.vocabulary import STAINS, PlateError
from tests.plates.made_plates import image

FOLDERS = {"Hoechst": 1, "ERSyto": 2, "ERSytoBleed": 3, "Ph_golgi": 4, "Mito": 5}
SITES = [("a01", 1), ("a01", 2), ("p24", 1)]


def name(well, site, wave):
    return f"cdp2bioactives_{well}_s{site}_w{wave}46C9B2CD-0BB3-4B8A-9187-2805F4C90506.tif"


def content(value):
    stream = io.BytesIO()
    tifffile.imwrite(stream, image(value))
    return stream.getvalue()


@pytest.fixture(params=["folders", "archives"])
def folder(request, tmp_path):
    root = tmp_path / "bray"
    root.mkdir()
    for stain, wave in FOLDERS.items():
        files = {name(w, s, wave): content(wave * 1000 + i) for i, (w, s) in enumerate(SITES)}
        if request.param == "folders":
            (root / f"24277-{stain}").mkdir()
            for file, data in files.items():
                (root / f"24277-{stain}" / file).write_bytes(data)
        else:
            with zipfile.ZipFile(root / f"24277-{stain}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
                for file, data in files.items():
                    packed.writestr(f"24277-{stain}/{file}", data)
    return root


def test_stains_come_from_folders_or_archives(folder):
    assert detect_layout(folder) == "bray"
    plate = open_plate(folder)
    assert (plate.name, plate.shape, plate.problems) == ("24277", (16, 24), ())
    assert [s.id for s in plate.sites] == ["24277/A01/1", "24277/A01/2", "24277/P24/1"]
    assert plate.stains.channels == dict(zip(STAINS, FOLDERS, strict=True))
    np.testing.assert_array_equal(
        plate.site("24277/A01/2").read(), np.stack([image(w * 1000 + 1) for w in FOLDERS.values()])
    )
    assert plate.sites[0].shape == (6, 8)


def test_several_plates_are_chosen_by_name(folder):
    for part in list(folder.iterdir()):
        part.rename(folder / part.name.replace("24277", "24278"))
    for stain in ("Hoechst", "Mito"):
        (folder / f"24279-{stain}").mkdir()
        (folder / f"24279-{stain}" / name("b02", 1, 1)).write_bytes(content(7))
    with pytest.raises(PlateError, match=r"2 plates: choose one with name= \(24278, 24279\)"):
        open_plate(folder)
    plate = open_plate(folder, name="24279")
    assert (plate.name, [w.name for w in plate.wells]) == ("24279", ["B02"])


def test_a_damaged_archive_is_named_and_the_rest_opens(folder):
    (folder / "24277-AGP.zip").write_bytes(b"no stain of this name")
    for part in folder.glob("24277-Mito.zip"):
        part.write_bytes(part.read_bytes()[:200])
        plate = open_plate(folder)
        assert "damaged or no zip archive" in plate.problems[0].what
        assert "no image of Mito" in plate.sites[0].problem


def test_members_that_claim_too_much_are_not_unpacked(folder, monkeypatch):
    monkeypatch.setattr(tiff, "MAX_MEMBER_BYTES", 10)
    for _ in folder.glob("*.zip"):
        with pytest.raises(PlateError, match="claims to "):
            open_plate(folder).sites[0].read(["DNA"])
