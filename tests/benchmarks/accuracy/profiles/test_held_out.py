"""Heads on the compounds of a screen, judged on others; references; replicates from their definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.profiles.baselines import (
    fingerprints,
    nearest_profiles,
    nearest_structures,
    neighbour_precision,
)
from benchmarks.accuracy.profiles.compounds import Compound, compounds_of, mechanisms_of
from benchmarks.accuracy.profiles.heads import HeadSettings, captions_of, fit_head
from benchmarks.accuracy.profiles.held_out import (
    RANDOM_PROMPTS,
    features_of,
    iter_held_out,
    random_prompts,
)
from benchmarks.accuracy.profiles.mechanism_queries import (
    Queries,
    _weighted,
    interval,
    mean_precision,
    random_precision,
)
from benchmarks.accuracy.profiles.plain_replicates import plain_replicate_precision
from benchmarks.accuracy.profiles.seen import iter_seen, positions_of
from napari_cellclip import import_profiles
from napari_cellclip.model import PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError
from tests.profile_tables import COMPOUNDS, made_table, write_annotations

TINY = HeadSettings(width=16, embed_dim=16, text_width=16, steps=4, batch=8, fragments=64)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("profiles")
    files = []
    for name in ("P1", "P2", "P3"):
        files.append(folder / f"{name}.csv")
        made_table(name).to_csv(files[-1], index=False)
    notes = write_annotations(folder / "notes.tsv")
    return import_profiles(files, folder / "screen", annotations=notes, cell_line="U2OS")


def test_compounds_of_a_screen(screen: Screen) -> None:
    compounds = compounds_of(screen)
    assert [c.name for c in compounds] == sorted(COMPOUNDS)
    found = {c.name: c for c in compounds}
    assert found["belinostat"].mechanisms == ("HDAC inhibitor", "epigenetic agent")
    assert found["belinostat"].genes == ("TUBB", "TUBA1A")
    assert len(found["nocodazole"].wells) == 6
    assert mechanisms_of(compounds) == ("HDAC inhibitor", "tubulin inhibitor")
    assert mechanisms_of(compounds, least=1)[-1] == "tubulin inhibitor"


def test_captions_hold_what_the_plate_map_says_and_structures_only_where_asked(screen: Screen) -> None:
    compound = next(c for c in compounds_of(screen) if c.name == "belinostat")
    words = captions_of(compound, PromptTemplates(), HeadSettings())
    assert sum(c.odds for c in words) == pytest.approx(1)
    texts = [c.text for c in words]
    assert any("HDAC inhibitor" in text for text in texts)
    assert any("TUBB inhibitor" in text for text in texts)
    structures = captions_of(compound, PromptTemplates(), HeadSettings(), reads="structures")
    assert len(structures) == 2
    assert all("SMILES: ONC(=O)" in c.text for c in structures)


def test_the_same_seed_gives_the_same_head(screen: Screen) -> None:
    compounds, features = compounds_of(screen), features_of(screen)
    heads = [
        fit_head(compounds, screen.control_ids, features, TINY, seed=seed).embed_compounds(
            compounds, features
        )
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(heads[0], heads[1])
    assert np.abs(heads[0] - heads[2]).max() > 0.01
    np.testing.assert_allclose(np.linalg.norm(heads[0], axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_a_head_learns_mechanisms_it_is_told(screen: Screen) -> None:
    """Made data with two mechanisms far apart: a head that learnt anything tells them apart."""
    compounds, features = compounds_of(screen), features_of(screen)
    settings = replace(TINY, steps=60, rate=3e-3, mechanism=1.0, whole=0.0, structure=0.0, gene=0.0)
    head = fit_head(compounds, screen.control_ids, features, settings)
    text = head.embed_texts([head.templates.for_mechanism("tubulin inhibitor")])[0]
    scores = head.embed_compounds(compounds, features) @ text
    right = np.array(["tubulin inhibitor" in c.mechanisms for c in compounds])
    assert scores[right].min() > scores[~right].max()


@pytest.mark.parametrize("part", ["test", "validation"])
def test_no_tested_compound_was_trained_on(
    screen: Screen, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.accuracy.profiles import held_out

    seen: list[set[str]] = []

    def spy(compounds, controls, features, settings, **options):
        seen.append({well for compound in compounds for well in compound.wells})
        assert set(controls) <= set(screen.control_ids)
        return fit_head(compounds, controls, features, replace(settings, steps=1), **options)

    monkeypatch.setattr(held_out, "fit_head", spy)
    results = list(iter_held_out(screen, {"words": TINY}, seeds=[0], n=3, part=part))  # type: ignore[arg-type]
    of = {c.name: set(c.wells) for c in compounds_of(screen)}
    for result, wells in zip(results, seen, strict=True):
        assert all(of[name].isdisjoint(wells) for name in result.tested)
    if part == "test":
        assert sorted(name for r in results for name in r.tested) == sorted(COMPOUNDS)


def test_figures_of_a_fold_are_whole(screen: Screen) -> None:
    settings = {"words": TINY, "structures": replace(TINY, mechanism=0, gene=0, whole=1)}
    result = next(iter_held_out(screen, settings, seeds=[0], n=2))  # type: ignore[arg-type]
    assert set(result.asked) == {"words", "structures", "nearest profiles", "nearest structures"}
    for asked in result.asked.values():
        assert asked.scores.shape == asked.right.shape
        assert asked.right.any(axis=1).all()
        assert ((asked.precisions > 0) & (asked.precisions <= 1)).all()
    for both in result.ranks.values():
        assert all(ranking.pool == len(result.tested) for ranking in both)
    assert result.random_prompts.shape == (len(result.asked["words"].mechanisms), RANDOM_PROMPTS)
    assert len(set(random_prompts(0))) == RANDOM_PROMPTS


@pytest.mark.slow
def test_seen_compounds_are_found_by_position_alone(tmp_path: Path) -> None:
    """Replicate plates with one layout: rows and columns give the compounds away."""
    files = [tmp_path / "P1.csv", tmp_path / "P2.csv"]
    for file in files:
        made_table(file.stem).to_csv(file, index=False)
    screen = import_profiles(files, tmp_path / "screen")
    settings = replace(
        TINY, steps=80, rate=1e-2, feature_noise=0.0, whole=1, structure=0, mechanism=0, gene=0
    )
    results = list(iter_seen(screen, settings))
    assert sorted(r.plate for r in results) == ["P1", "P2"]
    assert np.mean([r.ranks["positions"][0].recall(1) for r in results]) > 0.8
    place = positions_of(screen)["P1/A07"]
    assert place.sum() == 10
    assert place[:, 0].all()


def test_a_screen_without_mechanisms_is_refused(tmp_path: Path) -> None:
    made_table().to_csv(tmp_path / "P1.csv", index=False)
    bare = import_profiles(tmp_path / "P1.csv", tmp_path / "screen")
    with pytest.raises(CellClipError, match="no mechanism of screen screen has 3 compounds"):
        next(iter_held_out(bare, {"words": TINY}))
    with pytest.raises(CellClipError, match="has one plate"):
        next(iter_seen(bare, TINY))


# ------------------------------------------------------------------ figures from their formulas


def queries(seed: int = 0, q: int = 3, n: int = 12) -> Queries:
    rng = np.random.default_rng(seed)
    right = rng.random((q, n)) < 0.3
    right[:, 0] = True
    names = tuple(f"c{i}" for i in range(n))
    return Queries(names, tuple(f"m{i}" for i in range(q)), rng.normal(size=(q, n)), right)


def test_precision_of_queries_from_the_definition() -> None:
    asked = queries()
    for scores, right, found in zip(asked.scores, asked.right, asked.precisions, strict=True):
        above = [
            [(scores >= scores[i]) & m for m in (right, np.ones(12, bool))] for i in np.flatnonzero(right)
        ]
        assert found == pytest.approx(np.mean([a.sum() / b.sum() for a, b in above]))


def test_each_compound_once_is_no_resampling() -> None:
    asked = queries()
    np.testing.assert_allclose(_weighted(asked, np.ones(12, int)), asked.precisions)


def test_copies_of_one_compound_do_not_raise_its_precision() -> None:
    scores, right = np.array([[3.0, 2.0, 1.0]]), np.array([[False, True, False]])
    asked = Queries(("a", "b", "c"), ("m",), scores, right)
    assert _weighted(asked, np.array([1, 5, 1])) == [pytest.approx(1 / 2)]
    assert _weighted(asked, np.array([2, 1, 1])) == [pytest.approx(1 / 3)], "wrong ones drawn twice do count"
    assert _weighted(asked, np.array([2, 0, 1])) == []


def test_interval_holds_the_value_and_follows_the_seed() -> None:
    asked = [queries(seed) for seed in range(6)]
    low, high = interval(asked, draws=200)
    assert low < mean_precision(asked) < high
    assert interval(asked, draws=200) == (low, high)
    assert 0 < random_precision(asked) < 1


def test_nearest_references_prefer_what_is_alike() -> None:
    known = [Compound("a", "CCO", ("x",), (), ()), Compound("b", "c1ccccc1", ("y",), (), ())]
    profiles = np.eye(2)
    np.testing.assert_allclose(nearest_profiles(np.array([[2.0, 0.0]]), profiles, known, "x"), [1.0])
    np.testing.assert_allclose(nearest_profiles(np.array([[2.0, 0.0]]), profiles, known, "y"), [0.0])
    prints = fingerprints(known)
    found = nearest_structures(prints, prints, known, "x")
    assert found[0] == 1
    assert found[1] < 0.2


def test_structures_that_cannot_be_read_are_named() -> None:
    with pytest.raises(CellClipError, match="structure of bad cannot be read"):
        fingerprints([Compound("bad", "not a structure", (), (), ())])


def test_neighbours_share_mechanisms() -> None:
    compounds = [Compound(str(i), "", ("x",) if i < 2 else ("y",) if i < 4 else (), (), ()) for i in range(5)]
    profiles = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, -1]], float)
    reached, expected, count = neighbour_precision(profiles, compounds)
    assert (reached, count) == (1.0, 4)
    assert expected == pytest.approx(np.mean(1 / np.arange(1, 5)))


def test_plain_replicate_precision_by_hand() -> None:
    vectors = np.array([[1, 0], [1, 0.2], [0.9, 0.5], [0, 1]], float)
    names, plates = ["a", "a", "DMSO", "DMSO"], ["P", "P", "P", "P"]
    found = plain_replicate_precision(vectors, names, plates, [False, False, True, True])
    np.testing.assert_allclose(found, [1, 1, np.nan, np.nan])
    vectors[1] = [0.5, 0.7]
    found = plain_replicate_precision(vectors, names, plates, [False, False, True, True])
    assert found[0] == pytest.approx(1 / 2), "one control stands before the replicate"


@pytest.mark.parametrize("seed", [0, 1])
def test_plain_replicates_agree_with_copairs(seed: int) -> None:
    from napari_cellclip.evaluation.metrics.pairs import replicate_precision

    rng = np.random.default_rng(seed)
    n = 40
    control = np.arange(n) % 4 == 0
    names = np.where(control, "DMSO", np.array([f"c{i % 7}" for i in range(n)]))
    plates = np.array([f"P{i % 2}" for i in range(n)])
    control[1], names[1] = True, "DMSO"  # an odd well: controls on both plates
    vectors = rng.normal(size=(n, 5))
    plain = plain_replicate_precision(vectors, names.tolist(), plates.tolist(), control)
    found = replicate_precision(vectors, names.tolist(), plates.tolist(), control)
    np.testing.assert_allclose(found["average_precision"], plain[found.index], rtol=1e-6)
    assert np.isfinite(plain).sum() == len(found)
