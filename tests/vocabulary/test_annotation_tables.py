"""Annotation tables that a user installs: read in the shapes people have, kept with source and licence."""

from __future__ import annotations

import gzip
import json
import os
import stat
from pathlib import Path

import pytest

from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotation_tables import (
    COLUMNS,
    install_annotations,
    installed_annotations,
    read_annotations,
    remove_annotations,
)

DRUGS = (
    "!Drug Repurposing Hub\n!version 2020-03-24\n"
    "pert_iname\tclinical_phase\tmoa\ttarget\n"
    "colchicine\tLaunched\ttubulin polymerization inhibitor\tTUBB|TUBA1A\n"
    "Taxol\tLaunched\ttubulin polymerization inhibitor|apoptosis stimulant\t\n"
    "empty\tPreclinical\t\tnan\n"
)
SAMPLES = (
    "broad_id,pert_iname,smiles,InChIKey\n"
    'B1,taxol,CCO |&1:1|,K-1\nB2,taxol,CCC,K-2\n"B3","colchicine, natural",CCN,K-3\n'
)


def write(folder: Path, name: str, text: str, *, packed: bool = False) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_the_hub_s_shape(tmp_path: Path, packed: bool) -> None:
    table = read_annotations(write(tmp_path, "drugs.txt", DRUGS, packed=packed))
    assert tuple(table.columns) == COLUMNS
    assert table["name"].tolist() == ["colchicine", "Taxol", "empty"]
    assert table["genes"].tolist() == ["TUBB|TUBA1A", "", ""]
    assert table["mechanisms"][1] == "tubulin polymerization inhibitor|apoptosis stimulant"


@pytest.mark.parametrize("sign", ["|", ";", ", "])
def test_lists_by_whichever_sign(tmp_path: Path, sign: str) -> None:
    moa, target = sign.join(["CDK inhibitor", "PLK inhibitor"]), sign.join(["CDK1", "PLK1"])
    text = f"pert_iname\tmoa\ttarget\nx\t{moa}\t{target}\ny\ttransport inhibitor, mitochondrial\t\n"
    table = read_annotations(write(tmp_path, "drugs.txt", text))
    assert table["mechanisms"].tolist() == [
        "CDK inhibitor|PLK inhibitor",
        "transport inhibitor, mitochondrial",
    ]
    assert table["genes"].tolist() == ["CDK1|PLK1", ""]


def test_samples_of_one_compound_become_one_row_with_a_bare_structure(tmp_path: Path) -> None:
    table = read_annotations(write(tmp_path, "samples.csv", SAMPLES))
    assert table["name"].tolist() == ["taxol", "colchicine, natural"]
    assert table["smiles"].tolist() == ["CCO", "CCN"]


def test_the_jump_shape(tmp_path: Path) -> None:
    text = (
        "broad_sample\tInChIKey\tpert_iname\ttarget_list\tsmiles\nB\tK\tquinine\tGP9|KCNB2\tC=C\nC\t\t\t\t\n"
    )
    (row,) = read_annotations(write(tmp_path, "jump.tsv", text)).to_dict("records")
    assert row == {
        "name": "quinine",
        "mechanisms": "",
        "genes": "GP9|KCNB2",
        "smiles": "C=C",
        "inchikey": "K",
    }


def test_columns_of_profiling_tables(tmp_path: Path) -> None:
    text = "Metadata_pert_iname,Metadata_moa\naspirin,cyclooxygenase inhibitor\n"
    assert read_annotations(write(tmp_path, "a.csv", text))["mechanisms"].tolist() == [
        "cyclooxygenase inhibitor"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no comma- or tab-separated table|no annotation table"),
        (b"!only\n!comments\n", "no comma- or tab-separated table|no annotation table"),
        (b"a,b\n1,2\n", "needs a column pert_iname"),
        (b"pert_iname,dose\nx,1\n", "one of moa"),
        (b'pert_iname,moa\nx,y,z,w\n"', "no comma- or tab-separated table"),
        (bytes(range(256)), "table"),
        (b"\x1f\x8bnot really packed", "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(CellClipError, match=said):
        read_annotations(tmp_path / "bad.csv")


def test_files_of_other_encodings_are_read(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes("name,moa\nα-thing,x\n".encode().replace("α".encode(), b"\xe9"))
    assert read_annotations(tmp_path / "l.csv")["name"].tolist() == ["é-thing"]


def test_installed_tables_keep_source_date_and_licence(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "annotations"
    files = [write(tmp_path, "drugs.txt", DRUGS), write(tmp_path, "samples.csv.gz", SAMPLES, packed=True)]
    made = install_annotations(files, folder, source="https://example.org", licence="CC BY 4.0")
    (found,) = installed_annotations(folder)
    assert found == made
    assert (found.name, found.source, found.licence) == ("drugs", "https://example.org", "CC BY 4.0")
    assert set(found.files) == {"drugs.txt", "samples.csv.gz"}
    assert all(len(sha) == 64 for sha in found.files.values())
    rows = found.rows.set_index("name")
    assert found.compounds == len(rows) == 4
    assert rows.loc["Taxol", "smiles"] == "CCO"  # joined by name, upper and lower case alike
    with pytest.raises(CellClipError, match="installed already: give --replace"):
        install_annotations(files, folder)
    assert install_annotations(files[:1], folder, replace=True).compounds == 3
    assert not list(folder.glob(".new-*"))
    remove_annotations("drugs", folder)
    assert installed_annotations(folder) == ()


def test_names_stay_inside_the_folder(tmp_path: Path) -> None:
    file = write(tmp_path, "drugs.txt", DRUGS)
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("../victim", "a/b", "..", ".hidden", "A", "x" * 41, "-x"):
        with pytest.raises(CellClipError, match="cannot be the name of a table"):
            install_annotations([file], tmp_path / "folder", name=name)
        with pytest.raises(CellClipError):
            remove_annotations(name, tmp_path / "folder")
    assert victim.is_dir()


def test_a_failed_installation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CellClipError):
        install_annotations([write(tmp_path, "a.csv", "x,y\n1,2\n")], tmp_path / "folder")
    with pytest.raises(CellClipError, match="there is no file"):
        install_annotations([tmp_path / "absent.csv"], tmp_path / "folder")
    with pytest.raises(CellClipError, match="no file to install"):
        install_annotations([], tmp_path / "folder")
    assert installed_annotations(tmp_path / "folder") == ()


def test_damaged_tables_are_passed_over_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    table = install_annotations([write(tmp_path, "drugs.txt", DRUGS)], folder)
    (folder / "drugs" / "table.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(CellClipError, match="remove it and install it again"):
        _ = installed_annotations(folder)[0].rows
    (folder / "drugs" / "about.json").write_text(json.dumps(["no", "table"]))
    assert installed_annotations(folder) == ()
    assert table.folder.is_dir()


@pytest.mark.real_data
def test_the_real_hub(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "meta_rephub"
    files = [
        folder / "repurposing_drugs_20200324_cleaned.txt.gz",
        folder / "repurposing_samples_20200324_standardized.csv.gz",
    ]
    table = install_annotations(files, tmp_path, name="hub", source="s", licence="l")
    rows = table.rows.set_index("name")
    assert table.compounds > 6500
    assert rows.loc["vismodegib", "mechanisms"] == "hedgehog pathway inhibitor|smoothened receptor antagonist"
    assert rows.loc["selinexor", "genes"] == "XPO1"
    assert (rows["smiles"] != "").mean() > 0.95


@pytest.mark.real_data
def test_the_real_jump_target_tables(real_data: Path) -> None:
    folder = real_data / "meta_jump_target"
    compounds = read_annotations(folder / "JUMP-Target-1_compound_metadata.tsv").set_index("name")
    assert "GP9" in compounds.loc["quinine", "genes"].split("|")
    assert len(compounds) > 300
    assert (read_annotations(folder / "JUMP-MOA_compound_metadata.tsv")["mechanisms"] != "").mean() > 0.9
    with pytest.raises(CellClipError, match="needs a column pert_iname"):
        read_annotations(folder / "JUMP-Target-1_crispr_metadata.tsv")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_table_is_for_all_who_share_the_cache(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        table = install_annotations([write(tmp_path, "drugs.txt", DRUGS)], tmp_path / "tables", name="hub")
    finally:
        os.umask(before)
    assert stat.S_IMODE(table.folder.stat().st_mode) == 0o755
