"""One row for each variant, trained once, scored on the same wells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.model import load_model
from napari_cellclip.screen import Screen
from napari_cellclip.screen.progress import finished
from napari_cellclip.training import RunConfig
from napari_cellclip.training import ablation as runner
from napari_cellclip.training.ablation import SUMMARY, TABLE, ablate, iter_ablate, summary_of
from napari_cellclip.training.ablation_variants import FACTORS, PAPER, REMOVED, variants_of
from napari_cellclip.vocabulary import CellClipError

RUN = RunConfig.from_dict(
    {
        "model": {"device": "cpu"},
        "training": {"epochs": 2, "batch": 8, "warmup": 1, "rate": 1e-3},
        "split": {"by": "compound", "fractions": [0.5, 0.2, 0.3]},
    }
)
GRID = {
    "pooling": ("attention", "none"),
    "image_tower": ("channel_former", "mean"),
    "loss": ("cwcl", "sigclip"),
    "prompt": ("all", "no_cell_line"),
    REMOVED: ("0", "1"),
}


@pytest.fixture(scope="module")
def grid(tiny_screen: Screen, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A small grid, run once."""
    out = tmp_path_factory.mktemp("ablation")
    return out, ablate({"tiny": [tiny_screen]}, out, run=RUN, vary=GRID)


def test_one_row_for_each_variant_on_the_same_pool(grid: tuple[Path, pd.DataFrame]) -> None:
    out, table = grid
    assert list(table["variant"]) == [
        "baseline",
        "pooling: none",
        "image_tower: mean",
        "loss: sigclip",
        "prompt: no_cell_line",
        "most_attended_removed: 1",
    ]
    assert (table["error"] == "").all()
    assert table["pool"].nunique() == table["wells"].nunique() == 1
    assert table["pool"][0] >= 2
    np.testing.assert_allclose(table["random r@1"], 1 / table["pool"])
    for way in ("text_to_image", "image_to_text"):
        found = [table[f"{way} {name}"] for name in ("r@1", "mrr")]
        assert (found[0] <= found[1]).all(), "what is found first has a reciprocal rank of 1"
        assert (found[1] >= 1 / table["pool"]).all(), "nothing ranks behind the last"
    pd.testing.assert_frame_equal(pd.read_csv(out / TABLE, keep_default_na=False), table, check_dtype=False)


def test_models_are_what_their_rows_say(grid: tuple[Path, pd.DataFrame]) -> None:
    out, table = grid
    models = {row["variant"]: load_model(out / row["model"], device="cpu") for _, row in table.iterrows()}
    assert models["pooling: none"].card.pooling == "none"
    assert models["image_tower: mean"].card.image_tower == "mean"
    assert models["loss: sigclip"].cellclip.config.bias
    assert not models["baseline"].cellclip.config.bias
    assert models["prompt: no_cell_line"].card.prompts.for_mechanism("x") == "cells treated with compound: x"
    assert models["baseline"].card.training["training"]["loss"] == "cwcl"
    rows = table.set_index("variant")
    # The one whose most attended fields are left out is the baseline, asked differently.
    assert rows.loc["most_attended_removed: 1", "model"] == rows.loc["baseline", "model"]
    assert len(set(table["model"])) == 5


def test_scores_are_those_on_the_models_card(grid: tuple[Path, pd.DataFrame]) -> None:
    out, table = grid
    for _, row in table[table[REMOVED] == 0].iterrows():
        figures = load_model(out / row["model"], device="cpu").card.scores["retrieval-test"]["figures"]
        assert figures["pool"] == row["pool"]
        for way in ("text_to_image", "image_to_text"):
            for name, value in figures[way].items():
                assert row[f"{way} {name}"] == pytest.approx(value, abs=1e-4)


def test_the_summary_tells_data_and_settings(grid: tuple[Path, pd.DataFrame]) -> None:
    out, table = grid
    content = json.loads((out / SUMMARY).read_text())
    assert content["split"]["by"] == "compound"
    assert content["split"]["test"] > 0
    assert content["settings"]["training"]["epochs"] == 2
    assert [row["variant"] for row in content["variants"]] == list(table["variant"])
    assert all(row["seeds"] == 1 for row in content["variants"])
    assert len(content["runs"]) == len(table)


def test_a_finished_variant_is_not_trained_again(
    grid: tuple[Path, pd.DataFrame], tiny_screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, table = grid
    trained = _counting(monkeypatch)
    again = ablate({"tiny": [tiny_screen]}, out, run=RUN, vary=GRID)
    assert trained == []
    pd.testing.assert_frame_equal(again, table)
    more = ablate({"tiny": [tiny_screen]}, out, run=RUN, vary=GRID | {"loss": ("cwcl", "sigclip", "clip")})
    assert len(more) == len(table) + 1
    assert [place.name.rpartition("-")[0] for place in trained] == ["loss-clip"]


def test_an_interrupted_grid_goes_on(
    tiny_screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = {"loss": ("clip", "cloob")}
    whole = ablate({"a": [tiny_screen]}, tmp_path / "whole", run=RUN, vary=grid)
    steps = iter_ablate({"a": [tiny_screen]}, tmp_path / "cut", run=RUN, vary=grid)
    seen = [next(steps) for _ in range(3)]
    assert [(step.done, step.total) for step in seen] == [(1, 4), (2, 4), (3, 4)]
    assert seen[2].message.startswith("2 of 2, loss: cloob: ")
    steps.close()
    assert len(pd.read_csv(tmp_path / "cut" / TABLE)) == 1
    trained = _counting(monkeypatch)
    again = ablate({"a": [tiny_screen]}, tmp_path / "cut", run=RUN, vary=grid)
    assert [place.name.split("-")[0] for place in trained] == ["loss"]
    pd.testing.assert_frame_equal(again, whole)


def test_seeds_repeat_a_variant_on_one_split(tiny_screen: Screen, tmp_path: Path) -> None:
    table = ablate({"a": [tiny_screen]}, tmp_path, run=RUN, vary={"loss": ("clip",)}, seeds=(0, 1))
    assert list(table["seed"]) == [0, 1]
    assert table["pool"].nunique() == 1
    assert table["model"].nunique() == 2
    summary = summary_of(table)
    figures = table["text_to_image mrr"]
    assert summary.loc["baseline", "text_to_image mrr"] == pytest.approx(figures.mean())
    assert summary.loc["baseline", "text_to_image mrr sd"] == pytest.approx(figures.std())


def test_encoders_are_compared_on_the_same_wells(tiny_screen: Screen, tmp_path: Path) -> None:
    grid: dict[str, tuple[str, ...]] = {"loss": ("clip",)}
    table = ablate({"one": [tiny_screen], "two": [tiny_screen]}, tmp_path, run=RUN, vary=grid)
    assert list(table["variant"]) == ["baseline", "encoder: two"]
    assert list(table["encoder"]) == ["one", "two"]
    assert table["text_to_image mrr"].nunique() == 1

    class Poorer:
        """The same screen without the last well."""

        def __init__(self, screen: Screen) -> None:
            self._screen = screen
            self.wells = screen.wells.iloc[:-1]

        def __getattr__(self, name: str) -> object:
            return getattr(self._screen, name)

    with pytest.raises(CellClipError, match=r"differ in well .*: encode the same plates"):
        ablate({"one": [tiny_screen], "two": [Poorer(tiny_screen)]}, tmp_path, run=RUN, vary=grid)  # type: ignore[list-item]


def test_a_variant_that_fails_does_not_end_the_others(
    tiny_screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.iter_train

    def failing(screens, out, *, run):
        if run.training.loss == "cloob":
            raise CellClipError("out of luck")
        return real(screens, out, run=run)

    monkeypatch.setattr(runner, "iter_train", failing)
    table = ablate({"a": [tiny_screen]}, tmp_path, run=RUN, vary={"loss": ("clip", "cloob")})
    assert list(table["error"]) == ["", "out of luck"]
    assert list(summary_of(table).index) == ["baseline"]
    content = json.loads((tmp_path / SUMMARY).read_text())
    assert content["runs"][1]["error"] == "out of luck"
    with pytest.raises(CellClipError, match="no variant could be trained; the first: out of luck"):
        ablate({"a": [tiny_screen]}, tmp_path, run=RUN, vary={"loss": ("cloob",)})


def test_the_papers_grid_changes_one_thing_at_a_time() -> None:
    made = variants_of(PAPER)
    assert made[0].name == "baseline"
    assert len(made) == 1 + sum(len(levels) - 1 for levels in PAPER.values())
    assert all(len(variant.changed) == 1 for variant in made[1:])
    assert all(set(levels) <= set(FACTORS[factor]) for factor, levels in PAPER.items())
    base = RunConfig.from_dict({"training": {"loss_options": {"detach_weights": False}}})
    for variant in made:
        settings = variant.settings(base, seed=3)
        assert settings.model.from_scratch
        assert settings.training.seed == 3
        assert bool(settings.training.loss_options) == (settings.training.loss == "cwcl")
    assert [variant.removed for variant in made if REMOVED in variant.changed] == [1, 2, 3]
    assert len({variant.slug for variant in made}) == len(made) - 3  # those are trained once


def test_a_crossed_grid_leaves_out_what_means_nothing() -> None:
    grid = {
        "pooling": ("attention", "mean"),
        REMOVED: ("0", "1"),
        "text_tower": ("bert", "fingerprint"),
        "prompt": ("all", "no_smiles"),
    }
    made = [tuple(variant.levels.values()) for variant in variants_of(grid, cross=True)]
    assert ("mean", "1", "bert", "all") not in made
    assert ("attention", "0", "fingerprint", "no_smiles") not in made
    assert len(made) == len(set(made)) == 3 * 3


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ({"colour": ("red",)}, "no factor 'colour': use one of pooling"),
        ({"loss": ("cwcl", "triplet")}, "loss has no level 'triplet': use one of cwcl, clip"),
        ({"loss": ("clip", "clip")}, "name each level of loss once"),
        ({"loss": ()}, "name each level of loss once"),
        ({"pooling": ("mean",), REMOVED: ("1",)}, "no combination of these levels"),
        ({"encoder": ("somebody",)}, "the levels of encoder are the names of the screens: tiny"),
    ],
)
def test_grids_that_cannot_be_run_are_refused(
    tiny_screen: Screen, tmp_path: Path, vary: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(CellClipError, match=message):
        ablate({"tiny": [tiny_screen]}, tmp_path, run=RUN, vary=vary)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"screens": {}}, "at least one encoded screen"),
        ({"screens": {"a": []}}, "at least one encoded screen"),
        ({"seeds": ()}, "each seed once"),
        ({"seeds": (1, 1)}, "each seed once"),
        ({"run": RUN.merged(split={"by": "none"})}, "scored on a test part"),
        ({"run": RUN.merged(split={"fractions": [0.8, 0.2, 0.0]})}, "scored on a test part"),
        ({"run": RUN.merged(split={"by": "plate"})}, "3 parts cannot be made of 1 plates"),
    ],
)
def test_what_leaves_nothing_to_score_is_refused(
    tiny_screen: Screen, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    given = {"screens": {"a": [tiny_screen]}, "run": RUN, "vary": {"loss": ("clip",)}} | options
    with pytest.raises(CellClipError, match=message):
        finished(iter_ablate(out=tmp_path, **given))  # type: ignore[arg-type]


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders of the trainings that are begun from now on."""
    trained: list[Path] = []
    real: Callable[..., object] = runner.iter_train

    def counted(screens, out, *, run):
        trained.append(Path(out))
        return real(screens, out, run=run)

    monkeypatch.setattr(runner, "iter_train", counted)
    return trained
