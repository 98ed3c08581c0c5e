"""Damaged files of a screen: named, never read, and made again."""

from __future__ import annotations

import json
import shutil
from collections import deque
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, check_screen, encode, iter_encode, iter_repair
from napari_cellclip.screen.check import unsealed
from napari_cellclip.screen.derive import iter_derive
from napari_cellclip.screen.storage.parquet import read_table, write_table
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.screen.wells import WellEmbeddings, read_wells, write_wells
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import load_tiny_model, write_tiff_plate


def numbers(folder: Path) -> dict[str, object]:
    """All that a screen tells, as text."""
    screen = Screen.open(folder)
    return {
        "features": screen.features(list(screen.fields.index)).tobytes(),
        "embeddings": screen.embeddings.tobytes(),
        "wells": screen.wells.to_csv(),
        "previews": [screen.preview_stains(well).tobytes() for well in screen.well_ids],
        "plates": [plate.model_dump_json() for plate in screen.plates.values()],
        "card": screen.card.model_dump_json(),
        "failures": screen.failures.to_csv(),
    }


@pytest.fixture
def folder(tmp_path, make_plate, make_model) -> Path:
    encode(make_plate(broken=["P1/A02/1"]), None, make_model(), tmp_path / "s", shard_sites=2)
    return tmp_path / "s"


def shard(folder: Path, number: int) -> Path:
    return next(folder.glob(f"fields/*/P1/shard-{number:05d}.parquet"))


@pytest.mark.parametrize("positions", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_no_flipped_bit_changes_a_number_unseen(folder, positions) -> None:
    whole = numbers(folder)
    rng = np.random.default_rng(3)
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".parquet", ".json"} and path.name != "failures.parquet"
    ]
    unseen, found, checked = [], 0, 0
    for _ in range(positions):
        path = files[rng.integers(len(files))]
        content = path.read_bytes()
        place, bit = int(rng.integers(len(content))), int(rng.integers(8))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        try:
            if numbers(folder) != whole:
                unseen.append(f"{path.name}, bit {bit} of byte {place}")
        except ScreenError:
            found += 1
        checked += bool(check_screen(folder))
        path.write_bytes(content)
    assert not unseen
    assert found > 0.55 * positions  # the copy of screen.json and the quality of sites are not read
    assert checked >= found


def damage_cut(folder: Path) -> str:
    path = shard(folder, 1)
    path.write_bytes(path.read_bytes()[:-40])
    return "shard-00001"


def damage_halved(folder: Path) -> str:
    write_table(shard(folder, 1), read_table(shard(folder, 1)).slice(0, 1))
    return "1 sites from"


def damage_swapped(folder: Path) -> str:
    one, two = shard(folder, 0), shard(folder, 1)
    aside = one.with_name("aside")
    one.rename(aside), two.rename(one), aside.rename(two)
    return "where the plan says"


def damage_duplicated(folder: Path) -> str:
    shutil.copy(shard(folder, 0), shard(folder, 1))
    return "where the plan says"


def damage_nan(folder: Path) -> str:
    table = read_table(shard(folder, 0))
    width = table.schema.field("features").type.list_size
    rows = pa.array(np.full(width * len(table), np.nan, np.float16))
    column = pa.FixedSizeListArray.from_arrays(rows, width)
    write_table(
        shard(folder, 0), table.set_column(table.schema.get_field_index("features"), "features", column)
    )
    return "no numbers"


def damage_foreign_encoder(folder: Path) -> str:
    table = read_table(shard(folder, 0))
    write_table(shard(folder, 0), table.replace_schema_metadata({"stains": "5", "encoder": "0" * 16}))
    return "another channel encoder"


def damage_foreign_table(folder: Path) -> str:
    write_table(shard(folder, 0), pa.table({"a": [1]}))
    return "another table"


def damage_plan(folder: Path) -> str:
    write_table(folder / "plates" / "P1.parquet", pa.table({"a": [1]}))
    return "another table"


def damage_lost_plan(folder: Path) -> str:
    (folder / "plates" / "P1.parquet").unlink()
    return "is missing"


def damage_wells(folder: Path) -> str:
    path = next(folder.glob("wells/*/P1.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    return "checksum"


def damage_previews(folder: Path) -> str:
    path = next(folder.glob("previews/P1/shard-00003.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    return "checksum"


KINDS = [value for name, value in sorted(globals().items()) if name.startswith("damage_")]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_what_is_damaged_is_named_never_read_and_made_again(folder, kind, make_plate, make_model) -> None:
    before = numbers(folder)
    assert check_screen(folder) == []
    said = kind(folder)
    assert any(said in finding.what for finding in check_screen(folder))
    with pytest.raises(ScreenError):
        numbers(folder)
    model = make_model()
    steps = list(iter_encode(make_plate(broken=["P1/A02/1"]), None, model, folder))
    assert any(step.notice for step in steps) or kind is damage_previews
    assert len(model.encoded) <= 4  # nothing but the damaged shards
    assert check_screen(folder) == []
    assert numbers(folder) == before


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "NaN"])
def test_wells_without_numbers_are_named_and_made_again(folder, lost, make_plate, make_model) -> None:
    before = numbers(folder)
    path = next(folder.glob("wells/*/P1.parquet"))
    wells = read_wells(path, 4)
    write_wells(path, WellEmbeddings(wells.ids, wells.sites, wells.vectors * np.float32(np.nan)))
    if lost:
        path.unlink()
    assert np.isnan(Screen.open(folder).embeddings).all()
    assert [finding.path for finding in check_screen(folder)] == [path]
    model = make_model()
    encode(make_plate(broken=["P1/A02/1"]), None, model, folder)
    assert not model.encoded
    assert check_screen(folder) == []
    assert numbers(folder) == before


def test_damaged_wells_of_a_plate_without_any_embedding_are_made_again(folder, make_model) -> None:
    screen, model = Screen.open(folder), make_model()
    screen.exclude(dict.fromkeys(screen.fields.index, "by hand"), model)
    assert not Screen.open(folder).wells["Metadata_sites"].any()
    damage_wells(folder)
    assert check_screen(folder)
    deque(iter_derive(folder, model), maxlen=0)
    assert check_screen(folder) == []


def test_damaged_wells_are_repaired_without_images(tmp_path) -> None:
    plate, out = write_tiff_plate(tmp_path / "P1"), tmp_path / "screen"
    encode(open_plate(plate), None, load_tiny_model(tmp_path / "model"), out)
    before = numbers(out)
    damage_wells(out)
    shutil.rmtree(plate)
    assert [step.message for step in iter_repair(out) if step.notice][-1].startswith("made again: ")
    assert check_screen(out) == []
    assert numbers(out) == before


def test_the_table_of_failures_is_verified_and_made_again(folder) -> None:
    """Other programs read it: a flipped bit in it went unnoticed before."""
    path = folder / "failures.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    (finding,) = check_screen(folder)
    assert finding.path == path
    assert [step.message for step in iter_repair(folder) if step.notice] == [f"made again: {path}"]
    assert path.read_bytes() == whole


def test_copies_beside_shards_are_not_read(folder) -> None:
    before = numbers(folder)
    copy = shard(folder, 1).with_name("shard-00001 (1).parquet")
    shutil.copy(shard(folder, 0), copy)
    assert numbers(folder) == before
    assert [finding.path for finding in check_screen(folder)] == [copy]


def test_a_lost_plan_is_not_made_from_other_files(folder, make_plate, make_model) -> None:
    damage_lost_plan(folder)
    with pytest.raises(ScreenError, match="files of plate P1 are others"):
        encode(make_plate(sites=4), None, make_model(), folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe{}", "damaged"),
        (b"[" * 100_000, "damaged"),
        (None, "lost"),
    ],
)
def test_screen_json_is_restored_from_its_copy(folder, content, said) -> None:
    before = numbers(folder)
    (folder / "screen.json").unlink()
    if content is not None:
        (folder / "screen.json").write_bytes(content)
    with pytest.raises(ScreenError, match=f"{said}.*repair"):
        Screen.open(folder)
    assert [finding.path.name for finding in check_screen(folder)] == ["screen.json"]
    assert [step.notice for step in iter_repair(folder)] == [True]
    assert numbers(folder) == before


def test_an_edited_screen_json_is_noticed(folder) -> None:
    record = json.loads((folder / "screen.json").read_text())
    record["plates"]["P1"]["contrast"]["DNA"][1] *= 2
    (folder / "screen.json").write_text(json.dumps(record))
    with pytest.raises(ScreenError, match="was edited"):
        Screen.open(folder)


def test_a_card_without_sizes_is_a_sentence(folder) -> None:
    record = json.loads((folder / "screen.json").read_text())
    del record["checksum"], next(iter(record["cards"].values()))["card"]["embed_dim"]
    (folder / "screen.json").write_text(json.dumps(record))
    with pytest.raises(ScreenError, match="tells no sizes"):
        Screen.open(folder)


def test_tables_without_a_checksum_are_read_and_named(folder) -> None:
    before = numbers(folder)
    table = read_table(shard(folder, 0))
    about = {k: v for k, v in table.schema.metadata.items() if b"sha256" not in k and k != b"encoder"}
    pq.write_table(table.replace_schema_metadata(about), shard(folder, 0))
    assert numbers(folder) == before
    assert unsealed(folder) == [shard(folder, 0)]
    assert check_screen(folder) == []


def test_repair_opens_the_images_where_they_are_now(tmp_path) -> None:
    model = load_tiny_model(tmp_path / "model")
    write_tiff_plate(tmp_path / "old" / "P1")
    out = tmp_path / "screen"
    encode(open_plate(tmp_path / "old" / "P1"), None, model, out, shard_sites=2)
    before = numbers(out)
    damage_cut(out)
    damage_lost_plan(out)
    aside = tmp_path / "aside"
    (tmp_path / "old").rename(aside)
    with pytest.raises(ScreenError, match="--images"):
        list(iter_repair(out))
    list(iter_repair(out, aside))
    assert check_screen(out) == []
    assert numbers(out) == before


def test_shards_of_other_encoders_are_told_apart(folder) -> None:
    shutil.copytree(shard(folder, 0).parents[1], folder / "fields" / ("1" * 16))
    with pytest.raises(ScreenError, match="another channel encoder"):
        Shards(folder, "1" * 16, "P1").features(0)
