"""Training on a screen from start to model folder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_cellclip.model import Model, PromptTemplates, load_model
from napari_cellclip.plates import PlateMap
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.training import TrainingConfig, bags_of, iter_train, train
from napari_cellclip.training.data.bags import group_of
from napari_cellclip.training.data.platemap_captions import caption_of
from napari_cellclip.training.data.screen_bags import treatment_names
from napari_cellclip.training.loop.distributed import Processes
from napari_cellclip.training.loop.fit import Fitted
from napari_cellclip.training.loop.trained_card import seen as _seen
from napari_cellclip.vocabulary import CellClipError, Control, Kind, Perturbation
from napari_cellclip.vocabulary.identity import canonical_structure

CONFIG = TrainingConfig(epochs=3, batch=8, warmup=2)


def test_a_run_leaves_a_model_folder(tiny_screen: Screen, tiny_model: Model, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in tiny_screen.model.cellclip.state_dict().items()}
    reports = list(iter_train([tiny_screen], tmp_path / "mine", config=CONFIG, device="cpu"))
    assert [report.done for report in reports] == [1, 2, 3]
    trained = load_model(tmp_path / "mine", device="cpu")
    assert trained.card.name == "mine"
    assert trained.card.encoder_hash == tiny_model.card.encoder_hash
    assert trained.card.card_hash != tiny_model.card.card_hash
    after = trained.cellclip.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    # The model the screen was encoded with is left as it is.
    assert all(torch.equal(before[name], v) for name, v in tiny_screen.model.cellclip.state_dict().items())
    assert not (tmp_path / "mine" / "checkpoint.pt").exists()
    wells = trained.embed_wells([bag.features for bag in bags_of([tiny_screen], trained.card.prompts)])
    assert wells.shape == (12, 8)
    assert np.isfinite(wells).all()


def test_a_folder_called_as_a_known_model_is_what_was_trained(
    tiny_screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(train([tiny_screen], "demo", config=CONFIG, device="cpu").origin) == tmp_path / "demo"


def test_an_interrupted_run_goes_on(tiny_screen: Screen, tmp_path: Path) -> None:
    whole = train([tiny_screen], tmp_path / "whole", config=CONFIG, device="cpu")
    first = iter_train([tiny_screen], tmp_path / "parts", config=CONFIG, device="cpu")
    assert next(first).done == 1
    first.close()
    assert not (tmp_path / "parts" / "card.json").exists()
    assert [r.done for r in iter_train([tiny_screen], tmp_path / "parts", config=CONFIG, device="cpu")] == [
        2,
        3,
    ]
    parts = load_model(tmp_path / "parts", device="cpu")
    assert parts.card.card_hash == whole.card.card_hash


def test_a_run_is_not_continued_on_another_screen(tiny_screen: Screen, tmp_path: Path) -> None:
    first = iter_train([tiny_screen], tmp_path / "out", config=CONFIG, device="cpu")
    next(first)
    first.close()
    copied = Screen.open(shutil.copytree(tiny_screen.path, tmp_path / "another"))
    with pytest.raises(CellClipError, match=r"checkpoint\.pt belongs to .* other screens: remove"):
        next(iter_train([copied], tmp_path / "out", config=CONFIG, device="cpu"))
    with pytest.raises(CellClipError, match="other start of the head"):
        next(iter_train([tiny_screen], tmp_path / "out", config=CONFIG, device="cpu", from_scratch=True))


def test_nothing_is_overwritten(tiny_screen: Screen, tmp_path: Path) -> None:
    model = Path(tiny_screen.origin)
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    with pytest.raises(CellClipError, match="already holds a model"):
        next(iter_train([tiny_screen], model, config=CONFIG, device="cpu"))
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CellClipError, match=r"other files \(notes.txt"):
        next(iter_train([tiny_screen], tmp_path, config=CONFIG, device="cpu"))
    with pytest.raises(CellClipError, match="is a file"):
        next(iter_train([tiny_screen], tmp_path / "notes.txt", config=CONFIG, device="cpu"))
    (tmp_path / "empty").mkdir()
    train([tiny_screen], tmp_path / "empty", config=CONFIG, epochs=1, device="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "notes.txt"]


def test_a_checkpoint_outlives_a_model_that_cannot_be_put_in_its_place(
    tiny_screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rename = tmp_path / "mine", Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name == ".mine.partial":
            raise OSError("disk is gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(CellClipError, match=r"cannot be moved to .*disk is gone.*partial"):
        train([tiny_screen], out, config=CONFIG, device="cpu")
    assert (out / "checkpoint.pt").is_file()
    assert load_model(tmp_path / ".mine.partial", device="cpu").card.name == "mine"
    monkeypatch.setattr(Path, "rename", rename)
    out.rename(tmp_path / ".mine.former")  # as if killed between the two moves
    finished = iter_train([tiny_screen], out, config=CONFIG, device="cpu")
    assert [report.done for report in finished] == []  # nothing is trained again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    assert not (out / "checkpoint.pt").exists()


@pytest.mark.parametrize("main", [True, False])
def test_an_error_of_the_first_process_ends_them_all(
    main: bool, tiny_screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Team(Processes):
        said: str | None = None

        def agree(self, value: Any) -> Any:
            if isinstance(value, str):
                self.said = value
                return value if main else "OSError: disk is full"
            return value

    team = Team(torch.device("cpu"))
    team.rank = 0 if main else 1

    def fail(*_: object) -> None:
        raise OSError("disk is full")

    monkeypatch.setattr("napari_cellclip.training.runs.processes", lambda _: team)
    monkeypatch.setattr("napari_cellclip.training.runs.save_model", fail)
    monkeypatch.setattr("napari_cellclip.training.runs.iter_fit", no_training)
    with pytest.raises(OSError if main else CellClipError, match="disk is full"):
        list(iter_train([tiny_screen], tmp_path / "out", config=CONFIG, device="cpu"))
    assert team.said == ("OSError: disk is full" if main else "")


def no_training(*_: object, **__: object) -> Generator[Progress, None, Fitted]:
    """In place of `iter_fit`: done at once."""
    yield from ()
    return Fitted(0, None, None, stopped_early=False)


def test_the_title_says_trained_further_once(
    tiny_screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "tiny, trained further"
    again = tiny_screen.model.card.model_copy(update={"title": title})
    monkeypatch.setattr(tiny_screen.model, "card", again)
    assert train([tiny_screen], tmp_path / "x", config=CONFIG, epochs=1, device="cpu").card.title == title


def test_simulated_is_said_of_what_was_seen(tiny_model: Model, tmp_path: Path) -> None:
    card = tiny_model.card.model_copy(update={"simulated": True, "limits": "Small."})
    for name in ("made", "real"):
        (tmp_path / "plates" / name).mkdir(parents=True)
    (tmp_path / "plates" / "made" / "simulated.json").write_text("{}")

    def seen(*names: str) -> tuple[bool, str]:
        plates = {name: SimpleNamespace(path=str(tmp_path / "plates" / name)) for name in names}
        return _seen(card, [SimpleNamespace(plates=plates)])  # type: ignore[list-item]

    encoder = "Small. The channel encoder has seen simulated cells only."
    assert seen("made") == (True, "Small.")
    assert seen("made", "real") == (False, encoder)
    simulated, limits = seen("made", "gone")
    assert simulated
    assert limits.startswith(encoder)
    assert "not known" in limits
    assert _seen(tiny_model.card, []) == (False, "")


def test_epochs_and_seed_overrule_the_settings(tiny_screen: Screen, tmp_path: Path) -> None:
    one = train([tiny_screen], tmp_path / "a", config=CONFIG, epochs=1, seed=1, device="cpu")
    two = train([tiny_screen], tmp_path / "b", config=CONFIG, epochs=1, seed=2, device="cpu")
    assert "1 epochs, seed 1" in one.card.trained_on
    assert one.card.card_hash != two.card.card_hash


def test_from_scratch_forgets_the_head(tiny_screen: Screen, tmp_path: Path) -> None:
    kept = train([tiny_screen], tmp_path / "kept", config=CONFIG, epochs=1, device="cpu")
    fresh = train(
        [tiny_screen], tmp_path / "fresh", config=CONFIG, epochs=1, seed=7, device="cpu", from_scratch=True
    )
    start = tiny_screen.model.cellclip.visual.proj
    near = (kept.cellclip.visual.proj - start).norm()
    assert (fresh.cellclip.visual.proj - start).norm() > 2 * near


def test_bags_hold_the_fields_and_the_words_of_each_well(tiny_screen: Screen) -> None:
    bags = bags_of([tiny_screen], PromptTemplates())
    assert len(bags) == 12
    assert {bag.features.shape for bag in bags} == {(2, 5, 16)}
    texts = [bag.captions[0].text for bag in bags]
    assert sum("DMSO" in text for text in texts) == len(tiny_screen.control_ids)
    assert len({bag.group for bag in bags if "DMSO" in bag.captions[0].text}) == 1


def test_wells_without_a_name_are_left_out(tiny_screen: Screen) -> None:
    first = next(iter(tiny_screen.well_ids)).split("/")[1]
    named = PlateMap.from_perturbations({first: Perturbation(Kind.COMPOUND, "nocodazole")})
    blank = Screen.open(tiny_screen.path).with_platemap(named)
    assert len(bags_of([blank], PromptTemplates())) == 1
    with pytest.raises(CellClipError, match="plate map"):
        bags_of([blank.with_platemap(PlateMap.from_perturbations({}))], PromptTemplates())


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(CellClipError, match="at least one"):
        list(iter_train([], tmp_path / "x"))


@pytest.mark.parametrize(
    ("perturbation", "by_treatment", "by_mechanism"),
    [
        (
            Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE),
            "negative control",
            "negative control",
        ),
        (Perturbation(Kind.COMPOUND, "A", mechanism="m", dose=1.0), "compound:A", "m"),
        (Perturbation(Kind.COMPOUND, "A", dose=9.0), "compound:A", "compound:A"),
        (Perturbation(Kind.CRISPR, "TUBB", genes=("TUBB",)), "crispr:TUBB", "crispr:TUBB"),
    ],
)
def test_what_counts_as_one_perturbation(
    perturbation: Perturbation, by_treatment: str, by_mechanism: str
) -> None:
    assert group_of(perturbation) == by_treatment
    assert group_of(perturbation, "mechanism") == by_mechanism


@pytest.mark.parametrize("rdkit", [True, False])
def test_a_treatment_is_one_under_all_its_names(
    rdkit: bool, tiny_screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rdkit:
        pytest.importorskip("rdkit")
    else:
        monkeypatch.setitem(sys.modules, "rdkit", None)
    canonical_structure.cache_clear()
    done = [
        Perturbation(Kind.COMPOUND, "Nocodazole", dose=1.0),
        Perturbation(Kind.COMPOUND, "nocodazole", dose=3.0),
        Perturbation(Kind.COMPOUND, "nocodazole", control=Control.POSITIVE),
        Perturbation(Kind.COMPOUND, "ethanol", smiles="CCO", mechanism="solvent"),
        Perturbation(Kind.COMPOUND, "alcohol", smiles="OCC"),
        Perturbation(Kind.COMPOUND, "BRD-1", smiles="CCO"),
        Perturbation(Kind.CRISPR, "guide 1", genes=("TUBB",)),
        Perturbation(Kind.CRISPR, "guide 2", genes=("TUBB",)),
        Perturbation(Kind.ORF, "TUBB", genes=("TUBB",)),
        Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE),
        Perturbation(Kind.CONTROL, "water", control=Control.NEGATIVE),
        Perturbation(Kind.COMPOUND, "taxol"),
    ]
    places = [well.split("/")[1] for well in tiny_screen.well_ids]
    named = PlateMap.from_perturbations(dict(zip(places, done, strict=True)))
    screen = Screen.open(tiny_screen.path).with_platemap(named)
    groups = [bag.group for bag in bags_of([screen], PromptTemplates())]
    one, spelt = "compound:BRD-1", "compound:BRD-1" if rdkit else "compound:alcohol"
    assert groups[:3] == ["compound:Nocodazole"] * 3
    assert groups[3:6] == [one, spelt, one]
    assert groups[6:9] == ["crispr:guide 1", "crispr:guide 1", "orf:TUBB"]
    assert groups[9:] == ["negative control", "negative control", "compound:taxol"]
    by_mechanism = [bag.group for bag in bags_of([screen], PromptTemplates(), group_by="mechanism")]
    assert by_mechanism == [*groups[:3], "solvent", *groups[4:]]
    some = [bag.group for bag in bags_of([screen], PromptTemplates(), wells={screen.well_ids[1]})]
    assert some == ["compound:Nocodazole"]  # one name in every part of a split
    canonical_structure.cache_clear()


def test_a_treatment_is_one_over_screens(tiny_screen: Screen) -> None:
    wells = tiny_screen.wells.head(2).assign(Metadata_kind="compound", Metadata_control_type="")
    first = wells.assign(Metadata_treatment=["A", "B"], Metadata_smiles="")
    other = first.assign(Metadata_treatment=["b", "a "]).rename(index=lambda well: f"other-{well}")
    names = treatment_names(pd.concat([first, other]))
    assert [names[well] for well in (*first.index, *other.index)] == [
        "compound:A",
        "compound:B",
        "compound:B",
        "compound:A",
    ]


def test_empty_and_unknown_wells_have_no_caption() -> None:
    templates = PromptTemplates()
    assert caption_of(Perturbation(control=Control.EMPTY, kind=Kind.CONTROL), templates, "U2OS") == ""
    assert caption_of(Perturbation(), templates, "U2OS") == ""
    named = Perturbation(Kind.COMPOUND, "nocodazole", cell_line="A549")
    assert caption_of(named, templates, "U2OS") == "A549 cells treated with compound: nocodazole"
