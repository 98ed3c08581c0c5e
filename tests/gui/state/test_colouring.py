"""What wells can be coloured by, and the colours: one for every view, seen on both themes."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.gui.palette import (
    CATEGORIES,
    MARK_CONTRAST,
    UNKNOWN,
    ColourScale,
    contrast,
    well_colours,
)
from napari_cellclip.gui.state.colouring import chosen_colouring, colourings, well_values
from tests.gui.toy_screens import answer_for, projection_for

DARK, LIGHT = (38, 41, 48), (239, 235, 233)
"""Backgrounds of napari's two themes."""


def titles(session):
    return {one.key: one.title for one in colourings(session)}


def test_without_anything_there_is_the_score_alone(session):
    assert [one.key for one in colourings(session)] == ["score"]
    colours = well_colours(session, session.wells.index, DARK)
    assert len(colours.rgb) == 0


def test_every_column_that_tells_wells_apart_is_offered(full_session):
    screen = full_session.screen
    screen.wells["Metadata_donor"] = ["a", "b"] * 5 + ["a"]
    screen.wells["Metadata_dose"] = np.arange(11.0)
    screen.wells["Metadata_same"] = "x"
    offered = titles(full_session)
    assert offered["Metadata_donor"] == "donor"
    assert {"score", "cosine", "treatment", "mechanism", "control", "sites", "Metadata_dose"} <= set(offered)
    assert "Metadata_same" not in offered
    assert "q" not in offered, "no verdict: no q"
    full_session.look(colour_by="Metadata_donor")
    assert list(well_values(full_session).names[:2]) == ["a", "b"]
    full_session.look(colour_by="Metadata_dose")
    assert list(well_values(full_session).numbers) == list(range(11))


def test_what_is_no_more_there_falls_back_to_the_score(full_session):
    full_session.look(colour_by="Metadata_gone")
    assert chosen_colouring(full_session).key == "score"


def test_the_least_q_is_the_brightest(full_session):
    scale = ColourScale(0.0, 1.0, falling=True)
    assert list(scale.place(np.array([0.0, 0.5, 1.0]))) == [255, 128, 0]


def test_categories_beyond_the_palette_are_one(full_session):
    full_session.screen.wells["Metadata_batch"] = [f"b{i:02d}" for i in range(11)]
    full_session.look(colour_by="Metadata_batch", highlight="all")
    colours = well_colours(full_session, full_session.wells.index, DARK)
    assert [c.name for c in colours.categories[:7]] == [f"b{i:02d}" for i in range(7)]
    assert colours.categories[7].name == "other (4)"
    assert colours.categories[7].count == 4
    assert (colours.rgb[7:] == UNKNOWN).all()
    assert [tuple(rgb) for rgb in colours.rgb[:7]] == list(CATEGORIES)


def test_clusters_colour_the_map_they_were_made_on_and_go_with_it(full_session):
    cluster = SimpleNamespace(wells=("toy/C04", "toy/C05"), centre=(0.0, 0.0), name="", q=1.0)
    changes = []
    full_session.clusters_changed.connect(lambda: changes.append(len(full_session.clusters)))
    full_session.clusters = [cluster]
    full_session.look(colour_by="cluster")
    values = well_values(full_session)
    assert list(values.names[:3]) == ["cluster 1", "cluster 1", ""]
    full_session.add_map(projection_for(full_session.screen, "umap"))  # the same method, computed anew
    assert full_session.clusters == ()
    assert chosen_colouring(full_session).key == "score"


def test_rows_in_any_order_and_unknown_ones_keep_their_colours(full_session):
    table = full_session.wells
    there = well_colours(full_session, table.index, DARK)
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = well_colours(full_session, table.index[order], DARK)
    assert (shuffled.rgb == there.rgb[order]).all()
    extra = table.reindex([*table.index[:2], "elsewhere/A01"])
    assert list(well_colours(full_session, extra.index, DARK).known) == [True, True, False]


@pytest.mark.parametrize("background", [DARK, LIGHT])
@pytest.mark.parametrize("by", ["score", "control", "Metadata_batch"])
def test_no_highlighted_well_is_hard_to_see_without_an_outline(full_session, background, by):
    full_session.screen.wells["Metadata_batch"] = [f"b{i:02d}" for i in range(11)]
    full_session.look(highlight="all", colour_by=by)
    colours = well_colours(full_session, full_session.wells.index, background)
    seen = contrast(colours.rgb, background) >= MARK_CONTRAST
    assert (colours.outlined == (colours.bright & ~seen)).all()
    assert (seen | colours.outlined)[colours.bright].all()


def test_contrast_is_that_of_the_standard():
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


def test_scales_of_a_plate_and_of_all(full_session):
    scores = pd.Series(np.linspace(0, 100, 11), full_session.screen.wells.index)
    table = full_session.answer.scores.assign(score=scores)
    full_session.answer = dataclasses.replace(full_session.answer, scores=table)
    full_session.look(highlight="all")
    clipped = well_colours(full_session, full_session.wells.index, DARK).scale
    full_session.look(clip=False)
    whole = well_colours(full_session, full_session.wells.index, DARK).scale
    assert (whole.low, whole.high) == (0, 100)
    assert (clipped.low, clipped.high) == pytest.approx((1, 99))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("blocks microtubule assembly", "tubulin inhibitor"),
        ("HDAC inhibitor", "kinase inhibitor|HDAC inhibitor"),
        ("BRD4 knockout", "BRD4"),
    ],
)
@pytest.mark.parametrize("highlight", ["score", "all"])
def test_what_was_asked_for_has_a_colour_where_nothing_is_highlighted_too(
    full_session, query, name, highlight
):
    """It was one of "other", in grey, unless wells of it were highlighted."""
    screen = full_session.screen
    screen.wells["Metadata_class"] = [f"m{n}" for n in range(9)] + ["m1", name]
    full_session.answer = answer_for(screen, {}, query)
    full_session.look(colour_by="Metadata_class", threshold=99.0, highlight=highlight)
    colours = well_colours(full_session, full_session.wells.index, DARK)
    assert [category.name for category in colours.categories[:3]] == [name, "m1", "m0"]
    assert tuple(colours.rgb[-1].tolist()) == CATEGORIES[0]


def test_what_is_only_alike_in_words_was_not_asked_for(full_session):
    screen = full_session.screen
    screen.wells["Metadata_class"] = [f"m{n}" for n in range(9)] + ["m1", "tubulin activator"]
    full_session.answer = answer_for(screen, {}, "tubulin inhibitor")
    full_session.look(colour_by="Metadata_class", highlight="all")
    colours = well_colours(full_session, full_session.wells.index, DARK)
    assert colours.categories[0].name == "m1"


def test_what_was_asked_for_has_a_colour_of_its_own(full_session):
    """The mechanism of the hits was one of "other", in grey, where seven others were as frequent."""
    screen = full_session.screen
    names = [f"m{n}" for n in range(10)]
    screen.wells["Metadata_class"] = [*names, names[0]]
    full_session.look(colour_by="Metadata_class", threshold=4.0)
    hits = full_session.highlighted_wells
    assert len(hits) == 2
    colours = well_colours(full_session, full_session.wells.index, DARK)
    asked = [str(screen.wells.at[well, "Metadata_class"]) for well in hits]
    assert {category.name for category in colours.categories[:2]} == set(asked)
    assert not (colours.rgb[full_session.wells.index.get_indexer(hits)] == UNKNOWN).all(axis=1).any()
    full_session.look(highlight="all")
    assert well_colours(full_session, full_session.wells.index, DARK).categories[0].name == "m0"
