"""What the verbs print, on a simulated plate and on real ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_cellclip.screen import Screen
from tests.cli.cli_terminal import call, succeed


def test_info_tells_layout_wells_and_stains(plate_folder: Path) -> None:
    text = succeed("info", plate_folder).stdout
    assert "phenix" in text
    assert "24 of 24 (4 x 6), 1 site each" in text
    for stain in ("DNA", "ER", "RNA", "AGP", "Mito"):
        assert f"\n    {stain:<5} " in text
    assert "Index" in text, "where the mapping came from"


def test_info_json_is_pure(plate_folder: Path) -> None:
    facts = json.loads(succeed("info", plate_folder, "--json").stdout)
    assert facts["shape"] == [4, 6]
    assert facts["n_wells"] == len(facts["wells"]) == facts["n_sites"] == 24
    assert set(facts["stains"]) == {"DNA", "ER", "RNA", "AGP", "Mito"}
    assert all(entry["source"] for entry in facts["stains"].values())
    assert facts["wells"][0]["id"] == f"{facts['name']}/A01"
    assert facts["complete"] is True
    assert facts["problems"] == []


def test_info_opens_one_of_several_plates_of_a_table(tmp_path: Path) -> None:
    rows = "".join(f"{plate}_dna.tif,.,{plate},B02,1\n" for plate in ("BR1", "BR2"))
    (tmp_path / "load_data.csv").write_text(
        "FileName_OrigDNA,PathName_OrigDNA,Metadata_Plate,Metadata_Well,Metadata_Site\n" + rows
    )
    refused = call("info", tmp_path / "load_data.csv")
    assert refused.exit_code == 1
    assert "BR1, BR2" in refused.stderr
    facts = json.loads(succeed("info", tmp_path / "load_data.csv", "--plate-name", "BR2", "--json").stdout)
    assert [well["id"] for well in facts["wells"]] == ["BR2/B02"]


@pytest.mark.slow
def test_simulate_is_deterministic_by_seed(plate_folder: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 3), ("other", 4)):
        succeed("simulate", tmp_path / name, "--wells", 24, "--sites", 1, "--seed", seed, "--size", 96)
    maps = [
        (folder / "platemap.csv").read_text()
        for folder in (plate_folder, tmp_path / "same", tmp_path / "other")
    ]
    assert maps[0] == maps[1] != maps[2]
    assert maps[0].startswith("well,treatment,kind,smiles,genes,mechanism,dose,effect,control_type")
    first = next(iter(sorted(plate_folder.rglob("*.tif*"))))
    twin = tmp_path / "same" / first.relative_to(plate_folder)
    np.testing.assert_array_equal(tifffile.imread(first), tifffile.imread(twin))


def test_simulate_writes_ome_zarr(tmp_path: Path) -> None:
    out = tmp_path / "zarr-plate"
    succeed("simulate", out, "--wells", 6, "--sites", 1, "--size", 64, "--layout", "ome-zarr")
    assert json.loads(succeed("info", out, "--json").stdout)["layout"] == "ome-zarr"


def test_encode_writes_a_screen_once(plate_folder: Path, screen_folder: Path) -> None:
    before = Screen.open(screen_folder)
    assert len(before.wells) == 24
    stamps = {file: file.stat().st_mtime_ns for file in screen_folder.rglob("fields/**/*.parquet")}
    assert stamps
    succeed("encode", plate_folder, "--device", "cpu", "--out", screen_folder)
    assert stamps == {file: file.stat().st_mtime_ns for file in screen_folder.rglob("fields/**/*.parquet")}
    np.testing.assert_array_equal(Screen.open(screen_folder).embeddings, before.embeddings)


def test_encode_tells_where_labels_came_from(plate_folder: Path, tmp_path: Path) -> None:
    result = succeed("encode", plate_folder, "--device", "cpu", "--out", tmp_path / "screen")
    assert str(plate_folder / "platemap.csv") in result.stderr
    assert "24 of 24 wells encoded with demo" in result.stderr


def test_encode_lists_sites_it_could_not_use(tmp_path: Path) -> None:
    plate = tmp_path / "plate"
    succeed("simulate", plate, "--wells", 6, "--sites", 1, "--size", 64)
    broken = sorted(plate.rglob("*.tif*"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    result = succeed("encode", plate, "--device", "cpu", "--out", tmp_path / "screen")
    assert "5 of 6 wells encoded" in result.stderr
    assert "1 site could not be used" in result.stderr
    assert broken.name in result.stderr
    answered = json.loads(succeed("ask", tmp_path / "screen", "DNA damage", "--json").stdout)["wells"]
    assert len(answered) == 5


def test_encode_refuses_a_plate_map_of_nonsense(plate_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "map.csv"
    table.write_text("this,is\nno,map\n")
    result = call("encode", plate_folder, "--platemap", table, "--out", tmp_path / "screen")
    assert result.exit_code == 1
    assert "map.csv" in result.stderr


def test_encode_refuses_an_unknown_model(plate_folder: Path, tmp_path: Path) -> None:
    result = call("encode", plate_folder, "--model", "no-such-model", "--out", tmp_path / "screen")
    assert result.exit_code == 1
    assert "no-such-model" in result.stderr


def test_ask_json_has_the_promised_keys(screen_folder: Path) -> None:
    result = succeed("ask", screen_folder, "tubulin polymerisation inhibitor", "--json")
    document = json.loads(result.stdout)
    assert set(document) >= {"query", "prompts", "match", "wells"}
    assert document["query"] == "tubulin polymerisation inhibitor"
    assert document["prompts"]
    wells = document["wells"]
    assert {well["id"] for well in wells} == set(Screen.open(screen_folder).wells.index)
    scores = [well["score"] for well in wells]
    assert scores == sorted(scores, reverse=True)


def test_ask_lists_the_best(screen_folder: Path) -> None:
    everything = json.loads(succeed("ask", screen_folder, "DNA damage", "--json").stdout)["wells"]
    best = json.loads(succeed("ask", screen_folder, "DNA damage", "--json", "--top", 3).stdout)["wells"]
    assert best == everything[:3]
    table = succeed("ask", screen_folder, "DNA damage", "--top", 3).stdout.splitlines()
    assert [line.split()[1] for line in table[-3:]] == [well["id"] for well in best]
    assert len(succeed("ask", screen_folder, "DNA damage").stdout.splitlines()) == len(table) + 7


def test_ask_by_an_index_gives_the_same_verdict(screen_folder: Path) -> None:
    exact = json.loads(succeed("ask", screen_folder, "DNA damage", "--evidence", "words", "--json").stdout)
    found = json.loads(succeed("ask", screen_folder, "DNA damage", "--index", "--json").stdout)
    assert (found["verdict"], found["match"], found["notes"]) == tuple(
        exact[key] for key in ("verdict", "match", "notes")
    )
    cosines = {well["id"]: well["cosine"] for well in exact["wells"]}
    for well in found["wells"]:
        assert well["cosine"] == pytest.approx(cosines[well["id"]], abs=1e-4)
    refused = call("ask", screen_folder, "DNA damage", "--index", "--without", "taxol")
    assert refused.exit_code == 2
    assert "--without" in refused.stderr


@pytest.mark.slow
def test_train_makes_a_model_that_encodes(
    plate_folder: Path, screen_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "my-model"
    succeed("train", screen_folder, "--out", model, "--epochs", 1, "--device", "cpu")
    out = tmp_path / "screen"
    succeed("encode", plate_folder, "--model", model, "--device", "cpu", "--out", out)
    ours, bundled = Screen.open(out).embeddings, Screen.open(screen_folder).embeddings
    assert ours.shape == bundled.shape
    assert not np.allclose(ours, bundled)

    # Asked from another folder, by a screen that was encoded with a path relative to this one.
    monkeypatch.chdir(tmp_path)
    succeed("encode", plate_folder, "--model", "my-model", "--device", "cpu", "--out", "other-screen")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert json.loads(succeed("ask", "../other-screen", "DNA damage", "--json").stdout)["model"] == "my-model"


def write_three_stains(folder: Path) -> Path:
    """A folder of TIFFs with DNA, RNA and AGP only."""
    folder.mkdir()
    for stain in ("DNA", "RNA", "AGP"):
        image = np.random.default_rng(0).integers(100, 4000, (64, 64), dtype=np.uint16)
        tifffile.imwrite(folder / f"plate_B03_s1_{stain}.tif", image)
    return folder


def test_a_plate_without_two_stains_is_shown_and_not_encoded(tmp_path: Path) -> None:
    folder = write_three_stains(tmp_path / "plate")
    assert json.loads(succeed("info", folder, "--json").stdout)["missing"] == ["ER", "Mito"]
    result = call("encode", folder, "--out", tmp_path / "screen")
    assert result.exit_code == 1
    assert "ER" in result.stderr
    assert "Mito" in result.stderr
    assert not (tmp_path / "screen").exists()


@pytest.mark.real_data
def test_phenix_without_an_index_wants_to_be_told(real_data: Path, tmp_path: Path) -> None:
    plate = real_data / "img_cpjump1_BR00117006"
    facts = json.loads(succeed("info", plate, "--json").stdout)
    assert facts["stains"] == {}
    assert len(facts["unmapped"]) == 3
    refused = call("encode", plate, "--out", tmp_path / "screen")
    assert refused.exit_code == 1
    assert "--channel" in refused.stderr

    told = [word for pair in ("DNA=ch5", "RNA=ch3", "AGP=ch2") for word in ("--channel", pair)]
    facts = json.loads(succeed("info", plate, "--json", *told).stdout)
    assert {stain: entry["channel"] for stain, entry in facts["stains"].items()} == {
        "DNA": "ch5",
        "RNA": "ch3",
        "AGP": "ch2",
    }
    refused = call("encode", plate, "--out", tmp_path / "screen", *told)
    assert refused.exit_code == 1
    assert "ER" in refused.stderr
    assert "Mito" in refused.stderr


@pytest.mark.real_data
def test_phenix_with_an_index_is_mapped_or_refused_by_name(real_data: Path, tmp_path: Path) -> None:
    whole = json.loads(succeed("info", real_data / "img_pe2loaddata_phenix" / "Version1", "--json").stdout)
    assert whole["complete"]
    assert len(whole["ignored"]) == 1, "brightfield"
    plate = real_data / "img_pe2loaddata_phenix" / "Version5"
    assert json.loads(succeed("info", plate, "--json").stdout)["missing"] == ["DNA"]
    refused = call("encode", plate, "--out", tmp_path / "screen")
    assert refused.exit_code == 1
    assert "DNA" in refused.stderr


@pytest.mark.real_data
def test_real_zarr_with_tables_encodes_and_answers(real_data: Path, tmp_path: Path) -> None:
    screen = tmp_path / "screen"
    succeed("encode", real_data / "img_jump_rab30", "--device", "cpu", "--out", screen)
    refused = call("ask", screen, "RAB30")  # real cells, and a text tower that has seen simulated ones only
    assert refused.exit_code == 1
    assert "no negative controls" in refused.stderr
    document = json.loads(succeed("ask", screen, "RAB30", "--evidence", "words", "--json").stdout)
    assert len(document["wells"]) == len(Screen.open(screen).wells)
    assert pd.Series([well["cosine"] for well in document["wells"]]).between(-1, 1).all()


def test_plate_map_of_another_plate_is_refused(plate_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("well,treatment,control_type\nP24,DMSO,negcon\nH12,taxol,\n")
    refused = call("encode", plate_folder, "--platemap", tmp_path / "other.csv", "--out", tmp_path / "screen")
    assert refused.exit_code == 1
    assert "another plate's map" in refused.stderr
    assert not (tmp_path / "screen").exists()


def test_licence_sentence_names_the_option(plate_folder: Path, tmp_path: Path) -> None:
    refused = call("encode", plate_folder, "--model", "cellclip", "--out", tmp_path / "screen")
    assert refused.exit_code == 1
    assert "CC" in refused.stderr
    assert "--accept-licence" in refused.stderr


def test_another_head_is_told_and_then_kept(plate_folder: Path, screen_folder: Path, tmp_path: Path) -> None:
    screen = tmp_path / "screen"
    shutil.copytree(screen_folder, screen)
    succeed("train", screen, "--out", tmp_path / "mine", "--epochs", 1)
    told = succeed("encode", plate_folder, "--model", tmp_path / "mine", "--out", screen)
    assert f"now answers with {Screen.open(screen).card.name} (before: demo)" in told.stderr
    kept = succeed("encode", plate_folder, "--out", screen)
    assert "now answers" not in kept.stderr
    assert Screen.open(screen).card.name != "demo"


def test_check_and_repair(screen_folder: Path) -> None:
    assert "every file is whole" in succeed("check", screen_folder).stdout
    path = next(screen_folder.glob("fields/*/*/shard-00000.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    told = call("check", screen_folder)
    assert told.exit_code == 1
    assert f"{path} is damaged" in told.stdout
    assert f"made again: {path}" in succeed("repair", screen_folder, "--device", "cpu").stderr
    assert "every file is whole" in succeed("check", screen_folder).stdout
