"""What the napari reader claims: every layout that opens as a plate, and no picture."""

from __future__ import annotations

import pytest

from napari_cellclip.gui.readers import get_plate_reader

ARRAY = '{"zarr_format": 3, "node_type": "array", "shape": [1, 5, 8, 8]}'
PLATES = {
    "phenix": ("BR1", {"BR1/Images/r01c01f01p01-ch1sk1fk1fl1.tiff": ""}),
    "phenix, lower case": ("BR1", {"BR1/images/r01c01f01p01-ch1sk1fk1fl1.tiff": ""}),
    "phenix index": (
        "BR1/Index.idx.xml",
        {"BR1/Index.idx.xml": "<x/>", "BR1/r01c01f01p01-ch1sk1fk1fl1.tiff": ""},
    ),
    "load_data": ("BR1", {"BR1/load_data.csv": "FileName_DNA\na.tif\n"}),
    "load_data of a version": ("BR1", {"BR1/load_data_version1.csv": "FileName_DNA\na.tif\n"}),
    "load_data table": (
        "BR1/BR1_load_data_with_illum.csv.gz",
        {"BR1/BR1_load_data_with_illum.csv.gz": ""},
    ),
    "tables and array": (
        "BR1",
        {
            "BR1/sites.csv": "well\nA01\n",
            "BR1/channels.csv": "channel\nDNA\n",
            "BR1/x.zarr/zarr.json": ARRAY,
        },
    ),
    "its array": (
        "BR1/x.zarr",
        {
            "BR1/sites.csv": "well\nA01\n",
            "BR1/channels.csv": "channel\nDNA\n",
            "BR1/x.zarr/zarr.json": ARRAY,
        },
    ),
    "ome-zarr": ("BR1.zarr", {"BR1.zarr/.zattrs": '{"plate": {}}'}),
    "ome-zarr by no name": ("BR1", {"BR1/zarr.json": '{"attributes": {"ome": {"plate": {}}}}'}),
    "folder of an ome-zarr": ("BR1", {"BR1/BR1.zarr/.zattrs": '{"plate": {}}'}),
    "tiff, wells": ("BR1", {"BR1/A01_s1_DNA.tif": "", "BR1/A01_s1_ER.tif": ""}),
    "tiff, sites": ("BR1", {"BR1/TimePoint_1/s1_w1.tif": "", "BR1/TimePoint_1/s1_w2.tif": ""}),
    "tiff, stains": ("BR1", {"BR1/images/Hoechst.tif": "", "BR1/images/Mito.tif": ""}),
    "several plates": (
        "batch",
        {f"batch/BR{i}/Images/r01c01f01p01-ch1sk1fk1fl1.tiff": "" for i in (1, 2)},
    ),
}
NO_PLATES = {
    "holidays": ("x", {"x/beach.tif": "", "x/me and Anna.tiff": "", "x/IMG_2041.tif": ""}),
    "numbered": ("x", {"x/stack_01.tif": "", "x/stack_02.tif": ""}),
    "empty": ("x", {"x/sub/.hidden.tif": ""}),
    "no images": ("x", {"x/notes.csv": "a,b\n1,2\n", "x/photo.jpg": ""}),
    "one TIFF of a plate": ("x/A01_s1_DNA.tif", {"x/A01_s1_DNA.tif": ""}),
    "one TIFF beside an index": (
        "x/r01c01f01p01-ch1sk1fk1fl1.tiff",
        {"x/r01c01f01p01-ch1sk1fk1fl1.tiff": "", "x/Index.idx.xml": ""},
    ),
    "a picture beside tables": (
        "x/a.png",
        {"x/a.png": "", "x/sites.csv": "", "x/channels.csv": "", "x/x.zarr/zarr.json": ARRAY},
    ),
    "an ome-zarr image": ("x.zarr", {"x.zarr/.zattrs": '{"multiscales": []}', "x.zarr/A01_s1_DNA.tif": ""}),
    "broken zarr": ("x.zarr", {"x.zarr/.zattrs": "{ broken"}),
    "encoded screen": ("x", {"x/screen.json": "{}", "x/A01_s1_DNA.tif": ""}),
    "not there": ("x", {}),
    "no path": ("x\0y", {}),
}


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("what", PLATES)
def test_every_layout_is_claimed(tmp_path, what):
    path, files = PLATES[what]
    write(tmp_path, files)
    assert get_plate_reader(str(tmp_path / path)) is not None


@pytest.mark.parametrize("what", NO_PLATES)
def test_what_is_no_plate_is_left_to_other_readers(tmp_path, what):
    path, files = NO_PLATES[what]
    write(tmp_path, files)
    assert get_plate_reader(f"{tmp_path}/{path}") is None


@pytest.mark.real_data
@pytest.mark.parametrize(
    "where",
    [
        "img_bray2017_plate24279",
        "img_bray2017_plate24279/images",
        "img_cpjump1_BR00117006",
        "img_jump_rab30",
        "img_jump_rab30/images.zarr",
        "img_pe2loaddata_phenix",
        "img_pe2loaddata_phenix/Version1",
        "img_pe2loaddata_phenix/Version1/load_data_version1.csv",
        "img_pe2loaddata_phenix/Version5/images/Index.idx.xml",
    ],
)
def test_real_sets_are_claimed(real_data, where):
    assert get_plate_reader(str(real_data / where)) is not None


@pytest.mark.real_data
def test_single_real_images_are_not_claimed(real_data):
    images = [f for f in real_data.glob("img_*/*ages/*.tif*") if f.is_file()]
    assert images
    assert [f for f in images if get_plate_reader(str(f))] == []
