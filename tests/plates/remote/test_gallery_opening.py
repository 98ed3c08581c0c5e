from __future__ import annotations

import numpy as np

from napari_cellclip import PlateMap, open_plate
from napari_cellclip.plates import find_platemap
from napari_cellclip.vocabulary import Control
from tests.plates.remote.faulty_server import FaultyServer
from tests.plates.remote.made_gallery import BATCH, PLATE, PROJECT, SOURCE, MadeGallery


def test_plate_opens_with_stains_and_labels(gallery: MadeGallery, s3: FaultyServer) -> None:
    plate = open_plate(f"cpg://{PROJECT}/{SOURCE}/{PLATE}")
    assert not any(path.endswith(".tiff") for path in s3.asked)  # nothing is fetched before it is read
    assert plate.name == PLATE
    assert plate.layout == "load_data"
    assert plate.stains.complete
    assert plate.problems == ()
    assert [w.name for w in plate.wells] == [w.name for w in gallery.plate.wells]
    for ours, theirs in zip(plate.sites, gallery.plate.sites, strict=True):
        np.testing.assert_array_equal(ours.read(), theirs.read())
    labels = PlateMap.read(find_platemap(plate.path))
    first, second, third = (labels.get(well.name) for well in plate.wells[:3])
    assert (first.name, first.genes, first.control) == ("nocodazole", ("TUBB",), None)
    assert first.smiles.startswith("COC(=O)")
    assert second.control is Control.NEGATIVE
    assert third.control is Control.POSITIVE
    assert plate.address == f"cpg://{PROJECT}/{SOURCE}/{PLATE}"


def test_address_with_batch_is_the_same_plate(gallery: MadeGallery) -> None:
    plate = open_plate(f"cpg://{PROJECT}/{SOURCE}/{BATCH}/{PLATE}")
    assert len(plate.sites) == 12


def test_a_plate_map_that_the_gallery_has_no_longer_is_not_kept(gallery: MadeGallery) -> None:
    address = f"cpg://{PROJECT}/{SOURCE}/{PLATE}"
    assert find_platemap(open_plate(address).path) is not None
    listed = f"{PROJECT}/{SOURCE}/workspace/metadata/platemaps/{BATCH}/barcode_platemap.csv"
    gallery.put(listed, "Assay_Plate_Barcode,Plate_Map_Name\nBR1,JUMP-Target-1\n")
    plate = open_plate(address)
    assert find_platemap(plate.path) is None
    assert any("no plate map of this plate" in problem.what for problem in plate.problems)
