"""Archives of the published code: names, channel orders, the user's word, and hostile files."""

from __future__ import annotations

import io
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.images import npz
from napari_cellclip.plates.layouts.published.published_names import PublishedName, parse_published_name
from napari_cellclip.vocabulary import STAINS, PlateError, PlateMapError, Stain, well_name

rows, columns = st.integers(0, 31), st.integers(0, 47)
plates = st.from_regex(r"[A-Za-z0-9]{1,6}(-[0-9]{1,3})?", fullmatch=True).filter(
    lambda text: not any(part[:1].isalpha() and part[1:].isdigit() for part in text.split("-"))
)
sites = st.integers(1, 16).map(str)


@given(plates, rows, columns, sites)
def test_names_are_taken_apart_as_they_were_put_together(plate, row, column, site):
    well, place = well_name(row, column), f"r{row + 1:02d}c{column + 1:02d}"
    assert parse_published_name(f"{plate}-{well}-{site}") == PublishedName("bray", plate, well, site)
    assert parse_published_name(f"{plate}-{well.lower()}") == PublishedName("bray", plate, well)
    assert parse_published_name(f"{plate}-{well}-{place}-{site}") == PublishedName("jump", plate, well, site)
    assert parse_published_name(f"{plate}-{well}-{place}") == PublishedName("jump", plate, well)
    assert parse_published_name(f"{place}-{well}-{site}") == PublishedName("jump", "", well, site)
    assert parse_published_name(f"gene-{plate}_Plate7_{well}") == PublishedName(
        "rxrx3", f"gene-{plate}_7", well
    )
    assert parse_published_name(f"gene-{plate}_7_{well}") == PublishedName("rxrx3", f"gene-{plate}_7", well)


@given(st.text(max_size=20))
def test_any_other_text_is_refused_in_words(text):
    with suppress(PlateMapError):
        assert parse_published_name(text).well


def test_a_name_of_two_wells_is_refused():
    with pytest.raises(PlateMapError, match="names two wells, A01 and A02"):
        parse_published_name("BR1-A01-r01c02-1")


def image(seed: int, channels: int = 5, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side + 4, channels), dtype=np.uint8)


def write_bray(folder: Path, *names: str) -> list[np.ndarray]:
    folder.mkdir(exist_ok=True)
    images = [image(i) for i, _ in enumerate(names)]
    for name, pixels in zip(names, images, strict=True):
        # As CLOOME writes them: the other two arrays hold pickled dictionaries, which nobody may open.
        np.savez(folder / f"{name}.npz", sample=pixels, channels={0: "Mito"}, filenames={"Mito": "x"})
    return images


def test_bray_archives(tmp_path):
    images = write_bray(tmp_path / "24277", "24277-A01-1", "24277-A01-2", "24277-b03-1")
    assert detect_layout(tmp_path / "24277") == "npz"
    plate = open_plate(tmp_path / "24277")
    assert (plate.name, plate.layout, [w.name for w in plate.wells]) == ("24277", "npz", ["A01", "B03"])
    assert plate.stains.complete
    found = plate.site("24277/A01/2").read()
    order = [4, 1, 2, 3, 0]  # DNA, ER, RNA, AGP, Mito in an array of Mito, ER, RNA, AGP, DNA
    np.testing.assert_array_equal(found, np.moveaxis(images[1], 2, 0)[order])
    assert any("by the order of CLOOME's archives" in p.what for p in plate.problems)
    assert any("8-bit" in p.what for p in plate.problems)


def test_the_users_word_stands_above_the_assumed_order(tmp_path):
    images = write_bray(tmp_path / "24277", "24277-A01-1")
    told = {stain: f"channel {i + 1}" for i, stain in enumerate(STAINS)}
    plate = open_plate(tmp_path / "24277", channels=told)
    np.testing.assert_array_equal(plate.sites[0].read(), np.moveaxis(images[0], 2, 0))
    assert set(plate.stains.sources.values()) == {"given by the user"}


def test_jump_archives_take_their_plate_from_the_folder(tmp_path):
    folder = tmp_path / "BR00116991"
    folder.mkdir()
    pixels = image(0)
    np.savez_compressed(folder / "r02c03-B03-4.npz", sample=pixels)
    plate = open_plate(folder)
    assert [site.id for site in plate.sites] == ["BR00116991/B03/4"]
    found = plate.sites[0].read([Stain.MITO, Stain.AGP, Stain.RNA, Stain.ER, Stain.DNA])
    np.testing.assert_array_equal(found, np.moveaxis(pixels, 2, 0))


def test_rxrx3_archives_leave_the_sixth_image_out(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "gene-001_Plate2_AA07.npz", images=pixels)
    plate = open_plate(tmp_path)
    assert (plate.name, plate.wells[0].name) == ("gene-001_2", "AA07")
    found = plate.sites[0].read([Stain.DNA, Stain.ER, Stain.AGP, Stain.RNA, Stain.MITO])
    np.testing.assert_array_equal(found, pixels[:5])
    assert "phalloidin alone stands for AGP" in plate.stains.ignored["channel 6"]


def test_several_plates_in_one_folder_are_chosen_by_name(tmp_path):
    write_bray(tmp_path / "all", "24277-A01-1", "24278-A01-1", "24278-A01-1 copy")
    with pytest.raises(PlateError, match=r"2 plates: choose one with name= \(24277, 24278\)"):
        open_plate(tmp_path / "all")
    plate = open_plate(tmp_path / "all", name="24278")
    assert [site.id for site in plate.sites] == ["24278/A01/1"]
    assert any("24278-A01-1 copy.npz" in problem.what for problem in plate.problems)


def test_another_number_of_channels_is_unmapped(tmp_path):
    np.savez(tmp_path / "P1-A01-1.npz", sample=image(0, channels=4))
    plate = open_plate(tmp_path)
    assert plate.stains.unmapped == ("channel 1", "channel 2", "channel 3", "channel 4")


def test_the_same_field_twice(tmp_path):
    write_bray(tmp_path / "p", "P1-A01-1", "P1-a1-1")
    plate = open_plate(tmp_path / "p")
    assert len(plate.sites) == 1
    assert any("is the same field as P1-A01-1.npz" in problem.what for problem in plate.problems)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def npy(header: bytes, content: bytes = b"") -> bytes:
    padded = header + b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + content


@pytest.mark.parametrize(
    "how", ["pickle", "object", "huge", "truncated", "other shape", "float16", "bare pickle"]
)
def test_hostile_and_damaged_archives_are_sentences_and_run_nothing(tmp_path, how):
    write_bray(tmp_path / "p", "P1-A01-1")
    bad, sprung = tmp_path / "p" / "P1-A02-1.npz", tmp_path / "sprung"
    if how == "bare pickle":
        bad.write_bytes(pickle.dumps(Trap(sprung)))
    elif how == "truncated":
        whole = (tmp_path / "p" / "P1-A01-1.npz").read_bytes()
        bad.write_bytes(whole[: len(whole) // 2])
    else:
        with zipfile.ZipFile(bad, "w") as archive:
            if how == "pickle":
                content = pickle.dumps(Trap(sprung))
            elif how == "object":
                content = npy(
                    b"{'descr': '|O', 'fortran_order': False, 'shape': (24, 28, 5), }",
                    pickle.dumps(Trap(sprung)),
                )
            elif how == "huge":
                content = npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 28, 5), }")
            else:
                other = image(0, channels=3) if how == "other shape" else image(0).astype(np.float16)
                buffer = io.BytesIO()
                np.save(buffer, other)
                content = buffer.getvalue()
            archive.writestr("sample.npy", content)
    plate = open_plate(tmp_path / "p")
    assert plate.well("A01").sites[0].read().shape == (5, 24, 28)
    with pytest.raises(PlateError, match=r"P1-A02-1\.npz"):
        plate.well("A02").sites[0].read()
    assert not sprung.exists()


def test_other_archives_are_no_plate(tmp_path):
    np.savez(tmp_path / "features.npz", embeddings=np.zeros((3, 5)))
    np.savez(tmp_path / "P1-A01-1.npz", embeddings=np.zeros((3, 5)))
    assert detect_layout(tmp_path) is None
    with pytest.raises(PlateError, match="holds no plate that can be read"):
        open_plate(tmp_path)


def test_arrays_held_for_the_next_stain_are_bounded_in_bytes(tmp_path, monkeypatch):
    opened = []
    read_array = np.lib.format.read_array
    monkeypatch.setattr(np.lib.format, "read_array", lambda *a, **k: opened.append(1) or read_array(*a, **k))
    images = write_bray(tmp_path / "24277", "24277-A01-1", "24277-A01-2", "24277-A02-1")
    plate = open_plate(tmp_path / "24277")
    npz.read_array.cache.clear()
    for site in plate.sites:
        site.read()  # five stains of one array
    assert len(opened) == len(images)
    assert npz.read_array.cache.currsize == 3 * images[0].nbytes
    assert npz.read_array.cache.maxsize == npz.CACHE_BYTES
