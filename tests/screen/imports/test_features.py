"""Features from elsewhere as a screen, and other heads on the same features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.model import EncoderCard, FileCard, ModelCard
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports import features as features_module
from napari_cellclip.screen.imports.features import SHARD_SITES, MeasuredPlate, write_features
from napari_cellclip.vocabulary import ScreenError

DIM = 6


@pytest.fixture
def profile_card() -> ModelCard:
    return ModelCard(
        name="measured",
        encoder=EncoderCard(kind="profile", name="f", dim=DIM, weights=FileCard(sha256="c" * 64)),
        weights=FileCard(),
        embed_dim=3,
    )


def plate(name: str = "P1", wells: int = 4, **more: object) -> MeasuredPlate:
    sites = tuple(f"{name}/{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}/{n}" for i in range(wells) for n in (1, 2))
    features = np.random.default_rng(0).normal(size=(len(sites), 5, DIM)).astype(np.float32)
    return MeasuredPlate(name, sites, features, **more)  # type: ignore[arg-type]


def test_features_come_back_in_half_precision(tmp_path: Path, profile_card: ModelCard) -> None:
    given = plate()
    screen = write_features(tmp_path / "s", profile_card, [given])
    np.testing.assert_array_equal(screen.features(given.sites), given.features.astype(np.float16))
    assert screen.plates["P1"].shape == (3, 4), "the smallest plate with so many columns"
    assert not screen.complete, "no well has an embedding yet"
    assert np.isnan(screen.embeddings).all()


def test_many_sites_fill_several_shards(tmp_path: Path, profile_card: ModelCard) -> None:
    sites = tuple(f"P1/A01/{i}" for i in range(SHARD_SITES + 1))
    features = np.arange(len(sites) * 5 * DIM, dtype=np.float32).reshape(-1, 5, DIM) % 100
    screen = write_features(tmp_path / "s", profile_card, [MeasuredPlate("P1", sites, features)])
    assert len(list((tmp_path / "s" / "fields").rglob("shard-*.parquet"))) == 2
    np.testing.assert_array_equal(screen.features(sites[-2:]), features[-2:])


def test_labels_embeddings_and_failures_are_kept(tmp_path: Path, profile_card: ModelCard) -> None:
    labels = pd.DataFrame({"Metadata_treatment": ["x"], "Metadata_batch": ["b7"]}, index=["P1/A02"])
    given = plate(
        wells=3,
        labels=labels,
        embeddings={"P1/A01": np.ones(3), "P1/A02": np.zeros(3)},
        failures={"P1/A03/1": "site P1/A03/1: out of focus", "P1/A03/2": "site P1/A03/2: out of focus"},
    )
    screen = write_features(tmp_path / "s", profile_card, [given])
    assert screen.wells.loc["P1/A02", ["Metadata_treatment", "Metadata_batch"]].tolist() == ["x", "b7"]
    assert screen.perturbation("P1/A01").kind == "unknown"
    np.testing.assert_array_equal(screen.embeddings, [[1, 1, 1], [0, 0, 0], [np.nan] * 3])
    assert len(screen.failures) == 2
    assert screen.complete
    with pytest.raises(ScreenError, match="out of focus"):
        screen.features(["P1/A03/1"])


def test_a_value_that_half_precision_cannot_hold_is_a_failure(
    tmp_path: Path, profile_card: ModelCard
) -> None:
    given = plate()
    given.features[0, 0, 0] = np.nan
    given.features[1, 0, 0] = 1e6
    screen = write_features(tmp_path / "s", profile_card, [given])
    assert set(screen.failures["Metadata_Site_id"]) == {"P1/A01/1", "P1/A01/2"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (MeasuredPlate("P1", ("P1/A01/1",), np.zeros((1, 5, DIM + 1))), r"shape \(1, 5, 7\), \(1, 5, 6\)"),
        (MeasuredPlate("P1", ("P1/A01/1",) * 2, np.zeros((2, 5, DIM))), "is there twice"),
        (MeasuredPlate("P1", ("P2/A01/1",), np.zeros((1, 5, DIM))), "is no site of plate P1"),
        (MeasuredPlate("P1", ("P1/A01",), np.zeros((1, 5, DIM))), "is no site of plate P1"),
        (MeasuredPlate("P1", (), np.zeros((0, 5, DIM))), "has no well"),
        (
            MeasuredPlate("P1", ("P1/A01/1",), np.zeros((1, 5, DIM)), embeddings={"P1/A01": np.ones(4)}),
            "have 4 numbers, its card says 3",
        ),
        (
            MeasuredPlate(
                "P1",
                ("P1/A01/1",),
                np.zeros((1, 5, DIM)),
                labels=pd.DataFrame({"Metadata_treatment": ["x"]}, index=["P1/B01"]),
            ),
            "P1/B01 has a label but no features",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, profile_card: ModelCard, given: MeasuredPlate, said: str
) -> None:
    with pytest.raises(ScreenError, match=said):
        write_features(tmp_path / "s", profile_card, [given])
    assert not (tmp_path / "s" / "screen.json").exists()


def test_another_head_of_the_same_encoder_is_shown(tmp_path: Path, make_plate, make_model, make_card) -> None:
    """Not only for profiles: a head trained on an encoded plate needs no pixel to be seen."""
    from napari_cellclip.screen import encode

    screen = encode(make_plate(), None, make_model(), tmp_path / "s", workers=0)
    other = make_model(make_card("retrained", weights=FileCard(sha256="d" * 64)))
    other.b = other.b + 1
    shown = screen.derive_wells(other)
    assert shown.card.name == "retrained"
    assert other.encoded == []
    assert not np.allclose(shown.embeddings, screen.embeddings)
    assert Screen.open(tmp_path / "s").card.name == "retrained"
    back = shown.derive_wells(make_model())
    np.testing.assert_array_equal(back.embeddings, screen.embeddings)
    assert back.complete


def test_a_head_of_another_encoder_is_refused(tmp_path: Path, make_plate, make_model, make_card) -> None:
    from napari_cellclip.screen import encode

    screen = encode(make_plate(), None, make_model(), tmp_path / "s", workers=0)
    encoder = make_card().encoder.model_copy(update={"weights": FileCard(sha256="e" * 64)})
    with pytest.raises(ScreenError, match="channel encoder's weights changed"):
        screen.derive_wells(make_model(make_card("other", encoder=encoder)))
    assert Screen.open(tmp_path / "s").card.name == "fake"


def many(card: ModelCard, n: int):
    rng = np.random.default_rng(0)
    for i in range(n):
        shape = (2, len(card.stain_order), card.encoder.dim)
        yield MeasuredPlate(
            f"P{i}", (f"P{i}/A01/1", f"P{i}/B02/1"), rng.normal(size=shape).astype(np.float32)
        )


def test_what_all_plates_share_is_written_a_few_times_however_many_they_are(
    profile_card, tmp_path, monkeypatch
):
    written = []
    monkeypatch.setattr(features_module, "write_labels", lambda folder, labels: written.append(len(labels)))
    write_features(tmp_path / "screen", profile_card, many(profile_card, 21))
    # 1, 2, 4, 8, 16 plates of two wells, and all: fewer rows in all than three times the last table.
    assert written == [2, 4, 8, 16, 32, 42]


def test_a_stopped_import_goes_on(profile_card, tmp_path):
    def stopping():
        for i, plate in enumerate(many(profile_card, 9)):
            if i == 6:
                raise KeyboardInterrupt
            yield plate

    with pytest.raises(KeyboardInterrupt):
        write_features(tmp_path / "screen", profile_card, stopping())
    assert list(Screen.open(tmp_path / "screen").plates) == ["P0", "P1", "P2", "P3"]
    screen = write_features(tmp_path / "screen", profile_card, many(profile_card, 9), resume=True)
    whole = write_features(tmp_path / "whole", profile_card, many(profile_card, 9))
    assert list(screen.plates) == list(whole.plates) == [f"P{i}" for i in range(9)]
    pd.testing.assert_frame_equal(screen.wells, whole.wells)
    sites = list(whole.fields.index)
    np.testing.assert_array_equal(screen.features(sites), whole.features(sites))


def test_a_plate_with_other_features_is_not_taken_for_the_one_that_is_there(profile_card, tmp_path):
    write_features(tmp_path / "screen", profile_card, many(profile_card, 2))
    plate = next(many(profile_card, 1))
    other = MeasuredPlate(plate.name, plate.sites, plate.features + 1)
    with pytest.raises(ScreenError, match=r"plate P0 is in .* already"):
        write_features(tmp_path / "screen", profile_card, [other], resume=True)
    with pytest.raises(ScreenError, match=r"plate P0 is in .* already"):
        write_features(tmp_path / "screen", profile_card, [plate])
