from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellclip.plates import open_plate
from napari_cellclip.plates.layouts.microscopes.phenix_index import read_index
from napari_cellclip.vocabulary import STAINS, PlateError, Stain, StainError
from tests.plates.made_plates import PHENIX_CHANNELS, image, level, phenix_index

CHANNEL_OF = {Stain.DNA: 5, Stain.ER: 4, Stain.RNA: 3, Stain.AGP: 2, Stain.MITO: 1}


def test_stains_come_from_the_index_and_never_from_the_channel_number(phenix):
    plate = open_plate(phenix())
    assert plate.name == "BR1"
    assert plate.layout == "phenix"
    assert plate.shape == (16, 24)
    assert plate.pixel_size == pytest.approx(0.598)
    assert [w.name for w in plate.wells] == ["A01", "B03"]
    assert [s.id for s in plate.sites] == ["BR1/A01/1", "BR1/A01/2", "BR1/B03/1", "BR1/B03/2"]
    assert plate.stains.complete
    assert "HOECHST 33342" in plate.stains.sources[Stain.DNA]
    assert list(plate.stains.ignored) == ["Brightfield"]
    assert plate.problems == ()
    pixels = plate.site("BR1/B03/2").read()
    assert pixels.dtype == np.uint16
    for plane, stain in zip(pixels, STAINS, strict=True):
        np.testing.assert_array_equal(plane, image(level(2, 3, 2, CHANNEL_OF[stain])))


def test_stains_are_read_in_the_order_asked_for(phenix):
    site = open_plate(phenix()).sites[1]
    np.testing.assert_array_equal(site.read([Stain.MITO, Stain.DNA]), site.read()[[4, 0]])
    assert site.shape == (6, 8)


def test_positions_are_micrometres_from_the_well_centre(phenix):
    assert open_plate(phenix()).sites[1].position == pytest.approx((-200.0, 200.0))


@pytest.mark.parametrize("part", ["", "Images", "Images/Index.idx.xml"])
def test_folder_images_folder_and_index_all_open_the_same_plate(phenix, part):
    assert len(open_plate(phenix() / part).sites) == 4


def test_without_an_index_the_plate_is_unmapped_until_told(phenix):
    plate = open_plate(phenix(index=False))
    assert plate.name == "BR1"
    assert plate.stains.unmapped == tuple(f"ch{n}" for n in PHENIX_CHANNELS)
    assert plate.stains.channels == {}
    with pytest.raises(StainError, match=r"channels=.*--channel"):
        plate.require_stains()
    told = plate.with_channels({"DNA": "ch5", Stain.ER: 4, "rna": "3", "AGP": "CH2", "Mito": "ch1"})
    told.require_stains()
    np.testing.assert_array_equal(told.sites[0].read(["DNA"])[0], image(level(1, 1, 1, 5)))
    assert told.stains.unmapped == ("ch6",)


def test_a_correction_keeps_the_other_stains_and_frees_the_channel(phenix):
    plate = open_plate(phenix()).with_channels({"RNA": "ch4"})
    assert plate.stains.channels[Stain.RNA] == "Alexa 488"
    assert plate.stains.missing == (Stain.ER,)
    again = plate.with_channels({"ER": "488 long"})
    assert again.stains.channels[Stain.ER] == "488 long"
    assert again.stains.channels[Stain.RNA] == "Alexa 488"
    assert again.stains.complete


@pytest.mark.parametrize(
    ("channels", "says"),
    [({"DNA": "ch9"}, "no channel 'ch9'"), ({"Golgi stack": 1, "AGP": 2}, None), ({"xyz": "ch1"}, "not a stain"),
     ({"DNA": "ch1", "ER": 1}, "two stains")],
)  # fmt: skip
def test_a_wrong_correction_is_refused(phenix, channels, says):
    folder = phenix()
    if says is None:
        assert open_plate(folder, channels=channels).stains.channels[Stain.AGP] == "Alexa 568"
    else:
        with pytest.raises(StainError, match=says):
            open_plate(folder, channels=channels)


def test_a_channel_named_by_nothing_is_known_by_its_wavelengths(phenix):
    channels = {n: (f"Camera {n}", ex, em) for n, (_, ex, em) in PHENIX_CHANNELS.items() if n != 6}
    plate = open_plate(phenix(channels=channels))
    assert {s: plate.stains.channels[s] for s in STAINS} == {s: f"Camera {n}" for s, n in CHANNEL_OF.items()}
    assert "405 nm" in plate.stains.sources[Stain.DNA]


def test_two_channels_that_claim_one_stain_are_left_to_the_user(phenix):
    channels = {**PHENIX_CHANNELS, 7: ("DAPI", 405, 456)}
    plate = open_plate(phenix(channels=channels))
    assert Stain.DNA in plate.stains.missing
    assert set(plate.stains.unmapped) == {"HOECHST 33342", "DAPI"}
    assert any("DNA" in p.what for p in plate.problems)
    assert plate.with_channels({"DNA": "DAPI"}).stains.complete


def test_a_missing_file_is_the_problem_of_one_site_only(phenix):
    folder = phenix()
    (folder / "Images" / "r01c01f02p01-ch1sk1fk1fl1.tiff").unlink()
    plate = open_plate(folder)
    bad = plate.site("BR1/A01/2")
    assert "Mito" in bad.problem
    assert Stain.MITO not in bad.stains
    assert [s.problem for s in plate.sites if s is not bad] == [None, None, None]
    assert [p.subject for p in plate.problems] == [bad.id]
    with pytest.raises(PlateError, match=r"A01/2.*Mito"):
        bad.read()
    assert bad.read(["DNA"]).shape == (1, 6, 8)


def test_a_field_the_instrument_listed_but_nobody_copied_is_not_forgotten(phenix):
    folder = phenix()
    for file in (folder / "Images").glob("r02c03f01*"):
        file.unlink()
    plate = open_plate(folder)
    assert len(plate.sites) == 4
    assert "no image of DNA" in plate.site("BR1/B03/1").problem


def test_duplicate_files_are_named_and_only_their_site_suffers(phenix):
    folder = phenix()
    name = "r01c01f01p01-ch5sk1fk1fl1"
    (folder / "Images" / f"{name}.tif").write_bytes((folder / "Images" / f"{name}.tiff").read_bytes())
    plate = open_plate(folder)
    with pytest.raises(PlateError, match=rf"more than one file.*{name}\.tif.*{name}\.tiff"):
        plate.sites[0].read()
    assert plate.sites[1].read().shape == (5, 6, 8)


def test_focal_planes_are_projected(phenix):
    folder = phenix(fields=1)
    brighter = image(9000)
    tifffile.imwrite(folder / "Images" / "r01c01f01p02-ch5sk1fk1fl1.tiff", brighter)
    np.testing.assert_array_equal(open_plate(folder).sites[0].read(["DNA"])[0], brighter)


def test_later_time_points_are_left_out_and_told(phenix):
    folder = phenix(fields=1)
    tifffile.imwrite(folder / "Images" / "r01c01f01p01-ch5sk2fk1fl1.tiff", image(9000))
    plate = open_plate(folder)
    assert plate.sites[0].read(["DNA"]).max() < 9000
    assert any("time point" in p.what for p in plate.problems)


def test_a_row_that_no_plate_has_is_left_out(phenix):
    folder = phenix(index=False)
    tifffile.imwrite(folder / "Images" / "r99c01f01p01-ch5sk1fk1fl1.tiff", image(1))
    plate = open_plate(folder)
    assert len(plate.wells) == 2
    assert any("r99c01" in p.subject for p in plate.problems)


def test_entities_in_an_index_are_refused_and_the_plate_still_opens(phenix):
    folder = phenix()
    bomb = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]>'
    index = folder / "Images" / "Index.idx.xml"
    index.write_text(phenix_index([(1, 1)], 1, PHENIX_CHANNELS, head=bomb).replace("<State>Ok", "<State>&y;"))
    with pytest.raises(PlateError, match="refused for safety"):
        read_index(index)
    plate = open_plate(folder)
    assert plate.stains.unmapped
    assert any("safety" in p.what for p in plate.problems)


@pytest.mark.parametrize(
    "text", ["<a><b></a>", "", "no xml", "<a/>", "<a><Image><Row>x</Row></Image></a>", "<a><Image/></a>"]
)
def test_a_damaged_index_is_told_and_the_file_names_are_used(phenix, text):
    folder = phenix()
    (folder / "Images" / "Index.idx.xml").write_text(text)
    plate = open_plate(folder)
    assert len(plate.sites) == 4
    assert any("Index.idx.xml" in p.subject for p in plate.problems)


def test_newer_indices_name_channels_in_their_maps_only(phenix):
    folder = phenix()
    index = folder / "Images" / "Index.idx.xml"
    text = re.sub("<ChannelName>.*?</ChannelName>", "", index.read_text(encoding="utf-8-sig"))
    entries = "".join(
        f'<Entry ChannelID="{n}"><ChannelName>{name}</ChannelName></Entry>'
        for n, (name, *_) in PHENIX_CHANNELS.items()
    )
    index.write_text(text.replace("<Images>", f"<Maps><Map>{entries}</Map></Maps><Images>"), encoding="utf-8")
    plate = open_plate(folder)
    assert plate.stains.complete
    assert plate.stains.channels[Stain.DNA] == "HOECHST 33342"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_folder_are_not_followed(phenix, tmp_path):
    folder = phenix(fields=1)
    secret = tmp_path / "secret.tiff"
    tifffile.imwrite(secret, image(7))
    target = folder / "Images" / "r01c01f01p01-ch5sk1fk1fl1.tiff"
    target.unlink()
    target.symlink_to(secret)
    plate = open_plate(folder)
    assert any("link" in p.what for p in plate.problems)
    with pytest.raises(PlateError, match="no image of DNA"):
        plate.sites[0].read(["DNA"])


def test_several_plates_in_a_folder_ask_which(phenix, tmp_path):
    phenix(folder="BR1")
    phenix(folder="BR2")
    with pytest.raises(PlateError, match="BR1, BR2"):
        open_plate(tmp_path)
    assert open_plate(tmp_path, name="BR2").name == "BR2"


def test_opening_a_whole_plate_touches_no_image(tmp_path, monkeypatch):
    """384 wells, nine fields: 17280 files that would not even be readable."""
    wells = [(r, c) for r in range(1, 17) for c in range(1, 25)]
    channels = {n: c for n, c in PHENIX_CHANNELS.items() if n != 6}
    images = tmp_path / "BR9" / "Images"
    images.mkdir(parents=True)
    for r, c in wells:
        for f in range(1, 10):
            for ch in channels:
                os.close(
                    os.open(
                        images / f"r{r:02d}c{c:02d}f{f:02d}p01-ch{ch}sk1fk1fl1.tiff", os.O_CREAT | os.O_WRONLY
                    )
                )
    (images / "Index.idx.xml").write_text(phenix_index(wells, 9, channels))
    monkeypatch.setattr(tifffile, "TiffFile", lambda *a, **k: pytest.fail("an image file was opened"))
    plate = open_plate(tmp_path / "BR9")
    assert len(plate.wells) == 384
    assert len(plate.sites) == 3456
    assert plate.stains.complete


def test_files_of_a_known_state_are_not_looked_up_again_for_the_fingerprint(phenix, monkeypatch):
    plate = open_plate(phenix())
    looked_up = Counter()
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **k: looked_up.update([self.name]) or stat(self, **k))
    states = plate.file_states()
    first = plate.fingerprint(states)
    assert list(states) == [site.id for site in plate.sites]
    assert looked_up == Counter(file.name for site in plate.sites for file in site.files)
    assert plate.fingerprint() == first


def test_pixels_are_read_without_a_further_look_at_the_file(phenix, monkeypatch):
    site = open_plate(phenix()).sites[0]
    looked_up = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **k: looked_up.append(self.name) or stat(self, **k))
    assert site.read().shape == (5, 6, 8)
    assert looked_up == []


def test_fingerprint_changes_with_files_and_mapping_only(phenix):
    folder = phenix()
    first = open_plate(folder).fingerprint()
    assert open_plate(folder).fingerprint() == first
    assert open_plate(folder).with_channels({"ER": "ch3", "RNA": "ch4"}).fingerprint() != first
    tifffile.imwrite(folder / "Images" / "r01c01f01p01-ch5sk1fk1fl1.tiff", image(1, (7, 8)))
    assert open_plate(folder).fingerprint() != first


def test_wells_and_sites_are_found_by_name_and_id(phenix):
    plate = open_plate(phenix())
    assert plate.well("b3") is plate.well("BR1/B03")
    assert plate.site("BR1/B03/2").well_id == "BR1/B03"
    for wrong in ("P24", "nonsense", "other/B03"):
        with pytest.raises(PlateError, match="no images of well"):
            plate.well(wrong)
    with pytest.raises(PlateError, match="no site"):
        plate.site("BR1/B03/9")


@pytest.mark.parametrize(
    "space",
    [
        "http://www.perkinelmer.com/PEHH/HarmonyV4",
        "http://www.perkinelmer.com/PEHH/HarmonyV5",
        "http://www.perkinelmer.com/PEHH/HarmonyV6",
        "43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7",
    ],
)
@pytest.mark.parametrize("name", ["Index.idx.xml", "Index.ref.xml", "Index.xml"])
def test_indices_of_all_versions_of_harmony_are_read(phenix, space, name):
    folder = phenix()
    index = folder / "Images/Index.idx.xml"
    text = index.read_text(encoding="utf-8-sig").replace("http://www.perkinelmer.com/PEHH/HarmonyV5", space)
    index.unlink()
    (folder / "Images" / name).write_text(text, encoding="utf-8-sig")
    plate = open_plate(folder)
    assert plate.stains.complete
    assert plate.pixel_size == pytest.approx(0.598)
