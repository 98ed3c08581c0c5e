"""Runs: what they store, how they go on, what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from napari_cellclip.model import EncoderCard, FileCard, IntensityScaling, IntensityStats, Tiling
from napari_cellclip.plates import PlateMap
from napari_cellclip.screen import Screen, encode, iter_encode
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.vocabulary import (
    STAINS,
    Control,
    Kind,
    Perturbation,
    PlateError,
    ScreenError,
    Stain,
    StainError,
)
from tests.screen.conftest import CHANNELS

PLATEMAP = PlateMap.from_perturbations(
    {
        "A01": Perturbation(Kind.COMPOUND, "nocodazole", genes=("TUBB", "TUBA1A"), dose=1.0),
        "A02": Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE),
    }
)


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every shard: either changes when it is written again."""
    found = folder.glob("fields/**/*.parquet")
    return {str(p.relative_to(folder)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def tables(folder: Path) -> dict[str, dict]:
    """Content of every table of a screen."""
    return {
        str(p.relative_to(folder)): pq.read_table(p, partitioning=None).to_pydict()
        for p in folder.rglob("*.parquet")
    }


def test_screen_holds_what_the_model_gave(tmp_path, make_plate, make_model) -> None:
    plate, model = make_plate(), make_model()
    screen = encode(plate, PLATEMAP, model, tmp_path / "s", shard_sites=4)
    record = screen.plates["P1"]
    stats = IntensityStats.model_validate(record.intensity)
    wanted = model.features([s.read() for s in plate.sites], stats).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(screen.features([s.id for s in plate.sites]), wanted)
    bags = [wanted[3 * i : 3 * i + 3] for i in range(3)]
    np.testing.assert_array_equal(screen.embeddings, model.embed_wells(bags))
    assert screen.embeddings.dtype == np.float32
    assert screen.well_ids == ("P1/A01", "P1/A02", "P1/B01")
    assert list(screen.fields.index) == [s.id for s in plate.sites]
    assert screen.wells.loc["P1/B01", ["Metadata_Row", "Metadata_Column", "Metadata_sites"]].tolist() == [
        1,
        0,
        3,
    ]
    assert screen.wells["Metadata_treatment"].tolist() == ["nocodazole", "DMSO", ""]
    assert screen.control_ids == ("P1/A02",)
    assert screen.perturbation("P1/A01") == PLATEMAP.get("A01")
    assert screen.perturbation("P1/B01") == Perturbation()
    assert screen.failures.empty
    assert screen.complete
    assert screen.norms == pytest.approx(np.linalg.norm(screen.embeddings, axis=1))


def test_progress_tells_the_stages_in_order(tmp_path, make_plate, make_model) -> None:
    steps = list(iter_encode(make_plate(), None, make_model(), tmp_path, shard_sites=4))
    assert list(dict.fromkeys(s.stage for s in steps)) == ["intensity", "fields", "wells"]
    fields = [s for s in steps if s.stage == "fields"]
    assert [s.done for s in fields] == [4, 8, 9]
    assert {s.total for s in fields} == {9}
    assert fields[-1].well == "P1/B01"


def test_stage_of_intensities_is_seeded_and_stored_before_any_shard(tmp_path, make_plate, make_model) -> None:
    run = iter_encode(make_plate(sites=30), None, make_model(), tmp_path / "a", shard_sites=8)
    for step in run:
        if step.stage == "fields":
            break
        assert not list((tmp_path / "a").rglob("shard-*"))
    run.close()
    stored = Screen.open(tmp_path / "a").plates["P1"].intensity
    assert stored["fields"] == 48  # of 90 sites
    other = encode(make_plate(sites=30), None, make_model(), tmp_path / "b", shard_sites=5)
    assert other.plates["P1"].intensity == stored
    assert other.contrast("P1") == Screen.open(tmp_path / "a").contrast("P1")


def test_contrast_follows_the_plate(tmp_path, make_plate, make_model) -> None:
    dim = encode(make_plate(sites=1), None, make_model(), tmp_path / "dim").contrast("P1")
    bright = encode(make_plate(sites=1, gain=3), None, make_model(), tmp_path / "bright").contrast("P1")
    assert bright[Stain.MITO] == pytest.approx([3 * v for v in dim[Stain.MITO]], rel=0.01)


def test_image_scaling_needs_no_plate_range(tmp_path, make_plate, make_model, make_card) -> None:
    model = make_model(make_card(intensity=IntensityScaling(kind="image")))
    assert encode(make_plate(), None, model, tmp_path).plates["P1"].intensity is None


@pytest.mark.parametrize("stop", [1, 9, 10, 11, 12])
def test_closed_run_goes_on_and_computes_nothing_twice(tmp_path, make_plate, make_model, stop) -> None:
    model = make_model()
    run = iter_encode(make_plate(), PLATEMAP, model, tmp_path / "a", shard_sites=4, workers=1)
    for _ in range(stop):
        next(run)
    run.close()
    before = files(tmp_path / "a")
    # Once a shard may exist, the batch size it began with is kept.
    encode(make_plate(), PLATEMAP, model, tmp_path / "a", shard_sites=7 if stop > 9 else 4)
    assert {name: files(tmp_path / "a")[name] for name in before} == before
    assert len(set(model.encoded)) == 9
    assert len(model.encoded) <= 9 + 4  # the shard that was drawn ahead when the run was closed, at most
    encode(make_plate(), PLATEMAP, make_model(), tmp_path / "b", shard_sites=4)
    assert tables(tmp_path / "a") == tables(tmp_path / "b")


def test_finished_run_again_neither_reads_nor_computes(tmp_path, make_plate, make_model) -> None:
    encode(make_plate(), None, make_model(), tmp_path)
    before = files(tmp_path)
    plate, model = make_plate(), make_model()
    encode(plate, None, model, tmp_path)
    assert (plate.reads, model.encoded, model.embedded) == ([], [], 0)
    assert files(tmp_path) == before


@pytest.mark.parametrize("workers", [0, 3])
def test_bad_sites_are_listed_and_end_nothing(tmp_path, make_plate, make_model, workers) -> None:
    broken = ["P1/A01/2", "P1/B01/1", "P1/B01/2", "P1/B01/3"]
    steps = list(
        iter_encode(make_plate(broken=broken), None, make_model(), tmp_path, shard_sites=4, workers=workers)
    )
    screen = Screen.open(tmp_path)
    assert [s.failures for s in steps if s.stage == "fields"] == [1, 3, 4]
    assert list(screen.failures["Metadata_Site_id"]) == broken
    assert "cut off" in screen.failures["Metadata_Failure"][0]
    assert np.isnan(screen.embeddings[2]).all()
    assert np.isfinite(screen.embeddings[:2]).all()
    assert list(screen.wells["Metadata_sites"]) == [2, 3, 0]
    assert list(screen.wells["Metadata_all_sites"]) == [3, 3, 3]
    assert pq.read_table(tmp_path / "failures.parquet").num_rows == 4
    assert screen.complete
    with pytest.raises(ScreenError, match="cut off"):
        screen.features(["P1/A01/2"])


def test_failed_sites_are_tried_again_on_request_only(tmp_path, make_plate, make_model) -> None:
    encode(make_plate(broken=["P1/A01/2"]), None, make_model(), tmp_path / "a", shard_sites=4)
    model, plate = make_model(), make_plate()
    encode(plate, None, model, tmp_path / "a")
    assert (plate.reads, model.encoded) == ([], [])
    encode(plate, None, model, tmp_path / "a", retry_failed=True)
    assert plate.reads == ["P1/A01/2"]
    assert len(model.encoded) == 1
    assert model.embedded == 1  # the other wells stay as they are
    again = Screen.open(tmp_path / "a")
    assert again.failures.empty
    # Intensities stay those measured without the site, as every other shard has them.
    stats = IntensityStats.model_validate(again.plates["P1"].intensity)
    wanted = make_model().features([plate.pixels("P1/A01/2")], stats).astype(np.float16)
    np.testing.assert_array_equal(again.features(["P1/A01/2"]), wanted)
    encode(plate, None, model, tmp_path / "a", retry_failed=True)
    assert len(model.encoded) == 1


def test_field_that_the_model_refuses_is_blamed_alone(tmp_path, make_plate, make_model) -> None:
    plate = make_plate()
    odd = round(float(plate.pixels("P1/A02/1").mean()), 6)
    screen = encode(plate, None, make_model(refuses=[odd]), tmp_path)
    assert list(screen.failures["Metadata_Site_id"]) == ["P1/A02/1"]
    assert "too odd" in screen.failures["Metadata_Failure"][0]
    assert len(screen.fields) == 8


def test_features_too_large_for_half_precision_are_a_failure(tmp_path, make_plate, make_model) -> None:
    model = make_model()
    model.a = model.a * 1e9
    screen = encode(make_plate(), None, model, tmp_path)
    assert len(screen.failures) == 9
    assert "far too large" in screen.failures["Metadata_Failure"][0]


def test_plate_of_which_nothing_can_be_read_is_refused(tmp_path, make_plate, make_model) -> None:
    plate = make_plate()
    plate.broken = {s.id for s in plate.sites}
    with pytest.raises(ScreenError, match=r"no site can be read .*cut off"):
        encode(plate, None, make_model(), tmp_path)


def test_every_kind_of_reason_is_told_in_plate_order(tmp_path, make_plate, make_model, monkeypatch) -> None:
    plate = make_plate()
    faults = {
        "A01": "{w}_{n}.tif is an RGB picture",
        "A02": "there is no image of DNA",
        "B01": "{w}.tif is empty",
    }

    def read(site, stains=STAINS):
        said = faults[site.well].format(w=site.well, n=site.number)
        raise PlateError(f"site {site.id}{', DNA' * (site.well == 'B01')}: {said}")

    monkeypatch.setattr(type(plate.sites[0]), "read", read)
    with pytest.raises(ScreenError) as told:
        encode(plate, None, make_model(), tmp_path)
    assert str(told.value).endswith(
        "no site can be read (3 of 9 like P1/A01/1: A01_1.tif is an RGB picture; "
        "3 of 9 like P1/A02/1: there is no image of DNA; 3 of 9 like P1/B01/1: DNA: B01.tif is empty)"
    )


def test_many_kinds_of_reasons_are_cut_short(tmp_path, make_plate, make_model, monkeypatch) -> None:
    plate = make_plate(wells=("A01", "A02", "A03", "A04", "A05", "A06", "A07"), sites=2)

    def read(site, stains=STAINS):
        raise PlateError(f"site {site.id}: broken {'again ' * int(site.well[1:])}")

    monkeypatch.setattr(type(plate.sites[0]), "read", read)
    with pytest.raises(ScreenError, match=r"A05/1: (broken|again| )+; 4 for 2 other reasons\)$"):
        encode(plate, None, make_model(), tmp_path)


def test_lack_of_memory_halves_the_batch_and_says_so(tmp_path, make_plate, make_model) -> None:
    model = make_model(memory=20)
    steps = list(iter_encode(make_plate(), None, model, tmp_path, shard_sites=4))
    said = [s.message for s in steps if "ran out" in s.message]
    assert len(said) == 1
    assert "32 crops" in said[0]
    assert "16 crops" in said[0]
    assert model.batch_size == 16
    assert Screen.open(tmp_path).failures.empty


def test_lack_of_memory_for_one_crop_ends_the_run_with_a_sentence(tmp_path, make_plate, make_model) -> None:
    with pytest.raises(ScreenError, match="device='cpu'"):
        encode(make_plate(), None, make_model(memory=2), tmp_path)


def test_missing_stain_is_refused_before_anything_is_written(tmp_path, make_plate, make_model) -> None:
    plate = make_plate(channels={stain: name for stain, name in CHANNELS.items() if stain is not Stain.ER})
    with pytest.raises(StainError, match="ER"):
        encode(plate, None, make_model(), tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tiling": Tiling(mode="grid", size=16)}, r"preprocessing changed \(tiling.mode: center -> grid"),
        (
            {"intensity": IntensityScaling(kind="image")},
            "preprocessing changed .*intensity.kind: plate -> image",
        ),
        (
            {"encoder": EncoderCard(kind="small", name="fake", dim=6, weights=FileCard(sha256="c" * 64))},
            "encoder's weights changed .*aaaa.* -> cccc",
        ),
    ],
)
def test_other_encoder_is_refused_with_the_reason(
    tmp_path, make_plate, make_model, make_card, changes, said
) -> None:
    encode(make_plate(), None, make_model(), tmp_path)
    with pytest.raises(ScreenError, match=said):
        encode(make_plate(), None, make_model(make_card(**changes)), tmp_path)


def test_other_data_are_refused_with_the_reason(tmp_path, make_plate, make_model) -> None:
    encode(make_plate(), None, make_model(), tmp_path)
    with pytest.raises(ScreenError, match=r"data changed: 0 sites are gone and 3 are new \(P1/A01/4"):
        encode(make_plate(sites=4), None, make_model(), tmp_path)
    plate = make_plate(channels=CHANNELS | {Stain.DNA: "ch5"})
    with pytest.raises(ScreenError, match=r"channels of its stains changed \(DNA: ch0 -> ch5"):
        encode(plate, None, make_model(), tmp_path)


def test_rewritten_file_is_refused_by_name(tmp_path, make_plate, make_model) -> None:
    image = tmp_path / "image.tiff"
    image.write_bytes(b"one")
    plate = make_plate()
    plate.files["P1/A02/2"] = image
    encode(plate, None, make_model(), tmp_path / "s")
    image.write_bytes(b"another")
    with pytest.raises(ScreenError, match=r"files of 1 sites are others than before \(P1/A02/2\)"):
        encode(plate, None, make_model(), tmp_path / "s")


def test_repaired_file_of_a_failed_site_is_accepted(tmp_path, make_plate, make_model) -> None:
    image = tmp_path / "image.tiff"
    image.write_bytes(b"")
    plate = make_plate(broken=["P1/A02/2"])
    plate.files["P1/A02/2"] = image
    encode(plate, None, make_model(), tmp_path / "s")
    image.write_bytes(b"repaired")
    plate.broken = set()
    assert encode(plate, None, make_model(), tmp_path / "s", retry_failed=True).failures.empty
    image.write_bytes(b"changed now that it counts")
    with pytest.raises(ScreenError, match="P1/A02/2"):
        encode(plate, None, make_model(), tmp_path / "s", retry_failed=True)


def test_folder_with_other_things_is_refused(tmp_path, make_plate, make_model) -> None:
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(ScreenError, match="holds other files"):
        encode(make_plate(), None, make_model(), tmp_path)
    with pytest.raises(ScreenError, match="is a file"):
        encode(make_plate(), None, make_model(), tmp_path / "thesis.docx")


def test_other_head_embeds_anew_without_a_pixel(tmp_path, make_plate, make_model, make_card) -> None:
    old = encode(make_plate(), None, make_model(), tmp_path)
    plate, model = make_plate(), make_model(make_card("tuned", weights=FileCard(sha256="d" * 64)))
    model.b = 2 * model.b
    new = encode(plate, None, model, tmp_path)
    assert plate.reads == []
    assert new.card.name == "tuned"
    np.testing.assert_allclose(new.embeddings, 2 * old.embeddings, rtol=1e-6)
    back = encode(make_plate(), None, make_model(), tmp_path)
    np.testing.assert_array_equal(back.embeddings, old.embeddings)


def test_second_plate_is_added_with_its_own_intensities(tmp_path, make_plate, make_model) -> None:
    encode(make_plate(), PLATEMAP, make_model(), tmp_path)
    before = files(tmp_path)
    screen = encode(make_plate("Q 2", wells=("A01", "C07"), gain=2), None, make_model(), tmp_path)
    assert list(screen.plates) == ["P1", "Q 2"]
    assert screen.well_ids == ("P1/A01", "P1/A02", "P1/B01", "Q 2/A01", "Q 2/C07")
    assert np.isfinite(screen.embeddings).all()
    assert screen.plates["P1"].intensity != screen.plates["Q 2"].intensity
    assert screen.wells["Metadata_treatment"].tolist() == ["nocodazole", "DMSO", "", "", ""]
    assert {name: files(tmp_path)[name] for name in before} == before
    assert screen.preview("Q 2/C07").shape == (20, 24, 3)


def test_labels_are_replaced_without_encoding(tmp_path, make_plate, make_model) -> None:
    screen = encode(make_plate(), PLATEMAP, make_model(), tmp_path)
    other = PlateMap.from_perturbations({"B01": Perturbation(Kind.CRISPR, "BRD4", genes=("BRD4",))})
    seen = screen.with_platemap(other)
    assert seen.wells["Metadata_treatment"].tolist() == ["", "", "BRD4"]
    assert seen.perturbation("P1/B01").kind is Kind.CRISPR
    assert Screen.open(tmp_path).wells["Metadata_treatment"].tolist() == ["nocodazole", "DMSO", ""]
    screen.with_platemap(other, save=True)
    assert Screen.open(tmp_path).control_ids == ()
    encode(make_plate(), None, make_model(), tmp_path)
    assert Screen.open(tmp_path).perturbation("P1/B01").name == "BRD4"
    encode(make_plate(), PLATEMAP, make_model(), tmp_path)
    assert Screen.open(tmp_path).perturbation("P1/A01").dose == 1.0


def test_labels_saved_by_a_screen_that_was_open_leave_those_of_plates_added_since(
    tmp_path, make_plate, make_model
) -> None:
    screen = encode(make_plate(), None, make_model(), tmp_path)
    encode(make_plate("Q"), PLATEMAP, make_model(), tmp_path)  # as another program does meanwhile
    screen.with_platemap(PlateMap.from_perturbations({"B01": Perturbation(name="x")}), save=True)
    labels = Screen.open(tmp_path).wells["Metadata_treatment"]
    assert labels["P1/B01"] == "x"
    assert labels[["Q/A01", "Q/A02"]].tolist() == ["nocodazole", "DMSO"]


def test_a_screen_may_lie_in_the_home_folder(tmp_path, monkeypatch, make_plate, make_model) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    screen = encode(make_plate(), None, make_model(), "~/screens/one")
    assert screen.path == tmp_path / "home" / "screens" / "one"
    assert Screen.open("~/screens/one").export("~/wells.csv") == tmp_path / "home" / "wells.csv"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_cancelled_run_can_show_what_it_has(tmp_path, make_plate, make_model) -> None:
    run = iter_encode(make_plate(), None, make_model(), tmp_path, shard_sites=3)
    for step in run:
        if step.stage == "fields":
            break
    run.close()
    begun = Screen.open(tmp_path)
    assert np.isnan(begun.embeddings).all()
    assert begun.embeddings.shape == (3, 4)
    assert not begun.complete
    shown = begun.derive_wells(make_model())
    assert np.isfinite(shown.embeddings).all(axis=1).tolist() == [True, False, False]
    assert not shown.complete
    done = encode(make_plate(), None, make_model(), tmp_path)
    np.testing.assert_array_equal(done.embeddings[0], shown.embeddings[0])
    assert done.complete


def test_shards_are_the_sites_in_order(tmp_path, make_plate, make_model) -> None:
    model = make_model()
    screen = encode(make_plate(), None, model, tmp_path, shard_sites=4)
    shards = Shards(tmp_path, model.card.encoder_hash, "P1")
    assert shards.finished() == {0, 1, 2}
    assert [list(shards.status(n)) for n in range(3)] == [
        [f"P1/{w}/{n}" for w, n in group]
        for group in (
            [("A01", 1), ("A01", 2), ("A01", 3), ("A02", 1)],
            [("A02", 2), ("A02", 3), ("B01", 1), ("B01", 2)],
            [("B01", 3)],
        )
    ]
    assert sorted(model.batches) == [1, 4, 4]
    assert screen.complete


def test_the_former_name_of_shard_sites_is_refused(make_plate, make_model, tmp_path):
    with pytest.raises(TypeError, match="batch_size"):
        encode(make_plate(), None, make_model(), tmp_path, batch_size=4)
