"""The cell line of a screen or question reaches everything that is compared with it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellclip.explore import annotate_all, ask, describe, name_clusters
from napari_cellclip.explore.maps.projection import Projection
from tests.explore.cards import memory_card

DIM, TREATMENTS = 12, 8


class OffsetTexts:
    """Texts of normal embeddings, those of A549 cells moved by one standard deviation; remembers them."""

    def __init__(self, **fields):
        self.card, self.texts = memory_card(embed_dim=DIM, **fields), []
        self.offset = np.zeros(DIM)
        self.offset[0] = 1.0

    def embed_texts(self, texts):
        self.texts += texts
        return np.stack([self.embedding(text) for text in texts]).astype(np.float32)

    def embedding(self, text):
        words = text.replace("A549 ", "").replace("U2OS ", "").replace("HeLa ", "")
        drawn = np.random.default_rng(list(words.encode())).normal(size=DIM)
        return drawn + self.offset * ("A549" in text)


@pytest.fixture
def offset_screen(make_screen):
    """Twenty controls, and treatments so strong that only the fit of a text decides their p."""
    rng = np.random.default_rng(0)
    effects = rng.normal(size=(TREATMENTS, DIM)) + 2 * np.eye(DIM)[0]
    wells = np.concatenate([0.01 * rng.normal(size=(20, DIM)), np.repeat(effects, 2, axis=0)]) + 0.05
    wells += 0.01 * rng.normal(size=wells.shape)

    def make(**fields):
        screen = make_screen(wells, range(20), model=OffsetTexts(**fields))
        screen.wells["Metadata_cell_line"] = "A549"
        screen.wells["Metadata_treatment"] = ["DMSO"] * 20 + [f"t{i // 2}" for i in range(2 * TREATMENTS)]
        return screen

    return make


def test_error_rate_holds_when_texts_of_the_cell_line_lie_apart(offset_screen) -> None:
    screen = offset_screen()
    p = np.concatenate(
        [ask(screen, f'"word{i}"', use_platemap=False).treatments_table["p"].to_numpy() for i in range(250)]
    )
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.02)


def test_all_prompts_are_of_the_cell_line(offset_screen) -> None:
    screen = offset_screen()
    ids = screen.well_ids
    ask(screen, "tubulin inhibitor", use_platemap=False)
    describe(screen, ids[20:24], ["tubulin inhibitor", "actin inhibitor"])
    annotate_all(screen, ["BET inhibitor"])
    places = np.repeat([[0.0, 0.0], [9.0, 0.0]], [18, 18], axis=0)
    on_map = Projection(ids, places.astype(np.float32), "pca", {}, screen.embeddings)
    name_clusters(screen, on_map, np.repeat([0, 1], 18), ["HDAC inhibitor"])
    named = [text for text in screen.model.texts if " cells treated with " in text]
    assert len(named) > 150
    assert all(text.startswith("A549 cells") for text in named)


def test_a_cell_line_in_the_question_goes_before_that_of_the_screen(offset_screen) -> None:
    screen = offset_screen()
    screen.wells.loc[screen.wells.index[-4:], "Metadata_cell_line"] = "HeLa"
    ask(screen, "tubulin inhibitor in HeLa cells", use_platemap=False)
    named = [text for text in screen.model.texts if " cells treated with " in text]
    assert all(text.startswith("HeLa cells") for text in named)


def test_the_vocabulary_check_reads_prompts_of_the_cell_line(offset_screen) -> None:
    screen = offset_screen(training={"vocabulary": {"a": ["nocodazole"], "b": ["taxol"]}})
    notes = ask(screen, "mine", prompts=["A549 cells treated with compound: nocodazole"]).notes
    assert not any("vocabulary" in note for note in notes)
