from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import open_plate
from napari_cellclip.plates.layouts.load_data import ImageFinder
from napari_cellclip.vocabulary import STAINS, PlateError, Stain
from tests.plates.made_plates import image

CLUSTER = "/home/ubuntu/bucket/cpg0016-jump/source_4/images/BR1/Images"
CHANNELS = ["OrigRNA", "OrigDNA", "OrigMito", "OrigAGP", "OrigER", "OrigBrightfield"]


def write_table(folder: Path, rows, name: str = "load_data.csv", path: str = CLUSTER, extra=()) -> Path:
    """A table of rows (plate, well, site); file names are ``PLATE_WELL_SITE_CHANNEL.tif``."""
    folder.mkdir(exist_ok=True, parents=True)
    heads = [f"{kind}_{c}" for c in CHANNELS for kind in ("FileName", "PathName")]
    lines = [",".join(["Metadata_Plate", "Metadata_Well", "Metadata_Site", *heads, *(k for k, _ in extra)])]
    for plate, well, site in rows:
        cells = [cell for c in CHANNELS for cell in (f"{plate}_{well}_{site}_{c}.tif", path)]
        lines.append(",".join([plate, well, str(site), *cells, *(v for _, v in extra)]))
    text = "\n".join(lines) + "\n"
    table = folder / name
    table.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return table


def write_images(folder: Path, rows) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for i, (plate, well, site) in enumerate(rows):
        for j, channel in enumerate(CHANNELS):
            tifffile.imwrite(folder / f"{plate}_{well}_{site}_{channel}.tif", image(100 * i + j))


ROWS = [("BR1", "A01", 1), ("BR1", "A01", 2), ("BR1", "p24", 1)]


@pytest.mark.parametrize("name", ["load_data.csv", "load_data.csv.gz", "load_data_with_illum.csv"])
@pytest.mark.parametrize("openable", ["folder", "table"])
def test_somebody_elses_paths_are_found_again_by_file_name(tmp_path, name, openable):
    table = write_table(tmp_path / "p", ROWS, name)
    write_images(tmp_path / "p" / "deep" / "images", ROWS)
    plate = open_plate(table if openable == "table" else tmp_path / "p")
    assert (plate.name, plate.layout, plate.shape) == ("BR1", "load_data", (16, 24))
    assert [s.id for s in plate.sites] == ["BR1/A01/1", "BR1/A01/2", "BR1/P24/1"]
    assert plate.problems == ()
    assert list(plate.stains.ignored) == ["OrigBrightfield"]
    pixels = plate.sites[1].read()
    for plane, stain in zip(pixels, STAINS, strict=True):
        np.testing.assert_array_equal(plane, image(100 + CHANNELS.index(f"Orig{stain}")))


def test_sites_may_be_counted_from_zero(tmp_path):
    rows = [("BR1", "A01", 0), ("BR1", "A01", 1)]
    table = write_table(tmp_path / "p", rows)
    write_images(tmp_path / "p", rows)
    plate = open_plate(table)
    assert [site.id for site in plate.sites] == ["BR1/A01/0", "BR1/A01/1"]
    assert not any(site.problem for site in plate.sites)


def test_an_image_root_is_searched_instead_of_the_tables_folder(tmp_path):
    table = write_table(tmp_path / "tables", ROWS)
    write_images(tmp_path / "images", ROWS)
    lost = open_plate(table)
    assert "image_root" in lost.problems[0].what
    assert all("not found" in s.problem for s in lost.sites)
    with pytest.raises(PlateError, match="not found"):
        lost.sites[0].read()
    found = open_plate(table, image_root=tmp_path / "images")
    assert found.problems == ()
    assert found.sites[0].read().shape == (5, 6, 8)
    with pytest.raises(PlateError, match="not a folder"):
        open_plate(table, image_root=tmp_path / "nowhere")


@pytest.mark.parametrize("path", ["..", "../secret", "", "C:\\data\\..\\secret"])
def test_no_path_in_a_table_leads_out_of_the_folder(tmp_path, path):
    write_images(tmp_path / "secret", ROWS)
    write_images(tmp_path, ROWS)
    plate = open_plate(write_table(tmp_path / "p", ROWS, path=path or str(tmp_path / "secret")))
    assert all("not found" in s.problem for s in plate.sites)


def test_a_file_name_with_a_path_in_it_is_only_a_name(tmp_path):
    write_images(tmp_path / "p" / "images", ROWS)
    tifffile.imwrite(tmp_path / "secret.tif", image(9))
    table = write_table(tmp_path / "p", ROWS)
    text = table.read_text().replace("BR1_A01_1_OrigDNA.tif", "../secret.tif")
    table.write_text(text.replace("BR1_A01_2_OrigDNA.tif", str(tmp_path / "secret.tif")))
    plate = open_plate(table)
    assert [Stain.DNA in s.stains for s in plate.sites] == [False, False, True]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_root_are_refused_and_links_within_it_work(tmp_path):
    write_images(tmp_path / "elsewhere", ROWS)
    table = write_table(tmp_path / "p", ROWS)
    write_images(tmp_path / "p" / "store", ROWS[1:])
    (tmp_path / "p" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "p" / "BR1_A01_1_OrigDNA.tif").symlink_to(tmp_path / "elsewhere" / "BR1_A01_1_OrigDNA.tif")
    plate = open_plate(table)
    assert "not found" in plate.sites[0].problem
    assert any("link" in p.what for p in plate.problems)
    assert plate.sites[1].problem is None


def test_the_same_file_name_in_two_folders_is_told_apart_by_its_folder(tmp_path):
    root = tmp_path / "p"
    write_images(root / "BR1" / "Images", ROWS)
    write_images(root / "BR2" / "Images", ROWS)
    tifffile.imwrite(root / "BR1" / "Images" / "BR1_A01_1_OrigDNA.tif", image(5000))
    plate = open_plate(write_table(root, ROWS))
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], image(5000))
    undecided = open_plate(write_table(root, ROWS, path="/somewhere/else"))
    assert "more than one file" in undecided.sites[0].problem


def test_several_plates_ask_for_a_name(tmp_path):
    rows = [*ROWS, ("BR2", "B02", 1)]
    table = write_table(tmp_path / "p", rows)
    write_images(tmp_path / "p", rows)
    with pytest.raises(PlateError, match=r"2 plates.*name=.*BR1, BR2"):
        open_plate(table)
    with pytest.raises(PlateError, match="no plate 'BR7'"):
        open_plate(table, name="BR7")
    assert [w.id for w in open_plate(table, name="BR2").wells] == ["BR2/B02"]


def test_a_site_listed_twice_with_different_files_is_the_problem_of_that_site(tmp_path):
    table = write_table(tmp_path / "p", ROWS)
    write_images(tmp_path / "p", ROWS)
    extra = table.read_text().splitlines()[1].replace("BR1_A01_1_", "BR1_A01_2_")
    table.write_text(table.read_text() + extra + "\n")
    plate = open_plate(table)
    assert [s.id for s in plate.sites if s.problem] == ["BR1/A01/1"]
    with pytest.raises(PlateError, match="more than one file"):
        plate.sites[0].read()


def test_rows_with_a_bad_well_are_left_out_and_told(tmp_path):
    rows = [*ROWS, ("BR1", "Q99x", 1)]
    write_images(tmp_path / "p", ROWS)
    plate = open_plate(write_table(tmp_path / "p", rows))
    assert len(plate.sites) == 3
    assert any("line 5" in p.subject for p in plate.problems)


def test_fields_without_wells_get_wells_of_their_own_and_say_so(tmp_path):
    rows = [("BR1", "", 1), ("BR1", "", 2)]
    write_images(tmp_path / "p", rows)
    plate = open_plate(write_table(tmp_path / "p", rows))
    assert [(w.name, w.known) for w in plate.wells] == [("field1", False), ("field2", False)]
    assert plate.shape == (1, 2)
    assert any("no wells" in p.what for p in plate.problems)


def test_row_and_column_numbers_do_for_a_well(tmp_path):
    table = write_table(tmp_path / "p", ROWS[:1], extra=(("Metadata_Row", "3"), ("Metadata_Col", "7")))
    table.write_text(table.read_text().replace("Metadata_Well", "Metadata_Comment"))
    assert open_plate(table).wells[0].name == "C07"


def test_resolution_and_frames_are_read(tmp_path):
    extra = (("Metadata_ImageResolutionX", "5.98E-07"), ("Frame_OrigDNA", "2"))
    table = write_table(tmp_path / "p", ROWS[:1], extra=extra)
    write_images(tmp_path / "p", ROWS[:1])
    stack = np.stack([image(1000 * i) for i in range(3)])
    tifffile.imwrite(tmp_path / "p" / "BR1_A01_1_OrigDNA.tif", stack, photometric="minisblack")
    plate = open_plate(table)
    assert plate.pixel_size == pytest.approx(0.598)
    np.testing.assert_array_equal(plate.sites[0].read(["DNA"])[0], stack[2])


def test_urls_are_names_too(tmp_path):
    folder = tmp_path / "p"
    write_images(folder, ROWS[:1])
    head = ",".join(f"URL_{c}" for c in CHANNELS)
    urls = ",".join(f"s3://bucket/x/BR1_A01_1_{c}.tif" for c in CHANNELS)
    (folder / "load_data.csv").write_text(f"Metadata_Well,{head}\nA01,{urls}\n")
    assert open_plate(folder).sites[0].read().shape == (5, 6, 8)


@given(name=st.text(max_size=30), folder=st.text(max_size=30))
def test_finding_never_leaves_the_root(tmp_path_factory, name, folder):
    root = tmp_path_factory.getbasetemp() / "finder"
    (root / "in").mkdir(parents=True, exist_ok=True)
    (root / "in" / "a.tif").touch()
    (root.parent / "out.tif").touch()
    finder = ImageFinder(root)
    for text in (name, f"../{name}", "../out.tif", f"{name}/../../out.tif", str(root.parent / "out.tif")):
        for found in finder.find(text, folder):
            assert found.is_relative_to(root)
            assert ".." not in found.parts
