"""Imported screens: wells are embedded again from their features, and what is lost names its table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip import Screen, import_profiles
from napari_cellclip.screen import check_screen, iter_repair
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.screen.storage.plan import plan_path
from napari_cellclip.screen.storage.screen_json import ScreenRecord
from napari_cellclip.screen.wells import wells_path
from napari_cellclip.vocabulary import ScreenError
from tests.profile_tables import made_table
from tests.tiny import DIM, load_tiny_model


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    """Two plates of features that were measured elsewhere, embedded by a model on disk."""
    model = load_tiny_model(tmp_path / "model")
    rng = np.random.default_rng(2)
    plates = [
        MeasuredPlate(
            name,
            tuple(f"{name}/{well}/{site}" for well in ("A01", "A02", "B03") for site in (1, 2)),
            rng.normal(size=(6, 5, DIM)).astype(np.float32),
            source=tmp_path / f"{name}.parquet",
        )
        for name in ("P1", "P2")
    ]
    return write_features(tmp_path / "screen", model.card, plates, origin=model.origin).derive_wells(model)


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-30])
    return path


def shard(screen: Screen, plate: str) -> Path:
    return next(screen.path.glob(f"fields/*/{plate}/shard-00000.parquet"))


def test_wells_are_embedded_again_from_their_features(screen: Screen) -> None:
    before = screen.embeddings.copy()
    path = cut(wells_path(screen.path, screen.card_hash, "P2"))
    (finding,) = check_screen(screen.path)
    assert finding.path == path
    assert "embeds the wells again from their features" in finding.what
    steps = list(iter_repair(screen.path))
    assert [step.message for step in steps if step.notice][-1] == f"made again: {path}"
    assert check_screen(screen.path) == []
    np.testing.assert_array_equal(Screen.open(screen.path).embeddings, before)


@pytest.mark.parametrize(
    "place",
    [lambda screen: shard(screen, "P2"), lambda screen: plan_path(screen.path, "P2")],
    ids=["features", "plan"],
)
def test_lost_features_name_the_table_and_the_rest_is_made_again(
    screen: Screen, place: Callable[[Screen], Path]
) -> None:
    whole = wells_path(screen.path, screen.card_hash, "P1")
    before = whole.read_bytes()
    lost = cut(place(screen))
    cut(whole)
    wanted = f"import {screen.plates['P2'].path} again into a new folder"
    with pytest.raises(ScreenError, match=re.escape(wanted)) as error:
        list(iter_repair(screen.path))
    assert "One file is left as it was" in str(error.value)
    assert str(lost) in str(error.value)
    assert "encode again" not in str(error.value)
    assert whole.read_bytes() == before
    assert [finding.path for finding in check_screen(screen.path)] == [lost]


def test_a_model_that_is_gone_is_said_so(screen: Screen, tmp_path: Path) -> None:
    path = cut(wells_path(screen.path, screen.card_hash, "P1"))
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    with pytest.raises(
        ScreenError,
        match=f"One file is left as it was: {re.escape(str(path))} is not made again: there is no folder",
    ):
        list(iter_repair(screen.path))


def test_profiles_shown_without_a_head_name_their_table(tmp_path: Path) -> None:
    table = tmp_path / "P1.csv.gz"
    made_table("P1").to_csv(table, index=False)
    screen = import_profiles(table, tmp_path / "screen", model="")
    assert not ScreenRecord.read(screen.path).current.has_head
    cut(wells_path(screen.path, screen.card_hash, "P1"))
    with pytest.raises(ScreenError, match=f"import {re.escape(str(table))} again into a new folder"):
        list(iter_repair(screen.path))


def test_a_damaged_plate_map_names_the_table_and_not_a_run_over_images(tmp_path: Path) -> None:
    """Labels of an import are in its table: there is no plate to encode again."""
    table = tmp_path / "P1.csv"
    made_table("P1").to_csv(table, index=False)
    screen = import_profiles(table, tmp_path / "screen", model="")
    cut(screen.path / "platemap.parquet")
    (finding,) = check_screen(screen.path)
    assert f"delete it and import {table} again into a new folder" in finding.what
    assert "encode" not in finding.what
    with pytest.raises(ScreenError, match="again into a new folder"):
        Screen.open(screen.path)
