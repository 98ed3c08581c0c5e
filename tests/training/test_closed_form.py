"""Heads that are fitted and not trained: several data sets of other features in one run, asked at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from napari_cellclip import ask
from napari_cellclip.model import load_model
from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.training import RunConfig, runs, train
from napari_cellclip.training.data.labelled_profiles import profile_set
from napari_cellclip.training.loop.distributed import Processes
from napari_cellclip.vocabulary import STAINS, CellClipError, ScreenError

KINDS = (
    "tubulin polymerization inhibitor",
    "HDAC inhibitor",
    "proteasome inhibitor",
    "Aurora kinase inhibitor",
)
COMPOUNDS = 6
ALL = tuple(f"Cells_Texture_Made{i}_{stain}" for i in range(12) for stain in STAINS)
RUN = {"model": {"image_tower": "prototypes"}, "split": {"fractions": (0.7, 0.0, 0.3), "seed": 1}}


def made(folder: Path, plate: str, features: tuple[str, ...], seed: int, *, strange: bool = False) -> Path:
    """A plate of four mechanisms, each with a direction of its own in the features; controls first."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(size=(len(KINDS), len(ALL))) * 2
    columns = [ALL.index(name) if name in ALL else 0 for name in features]
    rows, values = [], []
    for i in range(24 + 2 * COMPOUNDS * len(KINDS)):
        number = (i - 24) // 2
        kind = number // COMPOUNDS
        name = "DMSO" if i < 24 else f"{'new' if strange else 'compound'}-{number}"
        rows.append(
            {
                "Metadata_Plate": plate,
                "Metadata_Well": f"{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}",
                "Metadata_pert_iname": name,
                "Metadata_smiles": "CS(C)=O" if i < 24 else "C" * (number + 1) + "O",
                "Metadata_control_type": "negcon" if i < 24 else "",
                "Metadata_moa_list": "" if i < 24 or strange else KINDS[kind],
            }
        )
        effect = np.zeros(len(features)) if i < 24 else directions[kind][columns]
        values.append(effect + rng.normal(size=len(features)))
    table = pd.concat([pd.DataFrame(rows), pd.DataFrame(values, columns=list(features))], axis=1)
    table.to_csv(folder / f"{plate}.csv", index=False)
    return folder / f"{plate}.csv"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("closed")


@pytest.fixture(scope="module")
def screens(work: Path) -> list[Screen]:
    """Two data sets that share 35 features."""
    return [
        import_profiles(made(work, "P1", ALL[:50], 0), work / "one", model=""),
        import_profiles(made(work, "P2", ALL[15:], 1), work / "two", model=""),
    ]


@pytest.fixture(scope="module")
def fitted(work: Path, screens: list[Screen]) -> Path:
    train(screens, work / "head", run=RunConfig.from_dict(RUN))
    return work / "head"


def test_the_model_folder_is_like_any_other(fitted: Path) -> None:
    model = load_model(fitted, device="cpu")
    assert (model.card.image_tower, model.card.name, model.card.simulated) == ("prototypes", "head", False)
    assert set(model.card.vocabulary) == set(KINDS)
    assert RunConfig.read(fitted / "run.toml").model.image_tower == "prototypes"
    figures = model.card.scores["mechanisms-by-words"]["figures"]
    assert figures["map"] > 0.9 > 3 * figures["chance"] / 2
    assert "labelled profiles of one" in model.card.trained_on


def test_held_out_compounds_take_no_part(screens: list[Screen], fitted: Path) -> None:
    from napari_cellclip.model.prototypes.profile_sets import FILE, read_profile_sets

    sets = read_profile_sets(fitted / FILE)
    assert len(sets) == 2
    for found, screen in zip(sets, screens, strict=True):
        whole = profile_set(screen)
        assert 0 < len(found.treatments) < len(whole.treatments) == len(KINDS) * COMPOUNDS
    assert set(sets[0].treatments) == set(sets[1].treatments), "a compound is on one side in all data sets"


def test_a_profile_is_the_mean_over_plates_less_their_controls(screens: list[Screen]) -> None:
    found = profile_set(screens[0])
    name = found.treatments[0]
    wells = screens[0].wells
    own = [w for w in wells.index if f"compound:{wells.at[w, 'Metadata_treatment']}" == name]
    controls = list(screens[0].control_ids)
    assert len(own) == 2
    features = screens[0].features([f"{w}/1" for w in own]).mean(axis=0)
    rest = screens[0].features([f"{w}/1" for w in controls]).mean(axis=0)
    # DNA's row holds the features of DNA in their order.
    dna = [i for i, f in enumerate(found.features) if f.endswith("_DNA")]
    np.testing.assert_allclose(found.profiles[0][dna], (features - rest)[0][: len(dna)], atol=1e-2)


def test_it_is_fitted_anew_to_a_table_of_other_features(work: Path, fitted: Path) -> None:
    features = (*ALL[10:55:1], *(f"Nuclei_Granularity_{i}_RNA" for i in range(7)))
    table = made(work, "P3", features, 2, strange=True)
    screen = import_profiles(table, work / "three", model=fitted)
    assert screen.card.name == "head"
    for kind, words in enumerate(KINDS):
        answer = ask(screen, words, evidence="words")
        first = answer.treatments_table["treatment"].head(COMPOUNDS).tolist()
        wanted = {f"new-{kind * COMPOUNDS + i}" for i in range(COMPOUNDS)}
        assert len(wanted & set(first)) >= COMPOUNDS - 1, (words, first)
    # Moved elsewhere, it still finds the head that was fitted to it.
    shutil.move(work / "three", work / "moved")
    moved = Screen.open(work / "moved")
    assert (
        ask(moved, KINDS[0], evidence="words").scores.index[0]
        == ask(
            moved, KINDS[0], evidence="words", model=load_model(work / "moved" / "models" / "head")
        ).scores.index[0]
    )


def test_a_table_that_shares_too_little_is_refused(work: Path, fitted: Path) -> None:
    table = made(work, "P4", (*ALL[:10], *(f"Nuclei_Granularity_{i}_RNA" for i in range(40))), 3)
    with pytest.raises(ScreenError, match="only 10 of the table's 50 features are known to this head"):
        import_profiles(table, work / "four", model=fitted)
    # The bundled head knows none of them, and is only the default: the profiles stay as they are.
    plain = import_profiles(table, work / "five")
    assert not plain.has_head


def test_steps_do_not_start_from_it(work: Path, fitted: Path) -> None:
    screen = import_profiles(made(work, "P5", ALL, 4), work / "six", model=fitted)
    assert screen.has_head
    run = RunConfig.from_dict({"model": {"width": 8, "embed_dim": 8, "layers": 1, "heads": 2, "words": 60}})
    model = train([screen], work / "steps", run=run, epochs=1)
    assert model.card.image_tower == "channel_former"
    assert "cells treated with" in model.card.prompts.mechanism


def test_a_text_tower_of_other_heads_is_refused(work: Path, screens: list[Screen]) -> None:
    run = RunConfig.from_dict({**RUN, "model": {"image_tower": "prototypes", "text_from": "demo"}})
    with pytest.raises(CellClipError, match="was made for other heads"):
        train(screens, work / "no", run=run)


def test_of_several_processes_the_first_one_fits(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is shared in seconds of work; two that write one folder would spoil it."""
    screen = import_profiles(made(tmp_path, "P1", ALL, 1), tmp_path / "screen", model="")
    second = Processes(torch.device("cpu"))
    second.rank = 1
    monkeypatch.setattr(runs, "processes", lambda device: second)
    assert list(runs.iter_train([screen], tmp_path / "model", run=RunConfig.from_dict(RUN))) == []
    assert not (tmp_path / "model").exists()
    monkeypatch.setattr(second, "agree", lambda value: "CellClipError: no mechanism")
    with pytest.raises(CellClipError, match=r"the first process could not .*no mechanism"):
        list(runs.iter_train([screen], tmp_path / "model", run=RunConfig.from_dict(RUN)))


def test_the_others_hear_of_whatever_ends_the_first_process(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = import_profiles(made(tmp_path, "P1", ALL, 1), tmp_path / "screen", model="")
    first, heard = Processes(torch.device("cpu")), []
    monkeypatch.setattr(first, "agree", lambda value: heard.append(value) or value)
    monkeypatch.setattr(runs, "processes", lambda device: first)

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(runs, "iter_fit_closed_form", full)
    with pytest.raises(OSError, match="no space left"):
        list(runs.iter_train([screen], tmp_path / "model", run=RunConfig.from_dict(RUN)))
    assert heard == ["OSError: no space left"]
