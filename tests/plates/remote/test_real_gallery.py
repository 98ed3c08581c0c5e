"""Real fields, plate map, compounds and tables of the gallery, in the stand-in for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import PlateMap, fetch_plate, open_plate, search_gallery
from napari_cellclip.plates import find_platemap
from napari_cellclip.plates.remote.gallery.places import GalleryPlate, image_key
from napari_cellclip.vocabulary import Control
from tests.plates.remote.made_gallery import BUCKET, MOUNT, MadeGallery

pytestmark = pytest.mark.real_data

PROJECT, SOURCE, BATCH, PLATE = "cpg0000-jump-pilot", "source_4", "2020_11_04_CPJUMP1", "BR00117010"
CHANNELS = {"Mito": 1, "AGP": 2, "RNA": 3, "ER": 4, "DNA": 5}
WELLS = {"N09": "AMG900", "D14": "DMSO", "D08": "FK-866", "G21": "TC-S-7004"}


@pytest.fixture
def cpjump1(gallery: MadeGallery, real_data: Path) -> Path:
    """Four treated fields of CPJUMP1 with the plate map and the compounds of JUMP-Target-1."""
    gallery.empty()
    source = real_data / "img_cpjump1_treated" / "Images"
    images = f"{PROJECT}/{SOURCE}/images/{BATCH}/images/{PLATE}__2020-11-08T18_18_00-Measurement1/Images"
    for file in source.glob("*.tiff"):
        gallery.put(f"{images}/{file.name}", file.read_bytes())
    rows = []
    for well in WELLS:
        row = {"Metadata_Plate": PLATE, "Metadata_Well": well, "Metadata_Site": "5"}
        place = f"r{ord(well[0]) - 64:02d}c{int(well[1:]):02d}"
        for stain, number in CHANNELS.items():
            row[f"FileName_Orig{stain}"] = f"{place}f05p01-ch{number}sk1fk1fl1.tiff"
            row[f"PathName_Orig{stain}"] = f"{MOUNT}{images}/"
        rows.append(row)
    workspace = f"{PROJECT}/{SOURCE}/workspace"
    gallery.put(
        f"{workspace}/load_data_csv/{BATCH}/{PLATE}/load_data.csv", pd.DataFrame(rows).to_csv(index=False)
    )
    tables = real_data / "meta_jump_target"
    platemaps = f"{workspace}/metadata/platemaps/{BATCH}"
    gallery.put(
        f"{platemaps}/barcode_platemap.csv",
        f"Assay_Plate_Barcode,Plate_Map_Name\n{PLATE},JUMP-Target-1_compound_platemap\n",
    )
    name = "JUMP-Target-1_compound_platemap"
    gallery.put(f"{platemaps}/platemap/{name}.txt", (tables / f"{name}.tsv").read_bytes())
    for kind in ("compound", "crispr", "orf"):
        file = tables / f"JUMP-Target-1_{kind}_metadata.tsv"
        gallery.put(f"{workspace}/metadata/external_metadata/{file.name}", file.read_bytes())
    return source


def test_real_fields_with_their_compounds(cpjump1: Path, tmp_path: Path) -> None:
    plate = open_plate(f"cpg://{PROJECT}/{SOURCE}/{PLATE}")
    assert plate.stains.complete
    assert {site.well for site in plate.sites} == set(WELLS)
    local = open_plate(cpjump1, channels={stain: f"ch{n}" for stain, n in CHANNELS.items()})
    for site in plate.sites:
        expected = local.well(site.well).sites[0].read()
        np.testing.assert_array_equal(site.read(), expected)
    labels = PlateMap.read(find_platemap(plate.path))
    assert len(labels) == 384
    for well, name in WELLS.items():
        assert labels.get(well).name == name, well
    assert labels.get("D14").control is Control.NEGATIVE
    assert labels.get("N09").smiles
    assert "AURKB" in labels.get("N09").genes
    part = open_plate(fetch_plate(plate.address, tmp_path / "part", wells=["D08"], stains=["DNA"]))
    assert [site.id for site in part.sites] == [f"{PLATE}/D08/5"]
    (row,) = search_gallery(project=PROJECT, gene="NAMPT").to_dict("records")
    assert "D08" in row["wells"].split(",")
    assert "FK-866" in row["treatments"]


def test_paths_of_real_tables_are_followed(real_data: Path) -> None:
    """Every image of two published load_data tables lies below images/<batch>."""
    tables = real_data / "layout_load_data_csv"
    places = {
        "DCP_example_CPG_load_data.csv": GalleryPlate(
            "cpg0016-jump", "source_4", "2021_04_26_Batch1", "BR00117035"
        ),
        "cpg0014_BR00135656_load_data_with_illum.csv.gz": GalleryPlate(
            "cpg0014-jump-adipocyte", "broad", "2022_11_28_Batch1", "BR00135656"
        ),
    }
    for name, place in places.items():
        table = pd.read_csv(tables / name, dtype=str)
        channels = [c.removeprefix("FileName_") for c in table.columns if c.startswith("FileName_")]
        assert len(channels) in (5, 16)
        for channel in channels:
            for folder, file in zip(table[f"PathName_{channel}"], table[f"FileName_{channel}"], strict=True):
                key = image_key(place, folder, file)
                assert key is not None
                assert key.startswith(f"{BUCKET}/{place.project}/{place.source}/images/{place.batch}/")
