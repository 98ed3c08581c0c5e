from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from napari_cellclip import PlateMap, open_plate, search_gallery
from napari_cellclip.plates import find_platemap
from napari_cellclip.plates.remote.gallery.jump import JumpTables
from napari_cellclip.vocabulary import Control, Kind, PlateError
from tests.plates.remote.faulty_server import FaultyServer, serving
from tests.plates.remote.made_gallery import BATCH, FULL_NAME, PLATE, PROJECT, SOURCE, MadeGallery


def test_projects(gallery: MadeGallery) -> None:
    gallery.put("cpg0099-other/broad/images/B1/images/P1__x/a.tiff", b"x")
    gallery.put("README.md", b"x")
    assert list(search_gallery()["project"]) == [PROJECT, "cpg0099-other"]


def test_places(gallery: MadeGallery) -> None:
    found = search_gallery(project="CPG0000*")
    assert list(found["address"]) == [f"cpg://{PROJECT}/{SOURCE}/{BATCH}/{PLATE}"]
    assert list(found.columns) == ["project", "source", "batch", "plate", "wells", "treatments", "address"]
    for wanted in ({"source": "source_5"}, {"batch": "2021*"}, {"plate": "BR9*"}):
        assert search_gallery(project=PROJECT, **wanted).empty


@pytest.mark.parametrize(
    ("wanted", "numbers", "treatment"),
    [
        ({"compound": "nocodazole"}, [0, 4], "nocodazole"),
        ({"compound": "NOCO"}, [0, 4], "nocodazole"),
        ({"compound": "codazole"}, [], ""),
        ({"compound": "Cc1cc(-c2ccccc2)ccn1"}, [2], "AMG900"),
        ({"gene": "aurkb"}, [2], "AMG900"),
        ({"gene": "AURK"}, [], ""),
        ({"gene": "TUBB", "compound": "FK-866"}, [], ""),
    ],
)
def test_compounds_and_genes(
    wanted: dict[str, str], numbers: list[int], treatment: str, gallery: MadeGallery
) -> None:
    found = search_gallery(project=PROJECT, **wanted)
    wells = [gallery.plate.wells[n].name for n in numbers]
    assert list(found["wells"]) == ([",".join(wells)] if wells else [])
    assert all(treatment in got for got in found["treatments"])


def test_whole_gallery_is_not_read(gallery: MadeGallery) -> None:
    with pytest.raises(PlateError, match="name a project"):
        search_gallery(gene="TP53")
    with pytest.raises(PlateError, match="has no project"):
        search_gallery(project="cpg9999*")


def jump_tables(folder: Path, wells: list[str]) -> None:
    """The consortium's tables, with the columns of the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = [
        "JCP2022_033924",
        "JCP2022_000001",
        "JCP2022_800002",
        "JCP2022_900002",
        "JCP2022_805264",
        "JCP2022_999999",
    ]
    pd.DataFrame(
        {
            "Metadata_Source": SOURCE,
            "Metadata_Plate": PLATE,
            "Metadata_Well": wells,
            "Metadata_JCP2022": ids,
        }
    ).to_csv(folder / "well.csv.gz", index=False)
    (folder / "perturbation_control.csv").write_text(
        "Metadata_JCP2022,Metadata_pert_type,Metadata_Name,Metadata_modality\n"
        "JCP2022_999999,empty,Empty,any\nJCP2022_033924,negcon,DMSO,compound\n"
        "JCP2022_800002,negcon,non-targeting,crispr\nJCP2022_805264,poscon,PLK1,crispr\n"
    )
    for name, text in {
        "compound": "Metadata_JCP2022,Metadata_InChIKey,Metadata_InChI,Metadata_SMILES\n"
        "JCP2022_000001,AAA,InChI=1S,CCc1nccn1\nJCP2022_033924,BBB,InChI=1S,CS(C)=O\n",
        "orf": "Metadata_JCP2022,Metadata_broad_sample,Metadata_Symbol,Metadata_pert_type\nJCP2022_900002,x,NAT1,trt\n",
        "crispr": "Metadata_JCP2022,Metadata_NCBI_Gene_ID,Metadata_Symbol\n"
        "JCP2022_800002,,non-targeting\nJCP2022_805264,5347,PLK1\n",
    }.items():
        pd.read_csv(io.StringIO(text)).to_csv(folder / f"{name}.csv.gz", index=False)


@pytest.fixture
def jump(gallery: MadeGallery) -> MadeGallery:
    """The same plate in the consortium's main project, whose wells are in its tables."""
    for key in gallery.keys(f"{PROJECT}/{SOURCE}/images/{BATCH}/images/{FULL_NAME}"):
        content = gallery.client.get_object(Bucket="cellpainting-gallery", Key=key)["Body"].read()
        gallery.put(key.replace(PROJECT, "cpg0016-jump"), content)
    table = gallery.load_data().replace(PROJECT, "cpg0016-jump", regex=True)
    key = f"cpg0016-jump/{SOURCE}/workspace/load_data_csv/{BATCH}/{PLATE}/load_data.csv"
    gallery.put(key, table.to_csv(index=False))
    jump_tables(gallery.jump, [well.name for well in gallery.plate.wells])
    return gallery


def test_jump_tables_tell_what_wells_got(jump: MadeGallery) -> None:
    plate = open_plate(f"cpg://cpg0016-jump/{SOURCE}/{PLATE}")
    assert plate.problems == ()
    labels = PlateMap.read(find_platemap(plate.path))
    got = [labels.get(well.name) for well in plate.wells]
    assert [(p.name, p.kind) for p in got] == [
        ("DMSO", Kind.CONTROL),
        ("JCP2022_000001", Kind.COMPOUND),
        ("non-targeting", Kind.CRISPR),
        ("NAT1", Kind.ORF),
        ("PLK1", Kind.CRISPR),
        ("Empty", Kind.CONTROL),
    ]
    assert [p.control for p in got] == [
        Control.NEGATIVE,
        None,
        Control.NEGATIVE,
        None,
        Control.POSITIVE,
        Control.EMPTY,
    ]
    assert (got[1].smiles, got[3].genes, got[2].genes) == ("CCc1nccn1", ("NAT1",), ())
    found = search_gallery(project="cpg0016-jump", gene="PLK1")
    assert list(found["wells"]) == [plate.wells[4].name]


def test_jump_tables_are_fetched_once(jump: MadeGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FaultyServer(folder=jump.jump)) as web:
        monkeypatch.setenv("NAPARI_CELLCLIP_JUMP_METADATA", web.url)
        tables = JumpTables()
        assert tables.platemap(SOURCE, PLATE) is not None
        asked = sum(web.asked.values())
        assert asked == 5
        assert JumpTables().platemap(SOURCE, PLATE) is not None
        assert sum(web.asked.values()) == asked
        assert tables.platemap(SOURCE, "other") is None


def test_missing_tables_leave_the_images(jump: MadeGallery) -> None:
    (jump.jump / "well.csv.gz").write_bytes(b"\x1f\x8b broken")
    plate = open_plate(f"cpg://cpg0016-jump/{SOURCE}/{PLATE}")
    assert any("what its wells got is not known" in problem.what for problem in plate.problems)
    assert plate.sites[0].read().shape == (5, 64, 64)


@pytest.mark.real_data
def test_real_tables_of_the_consortium(real_data: Path, tmp_path: Path) -> None:
    """Its published tables but for the two that are too large to keep: well and compound."""
    folder = tmp_path / "jump"
    folder.mkdir()
    for name in ("orf.csv.gz", "crispr.csv.gz", "perturbation_control.csv"):
        (folder / name).write_bytes((real_data / "meta_jump" / name).read_bytes())
    smiles = pd.read_csv(real_data / "meta_jump" / "smiles_only.csv.gz")
    smiles.to_csv(folder / "compound.csv.gz", index=False)
    known = JumpTables(str(folder)).perturbations()
    assert len(known) > 130_000
    assert (known["JCP2022_033924"].name, known["JCP2022_033924"].control) == ("DMSO", Control.NEGATIVE)
    assert (known["JCP2022_805264"].name, known["JCP2022_805264"].kind) == ("PLK1", Kind.CRISPR)
    assert known["JCP2022_900002"].genes == ("NAT1",)
