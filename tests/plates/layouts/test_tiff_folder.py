from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import open_plate
from napari_cellclip.plates.layouts.name_pattern import NamePattern, Parsed, guess_pattern
from napari_cellclip.vocabulary import STAINS, PlateError, Stain, well_name
from tests.plates.made_plates import image

DYES = {
    "Hoechst": Stain.DNA,
    "ERSyto": Stain.ER,
    "ERSytoBleed": Stain.RNA,
    "Ph_golgi": Stain.AGP,
    "Mito": Stain.MITO,
}
GUID = "BEDC2073-A983-4B98-95E9-84466707A25D"

# How people name files, with what must be understood of B03, site 2.
STYLES = [
    "{well}_s{site}_{dye}.tif",
    "{well}_{site}_{dye}.tiff",
    "{lower}-f{site:02d}-{dye}.TIF",
    "plate7_{well}_site{site}_{dye}.tif",
    "run 1 {well} field {site} {dye}.tif",
    "{well}/{site}/{dye}.tif",
    "{well}/site_{site}/{dye}.tif",
    "2024-01-31_{well}_{dye}_s{site}.tif",
    "{well}_{dye}_{site:03d}.tif",
    "images/IXMtest_{well}_s{site}_{dye}.tif",
]


@pytest.mark.parametrize("style", STYLES)
def test_common_ways_of_naming_files_are_guessed(style):
    wells = {"A01": "a1", "B03": "b3", "H12": "h12"}
    names = {
        style.format(well=w, lower=low, site=s, dye=d): (w, s, d)
        for w, low in wells.items()
        for s in (1, 2)
        for d in DYES
    }
    pattern = guess_pattern(list(names))
    for name, (well, site, dye) in names.items():
        parsed = pattern.parse(name)
        assert (parsed.well, parsed.site, Stain.recognise(parsed.channel)) == (well, site, DYES[dye]), (
            pattern.text
        )


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        (f"IXM_B03_s2_w4{GUID}.tif", ("B03", 2, "w4")),
        ("B03_s2_ch4.tif", ("B03", 2, "ch4")),
        ("B03_2_c4.ome.tif", ("B03", 2, "c4")),
        ("B03_w4.tif", ("B03", 0, "w4")),
        ("r02c03_s2_c4.tif", ("B03", 2, "c4")),
        ("B03_s2.ome.tiff", ("B03", 2, "")),
        ("B03.tif", ("B03", 0, "")),
        ("B03_2.tif", ("B03", 2, "")),
        ("fov2_Mito.tif", ("", 2, "Mito")),
        ("deep red.tif", ("", 0, "deep red")),
    ],
)
def test_codes_and_whole_sites(name, parsed):
    found = guess_pattern([name]).parse(name)
    assert (found.well, found.site, found.channel) == parsed


@given(
    row=st.integers(0, 15),
    column=st.integers(0, 23),
    site=st.integers(1, 99),
    stain=st.sampled_from(STAINS),
    prefix=st.from_regex(r"([a-z]{3,8}_){0,2}", fullmatch=True),
)
def test_what_a_template_writes_it_reads(row, column, site, stain, prefix):
    well = well_name(row, column)
    pattern = NamePattern.compile("{any}{well}_s{site}_{channel}")
    assert pattern.parse(f"{prefix}{well}_s{site}_{stain}.tif") == Parsed(well, site, str(stain))
    guessed = guess_pattern([f"{prefix}{well}_s{site}_{stain}.tif"])
    found = guessed.parse(f"{prefix}{well}_s{site}_{stain}.tif")
    assert (found.well, found.site, found.channel) == (well, site, str(stain))


@given(st.lists(st.text(max_size=40), max_size=5))
def test_guessing_survives_any_names(names):
    pattern = guess_pattern(names)
    for name in names:
        parsed = pattern.parse(name)
        assert parsed is None or isinstance(parsed, Parsed)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused_with_a_sentence(text):
    with suppress(PlateError):  # the only error it may raise
        found = NamePattern.compile(text).parse("B03_s2_Mito.tif")
        assert found is None or isinstance(found, Parsed)


@pytest.mark.parametrize(
    "text", ["{well}_{stian}", "{well}_{well}", "(?P<well>[A-Z", "(?P<well>x)(?P<well>y)"]
)
def test_malformed_patterns_are_refused(text):
    with pytest.raises(PlateError, match="pattern"):
        NamePattern.compile(text)


def write_stains(folder, style="{well}_s{site}_{dye}.tif", wells=("A01", "B03"), sites=(1, 2)):
    for i, well in enumerate(wells):
        for site in sites:
            for j, dye in enumerate(DYES):
                file = folder / style.format(well=well, site=site, dye=dye)
                file.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(file, image(1000 * i + 100 * site + j))
    return folder


def test_one_file_per_stain(tmp_path):
    plate = open_plate(write_stains(tmp_path / "P7"))
    assert (plate.name, plate.layout, plate.shape) == ("P7", "tiff-folder", (8, 12))
    assert [s.id for s in plate.sites] == ["P7/A01/1", "P7/A01/2", "P7/B03/1", "P7/B03/2"]
    assert plate.stains.channels == {stain: dye for dye, stain in DYES.items()}
    for j, plane in enumerate(plate.site("P7/B03/2").read(list(DYES.values()))):
        np.testing.assert_array_equal(plane, image(1200 + j))
    assert any("{well}_s{site}_{channel}" in p.what for p in plate.problems)


def test_a_pattern_overrides_the_guess(tmp_path):
    folder = write_stains(tmp_path / "P7", "x{site}y_{dye}.at.{well}.tif")
    plate = open_plate(folder, pattern="x{site}y_{channel}.at.{well}.tif")
    assert plate.sites[3].id == "P7/B03/2"
    assert plate.problems == ()
    by_expression = open_plate(folder, pattern=r"x(?P<site>\d+)y_(?P<channel>.+)\.at\.(?P<well>\w+)\.tif")
    assert [s.id for s in by_expression.sites] == [s.id for s in plate.sites]
    with pytest.raises(PlateError, match="no file name"):
        open_plate(folder, pattern="{well}-{site}-{channel}")


def test_rows_and_columns_may_be_numbers(tmp_path):
    folder = write_stains(tmp_path / "P7", "row2_col3_{site}_{dye}.tif", wells=("A01",))
    plate = open_plate(folder, pattern="row{row}_col{column}_{site}_{channel}")
    assert {w.name for w in plate.wells} == {"B03"}


def test_lone_fields_get_wells_of_their_own_and_say_so(tmp_path):
    plate = open_plate(write_stains(tmp_path / "P7" / "images", "{dye}.tif", wells=("A01",), sites=(1,)))
    assert plate.name == "P7"
    assert [(w.id, w.known) for w in plate.wells] == [("P7/field1", False)]
    assert plate.stains.complete
    assert plate.sites[0].read().shape == (5, 6, 8)
    assert any("no wells" in p.what for p in plate.problems)


def test_a_missing_and_a_doubled_file(tmp_path):
    folder = write_stains(tmp_path / "P7")
    (folder / "A01_s1_Mito.tif").unlink()
    tifffile.imwrite(folder / "A01_s2_Mito.tiff", image(1))
    tifffile.imwrite(folder / "notes about this.tif", image(1))
    plate = open_plate(folder)
    assert "no image of Mito" in plate.site("P7/A01/1").problem
    assert "more than one file" in plate.site("P7/A01/2").problem
    assert [s.problem for s in plate.well("B03").sites] == [None, None]
    assert any("notes about this.tif" in p.what for p in plate.problems)


def write_sites(folder, names=("Brightfield", "Mito", "AGP", "RNA", "ER", "DNA"), ome=True, **more):
    folder.mkdir()
    for i, name in enumerate(("A01_s1", "A01_s2", "B03_s1")):
        stack = np.stack([image(100 * i + c) for c in range(len(names))])
        metadata = {"axes": "CYX", "Channel": {"Name": list(names)}, **more} if ome else None
        file = folder / f"{name}{'.ome' * ome}.tif"
        tifffile.imwrite(file, stack, ome=ome, metadata=metadata, photometric="minisblack")
    return folder


def test_one_ome_tiff_per_site_is_read_by_its_channel_names(tmp_path):
    folder = write_sites(tmp_path / "P8", PhysicalSizeX=0.65, PhysicalSizeXUnit="µm")
    plate = open_plate(folder)
    assert plate.pixel_size == pytest.approx(0.65)
    assert [s.id for s in plate.sites] == ["P8/A01/1", "P8/A01/2", "P8/B03/1"]
    assert list(plate.stains.ignored) == ["Brightfield"]
    for plane, value in zip(plate.sites[2].read(), (205, 204, 203, 202, 201), strict=True):
        np.testing.assert_array_equal(plane, image(value))


def test_a_stack_without_names_is_unmapped(tmp_path):
    plate = open_plate(write_sites(tmp_path / "P8", ome=False))
    assert plate.stains.unmapped == tuple(f"channel {i}" for i in range(6))
    np.testing.assert_array_equal(plate.with_channels({"DNA": 5}).sites[0].read(["DNA"])[0], image(5))


def test_ome_depth_and_order_are_understood(tmp_path):
    data = np.random.default_rng(0).integers(0, 9999, (3, 2, 6, 8)).astype("uint16")  # Z, C, Y, X
    names = {"axes": "ZCYX", "Channel": {"Name": ["DNA", "ER"]}}
    tifffile.imwrite(tmp_path / "A01_s1.ome.tif", data, ome=True, metadata=names, photometric="minisblack")
    site = open_plate(tmp_path).sites[0]
    np.testing.assert_array_equal(site.read(["ER", "DNA"]), np.stack([data[:, 1].max(0), data[:, 0].max(0)]))


def test_an_imagej_stack_reads_by_its_labels(tmp_path):
    data = np.stack([image(0), image(100)])
    tifffile.imwrite(
        tmp_path / "B03.tif", data, imagej=True, metadata={"axes": "CYX", "Labels": ["Mito", "Hoechst"]}
    )
    np.testing.assert_array_equal(open_plate(tmp_path).sites[0].read(["DNA"])[0], image(100))


def test_a_site_with_fewer_channels_is_told(tmp_path):
    folder = write_sites(tmp_path / "P8")
    tifffile.imwrite(
        folder / "B03_s1.ome.tif", np.stack([image(c) for c in range(5)]), photometric="minisblack"
    )
    plate = open_plate(folder)
    with pytest.raises(PlateError, match="5 channels where the first file of the plate has 6"):
        plate.well("B03").sites[0].read()


def test_a_damaged_first_file_does_not_close_the_plate(tmp_path):
    folder = write_sites(tmp_path / "P8")
    (folder / "A01_s1.ome.tif").write_bytes(b"")
    plate = open_plate(folder)
    assert plate.stains.complete
    assert plate.sites[1].read().shape == (5, 6, 8)
    with pytest.raises(PlateError, match="empty"):
        plate.sites[0].read()
    for file in folder.iterdir():
        file.write_bytes(b"II*\0")
    with pytest.raises(PlateError, match="damaged"):
        open_plate(folder)


def test_ome_xml_with_entities_is_refused(tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><OME><Image><Pixels SizeC="1">&x;</Pixels></Image></OME>'
    tifffile.imwrite(tmp_path / "A01_s1.ome.tif", image(1), description=bomb, metadata=None)
    with pytest.raises(PlateError, match="unsafe"):
        open_plate(tmp_path)


def test_ome_xml_that_names_another_file_is_not_followed(tmp_path):
    folder = tmp_path / "P9"
    folder.mkdir()
    tifffile.imwrite(tmp_path / "secret.ome.tif", image(777))
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels DimensionOrder="XYCZT" '
        'SizeX="8" SizeY="6" SizeC="1" SizeZ="1" SizeT="1" Type="uint16"><Channel Name="DNA"/>'
        '<TiffData IFD="0"><UUID FileName="../secret.ome.tif">urn:uuid:x</UUID></TiffData></Pixels></Image></OME>'
    )
    tifffile.imwrite(folder / "A01_s1.ome.tif", image(5), description=xml, metadata=None)
    np.testing.assert_array_equal(open_plate(folder).sites[0].read(["DNA"])[0], image(5))


def test_rgb_pictures_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "A01_s1.tif", np.zeros((6, 8, 3), "uint8"), photometric="rgb")
    with pytest.raises(PlateError, match="RGB"):
        open_plate(tmp_path)
