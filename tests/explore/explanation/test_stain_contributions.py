"""Stain contributions against the definition of Shapley values, on wells whose embeddings are formulas."""

from __future__ import annotations

from itertools import permutations
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from cachetools import LRUCache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cellclip.explore.explanation import stain_contributions as module
from napari_cellclip.explore.explanation.field_attention import field_attention
from napari_cellclip.explore.explanation.stain_contributions import (
    control_features,
    iter_stain_contributions,
    stain_contributions,
)
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.vocabulary import STAINS, CellClipError, ScreenError, Stain
from tests.explore.cards import memory_card

DIM, EMBED = 3, 6
STAIN_NAMES = [str(stain) for stain in STAINS]
ODD_ORDER = (Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA)


class BagModel:
    """Embeds a bag by a fixed curved map of its mean; stains in `blind` (slots) do not matter."""

    def __init__(self, order=STAINS, blind=(), seed=0, pooling="attention"):
        self.card = memory_card("bag", embed_dim=EMBED, stain_order=order, pooling=pooling)
        self.weights = np.random.default_rng(seed).normal(size=(5, DIM, EMBED))
        self.weights[list(blind)] = 0
        self.embedded = 0

    def embed_wells(self, bags):
        self.embedded += len(bags)
        flat = np.stack([np.asarray(bag, np.float64).mean(axis=0) for bag in bags])
        return np.tanh(np.einsum("ncd,cde->ne", flat, self.weights) + 0.3).astype(np.float32)

    def pooling_weights(self, bag):
        raw = np.exp(np.asarray(bag, np.float64).sum(axis=2))
        return raw / raw.sum(axis=0)

    def embed_texts(self, texts):
        return np.stack([np.random.default_rng(len(t)).normal(size=EMBED) for t in texts]).astype(np.float32)


class BagScreen:
    """Wells of two plates with their fields' features; embeddings are the model's."""

    name = "bags"
    excluded: ClassVar[dict[str, str]] = {}
    correction = None

    def __init__(self, model, seed=0, wells=6, controls=(0, 1, 2), sites=2, plates=("P", "Q"), empty=()):
        rng = np.random.default_rng(seed)
        self.model = model
        ids = [f"{plate}/A{i + 1:02d}" for plate in plates for i in range(wells)]
        self.bags = {
            f"{well}/{s}": rng.normal(size=(5, DIM)).astype(np.float32)
            for well in ids
            if well not in empty
            for s in range(1, sites + 1)
        }
        negcon = ["negcon" if int(well[-2:]) - 1 in controls else "" for well in ids]
        self.wells = pd.DataFrame(
            {"Metadata_Plate": [w[0] for w in ids], "Metadata_control_type": negcon},
            index=pd.Index(ids, name="well_id"),
        )
        embedded = {w: [self.bags[s] for s in self.bags if s.startswith(w + "/")] for w in ids}
        self.embeddings = np.full((len(ids), EMBED), np.nan, np.float32)
        for i, fields in enumerate(embedded.values()):
            if fields:
                self.embeddings[i] = model.embed_wells([np.stack(fields)])[0]
        self.norms = np.linalg.norm(self.embeddings, axis=1)
        model.embedded = 0

    @property
    def fields(self):
        sites = list(self.bags)
        wells = [site.rsplit("/", 1)[0] for site in sites]
        table = {"Metadata_Plate": [w[0] for w in wells], "Metadata_Well_id": wells}
        return pd.DataFrame(table, index=pd.Index(sites, name="site_id"))

    @property
    def negative_controls(self):
        return (self.wells["Metadata_control_type"] == "negcon").to_numpy()

    @property
    def control_ids(self):
        return tuple(self.wells.index[self.negative_controls])

    @property
    def plate_codes(self):
        codes, names = pd.factorize(self.wells["Metadata_Plate"])
        return codes, tuple(names)

    def features(self, sites):
        return np.stack([self.bags[site] for site in sites])

    def require_model(self, model):
        if model is not self.model:
            raise ScreenError("another model")


def steps_of(*args):
    """All steps, and what they return."""
    steps, found = iter_stain_contributions(*args), []
    while True:
        try:
            found.append(next(steps))
        except StopIteration as end:
            return found, end.value


def by_definition(screen, well, asked) -> dict[str, float]:
    """Mean gain in cosine over all 120 orders in which stains are put back, in double precision."""
    plate = well.split("/")[0]
    controls = [s for s in screen.bags if s.rsplit("/", 1)[0] in screen.control_ids and s.startswith(plate)]
    absent = np.mean([screen.bags[s] for s in controls], axis=0, dtype=np.float64)
    bag = np.stack([b for s, b in screen.bags.items() if s.startswith(well + "/")]).astype(np.float64)
    order = screen.model.card.stain_order
    unit = asked / np.linalg.norm(asked)

    def cosine(present) -> float:
        mixed = np.broadcast_to(absent, bag.shape).copy()
        for slot, stain in enumerate(order):
            if stain in present:
                mixed[:, slot] = bag[:, slot]
        vector = np.tanh(np.einsum("cd,cde->e", mixed.mean(axis=0), screen.model.weights) + 0.3)
        return float(vector @ unit / np.linalg.norm(vector))

    orders = list(permutations(STAINS))
    gains = dict.fromkeys(STAIN_NAMES, 0.0)
    for arrival in orders:
        present: set[Stain] = set()
        for stain in arrival:
            before = cosine(present)
            present.add(stain)
            gains[str(stain)] += (cosine(present) - before) / len(orders)
    return gains


@pytest.mark.parametrize("order", [STAINS, ODD_ORDER])
def test_contributions_follow_the_definition(order) -> None:
    screen = BagScreen(BagModel(order))
    asked = np.random.default_rng(5).normal(size=EMBED)
    table = stain_contributions(screen, ["Q/A05", "P/A04"], asked)
    assert list(table.columns) == STAIN_NAMES
    assert list(table.index) == ["Q/A05", "P/A04"]
    for well in table.index:
        assert table.loc[well].to_dict() == pytest.approx(by_definition(screen, well, asked), abs=2e-6)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_shares_add_up_to_the_cosine_less_the_baseline(seed, sites) -> None:
    screen = BagScreen(BagModel(seed=seed), seed=seed, sites=sites)
    asked = np.random.default_rng(seed).normal(size=EMBED).astype(np.float32)
    _, found = steps_of(screen, screen.wells.index, asked)
    np.testing.assert_allclose(found.cosine.sum(axis=1), found.value - found.baseline, atol=1e-5)
    cosine = screen.embeddings @ (asked / np.linalg.norm(asked)) / screen.norms
    np.testing.assert_allclose(found.value, cosine, atol=1e-5)
    # The baseline has no stain of the well left in it.
    assert found.baseline.groupby(found.baseline.index.str[0]).nunique().max() == 1


def test_scores_are_in_units_of_the_spread_of_the_controls() -> None:
    screen = BagScreen(BagModel(), wells=9, controls=range(6))
    asked = np.random.default_rng(2).normal(size=EMBED).astype(np.float32)
    wells = list(screen.wells.index)
    _, found = steps_of(screen, wells, asked)
    cosine = (screen.embeddings @ (asked / np.linalg.norm(asked)) / screen.norms).astype(np.float64)
    for plate in ("P", "Q"):
        mine = np.array([well[0] == plate for well in wells])
        controls = cosine[mine & screen.negative_controls]
        spread = 1.4826 * np.median(np.abs(controls - np.median(controls)))
        np.testing.assert_allclose(found.spread[mine], spread, rtol=1e-4)
        np.testing.assert_allclose(found.score[mine], found.cosine[mine] / spread, rtol=1e-4)
    pd.testing.assert_frame_equal(stain_contributions(screen, wells, asked, standardised=True), found.score)


def test_contributions_in_the_units_of_an_answer() -> None:
    screen = BagScreen(BagModel())
    wells = list(screen.wells.index)
    _, found = steps_of(screen, wells, np.ones(EMBED))
    cosine = found.value
    worth = pd.Series([7.0 if well[0] == "P" else 3.0 for well in wells], index=wells)
    answer = pd.DataFrame({"cosine": cosine, "score": worth * cosine - 1.5})
    table = found.in_units_of(answer.sample(frac=1, random_state=0))
    np.testing.assert_allclose(table, found.cosine.mul(worth, axis=0), rtol=1e-6)
    np.testing.assert_allclose(table.sum(axis=1), worth * (cosine - found.baseline), atol=1e-5)
    bent = answer.assign(score=np.where(worth == 7, answer["score"] ** 2, answer["score"]))
    bent.loc[bent.index[-3:], "score"] = np.nan
    table = found.in_units_of(bent)
    assert table.filter(like="P/", axis=0).isna().all(axis=None)
    np.testing.assert_allclose(table.filter(like="Q/", axis=0), 3 * found.cosine.filter(like="Q/", axis=0))


def test_a_stain_the_model_does_not_look_at_gets_nothing() -> None:
    screen = BagScreen(BagModel(ODD_ORDER, blind=(0,)))
    table = stain_contributions(screen, ["P/A06"], np.ones(EMBED))
    assert table.loc["P/A06", "Mito"] == pytest.approx(0, abs=1e-6)
    assert (table.loc["P/A06"].drop("Mito").abs() > 1e-4).all()


def test_a_stain_that_looks_like_the_controls_gets_nothing_and_the_changed_one_leads() -> None:
    screen = BagScreen(BagModel())
    absent, notes = control_features(screen, "P")
    assert notes == ()
    changed = STAINS.index(Stain.RNA)
    for site in ("P/A05/1", "P/A05/2"):
        bag = absent.copy()
        bag[changed] += 1.5
        screen.bags[site] = bag
    towards = screen.model.embed_wells([screen.bags["P/A05/1"][None]])[0]
    _, found = steps_of(screen, ["P/A05"], towards)
    assert found.cosine.loc["P/A05"].idxmax() == "RNA"
    assert found.cosine.loc["P/A05"].drop("RNA").abs().max() < 1e-6


def test_another_question_needs_no_model_and_changed_features_do() -> None:
    screen = BagScreen(BagModel())
    wells = ["P/A04", "P/A05", "Q/A06"]
    stain_contributions(screen, wells, np.ones(EMBED))
    assert screen.model.embedded == 3 * 32
    stain_contributions(screen, wells, ["another question"])
    assert screen.model.embedded == 3 * 32
    screen.bags["P/A04/1"] = screen.bags["P/A04/1"] + 1
    stain_contributions(screen, wells, np.ones(EMBED))
    assert screen.model.embedded == 4 * 32
    other = BagScreen(BagModel(seed=9))
    assert not np.allclose(
        stain_contributions(other, wells, np.ones(EMBED)), stain_contributions(screen, wells, np.ones(EMBED))
    )


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "_subset_embeddings", LRUCache(2))
    screen = BagScreen(BagModel())
    stain_contributions(screen, ["P/A04", "P/A05", "P/A06"], np.ones(EMBED))
    stain_contributions(screen, ["P/A05", "P/A06"], np.ones(EMBED))
    assert screen.model.embedded == 3 * 32
    stain_contributions(screen, ["P/A04"], np.ones(EMBED))
    assert screen.model.embedded == 4 * 32


def test_every_well_is_a_step_and_may_be_the_last() -> None:
    screen = BagScreen(BagModel())
    steps, _ = steps_of(screen, ["P/A04", "P/A05"], np.ones(EMBED))
    assert [(s.done, s.total, s.well, s.stage) for s in steps] == [
        (1, 2, "P/A04", "explanation"),
        (2, 2, "P/A05", "explanation"),
    ]
    screen = BagScreen(BagModel())
    running = iter_stain_contributions(screen, list(screen.wells.index), np.ones(EMBED))
    next(running)
    running.close()
    assert screen.model.embedded == 32


def test_without_controls_all_wells_stand_in_and_that_is_said() -> None:
    screen = BagScreen(BagModel(), controls=())
    _, found = steps_of(screen, ["P/A04"], np.ones(EMBED))
    assert any("no encoded negative control" in note for note in found.notes)
    mean = np.mean([bag for site, bag in screen.bags.items() if site[0] == "P"], axis=0)
    np.testing.assert_allclose(control_features(screen, "P")[0], mean, atol=1e-6)


def test_wells_without_fields_are_left_out_and_counted() -> None:
    screen = BagScreen(BagModel(), empty=("P/A05",))
    _, found = steps_of(screen, ["P/A04", "P/A05"], np.ones(EMBED))
    assert list(found.cosine.index) == ["P/A04"]
    assert any("1 of 2 wells" in note for note in found.notes)
    with pytest.raises(ScreenError, match="nothing to explain"):
        steps_of(screen, ["P/A05"], np.ones(EMBED))


def test_fields_encoded_since_are_told() -> None:
    screen = BagScreen(BagModel())
    screen.bags["P/A04/3"] = np.full((5, DIM), 3.0, np.float32)
    _, found = steps_of(screen, ["P/A04", "P/A05"], np.ones(EMBED))
    assert any("1 wells have other fields" in note and "P/A04" in note for note in found.notes)


def test_what_cannot_be_explained_is_refused() -> None:
    screen = BagScreen(BagModel())
    with pytest.raises(ScreenError, match="no well 'P/H12'"):
        steps_of(screen, ["P/H12"], np.ones(EMBED))
    with pytest.raises(ScreenError, match="another model"):
        steps_of(screen, ["P/A04"], np.ones(EMBED), BagModel())
    for asked in (np.ones(EMBED + 1), np.zeros(EMBED), np.full(EMBED, np.nan)):
        with pytest.raises(CellClipError, match="one vector of 6 numbers"):
            steps_of(screen, ["P/A04"], asked)


def test_prompts_count_by_their_weights_and_only_while_on() -> None:
    screen = BagScreen(BagModel())
    texts = ["one", "another", "a third one"]
    vectors = screen.model.embed_texts(texts).astype(np.float64)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    prompts = [Prompt("one", 2.0), Prompt("another", -1.0), Prompt("a third one", on=False)]
    np.testing.assert_allclose(
        stain_contributions(screen, ["P/A05"], prompts),
        stain_contributions(screen, ["P/A05"], 2 * units[0] - units[1]),
        atol=1e-6,
    )
    with pytest.raises(CellClipError, match="no prompt was sent"):
        stain_contributions(screen, ["P/A05"], prompts[2:])


def test_attention_is_that_of_the_model_in_the_order_of_stains() -> None:
    screen = BagScreen(BagModel(ODD_ORDER), sites=3)
    table = field_attention(screen, "P/A02")
    bag = np.stack([screen.bags[f"P/A02/{s}"] for s in (1, 2, 3)]).astype(np.float64)
    raw = np.exp(bag.sum(axis=2))
    wanted = raw / raw.sum(axis=0)
    assert list(table.index) == ["P/A02/1", "P/A02/2", "P/A02/3"]
    for slot, stain in enumerate(ODD_ORDER):
        np.testing.assert_allclose(table[str(stain)], wanted[:, slot])
    empty = BagScreen(BagModel(), empty=("P/A05",))
    with pytest.raises(ScreenError, match="no encoded field"):
        field_attention(empty, "P/A05")
