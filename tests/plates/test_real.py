"""Every real set opens with the right stains, or is refused for the right reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.plates.images.field_quality import CELLS, FAINT, column, measure_field
from napari_cellclip.vocabulary import STAINS, Control, Kind, Stain, StainError

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize("part", ["Version1", "Version1/images", "Version1/load_data_version1.csv"])
def test_phenix_with_index_has_all_five(real_data, part):
    root = real_data / "img_pe2loaddata_phenix"
    plate = open_plate(root / part)
    plate.require_stains()
    assert plate.name == "BR00121482"
    assert plate.pixel_size == pytest.approx(0.598, abs=1e-3)
    assert len(plate.stains.ignored) == 1
    assert plate.stains.unmapped == ()
    assert plate.problems == ()
    channels = {Stain.MITO: 1, Stain.AGP: 2, Stain.RNA: 3, Stain.ER: 4, Stain.DNA: 5}
    pixels = plate.sites[0].read()
    assert pixels.shape == (5, 1080, 1080)
    for stain, plane in zip(STAINS, pixels, strict=True):
        file = root / "Version1/images" / f"r01c01f01p01-ch{channels[stain]}sk1fk1fl1.tiff"
        np.testing.assert_array_equal(plane, tifffile.imread(file))


@pytest.mark.parametrize("part", ["Version5", "Version5/load_data_version5.csv"])
def test_phenix_without_hoechst_opens_and_is_refused_where_dna_is_needed(real_data, part):
    plate = open_plate(real_data / "img_pe2loaddata_phenix" / part)
    assert plate.stains.missing == (Stain.DNA,)
    assert len(plate.stains.ignored) == 2
    with pytest.raises(StainError, match="without DNA"):
        plate.require_stains()
    assert plate.sites[0].read(["Mito"]).shape == (1, 1080, 1080)


def test_phenix_without_index_is_unmapped_and_says_what_to_pass(real_data):
    folder = real_data / "img_cpjump1_BR00117006"
    plate = open_plate(folder)
    assert plate.stains.unmapped == ("ch2", "ch3", "ch5")
    with pytest.raises(StainError, match=r"channels=.*--channel"):
        plate.require_stains()
    told = open_plate(folder, channels={"AGP": "ch2", "RNA": "ch3", "DNA": "ch5"})
    assert set(told.stains.channels) == {Stain.AGP, Stain.RNA, Stain.DNA}
    with pytest.raises(StainError, match="ER and Mito"):
        told.require_stains()
    expected = tifffile.imread(folder / "Images/r01c01f01p01-ch5sk1fk1fl1.tiff")
    np.testing.assert_array_equal(told.sites[0].read(["DNA"])[0], expected)


def test_plain_zarr_takes_the_order_of_its_channel_table(real_data):
    import zarr

    plate = open_plate(real_data / "img_jump_rab30")
    plate.require_stains()
    assert plate.stains.available == ("AGP", "DNA", "ER", "Mito", "RNA")
    array = zarr.open_array(real_data / "img_jump_rab30/images.zarr/images", mode="r")
    stored = np.asarray(array[0])[[1, 2, 4, 0, 3]]
    np.testing.assert_array_equal(plate.well("G01").sites[0].read(), stored)
    assert {w.name for w in plate.wells} == {"G01", "L07"}
    assert open_plate(real_data / "img_jump_rab30", name="CP-CC9-R1-05").sites[0].id == "CP-CC9-R1-05/L07/0"


def test_lone_bray_field_has_all_five_and_a_well_of_its_own(real_data):
    plate = open_plate(real_data / "img_bray2017_plate24279")
    plate.require_stains()
    names = ("Hoechst", "ERSyto", "ERSytoBleed", "Ph_golgi", "Mito")
    assert plate.stains.channels == dict(zip(STAINS, names, strict=True))
    assert [w.known for w in plate.wells] == [False]
    assert any("well of its own" in p.what for p in plate.problems)
    images = [tifffile.imread(real_data / f"img_bray2017_plate24279/images/{n}.tif") for n in names]
    np.testing.assert_array_equal(plate.sites[0].read(), np.stack(images))


@pytest.mark.parametrize("variant", ["", "_with_illum"])
def test_whole_load_data_tables(real_data, variant):
    table = real_data / f"layout_load_data_csv/cpg0014_BR00135656_load_data{variant}.csv.gz"
    plate = open_plate(table)
    assert (len(plate.wells), len(plate.sites), plate.shape) == (384, 3456, (16, 24))
    assert plate.stains.complete
    assert len(plate.stains.ignored) == 3
    assert "image_root" in plate.problems[0].what
    assert len(plate.problems) < 30


def test_distributed_cellprofiler_table(real_data):
    plate = open_plate(real_data / "layout_load_data_csv/DCP_example_CPG_load_data.csv")
    assert (plate.name, len(plate.wells), len(plate.sites)) == ("BR00117035", 24, 216)
    assert plate.stains.complete


# Counted in the tables themselves: rows without a sample, and control_type of those with one.
@pytest.mark.parametrize(
    ("name", "kind", "negative", "positive"),
    [
        ("JUMP-Target-1_compound", Kind.COMPOUND, 64, 60),
        ("JUMP-Target-2_compound", Kind.COMPOUND, 64, 60),
        ("JUMP-Target-1_crispr", Kind.CRISPR, 60, 60),
        ("JUMP-Target-1_orf", Kind.ORF, 60, 60),
        ("JUMP-MOA_compound", Kind.COMPOUND, 24, 0),
    ],
)
def test_jump_maps_joined_with_their_metadata(real_data, name, kind, negative, positive):
    folder = real_data / "meta_jump_target"
    platemap = PlateMap.read(folder / f"{name}_platemap.tsv", folder / f"{name}_metadata.tsv")
    wells = list(platemap.wells.values())
    assert len(wells) == 384
    assert platemap.problems == ()
    assert sum(p.control is Control.NEGATIVE for p in wells) == negative
    assert sum(p.control is Control.POSITIVE for p in wells) == positive
    assert {p.kind for p in wells if p.control is None} == {kind}
    joined = pd.read_csv(folder / f"{name}_platemap.tsv", sep="\t").merge(
        pd.read_csv(folder / f"{name}_metadata.tsv", sep="\t").dropna(subset="broad_sample"),
        on="broad_sample",
    )
    column = "pert_iname" if "pert_iname" in joined else "gene"
    for row in joined.dropna(subset=column).itertuples():
        assert platemap.get(row.well_position).name == getattr(row, column)


def test_blur_shows_in_every_stain_of_real_fields(real_data):
    """Real fields blurred by a Gaussian of two pixels, with shot noise added again, are steeper."""
    rng = np.random.default_rng(0)
    for folder in ("img_jump_rab30", "img_bray2017_plate24279"):
        for site in open_plate(real_data / folder).sites:
            pixels = site.read(STAINS)
            blurred = np.stack([ndimage.gaussian_filter(image.astype(float), 2) for image in pixels])
            noisy = np.clip(blurred + rng.normal(0, np.sqrt(blurred) / 2), 0, 65535).astype(pixels.dtype)
            sharp, soft = measure_field(pixels), measure_field(noisy)
            for stain in STAINS:
                assert soft[column("focus", stain)] < sharp[column("focus", stain)] - 0.5, (site.id, stain)
                assert sharp[column("structure", stain)] > 4 * FAINT
            assert sharp[CELLS] > 5
