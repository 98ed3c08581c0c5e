from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.vocabulary import STAINS, Stain, is_unstained

# Names out of Opera Phenix indices, CellProfiler tables, BBBC022, JUMP and ImageXpress exports.
NAMES = {
    Stain.DNA: ["DNA", "OrigDNA", "HOECHST 33342", "Hoechst33342", "hoechst", "DAPI", "w1DAPI", "nuclei", "Channel: DAPI"],
    Stain.ER: ["ER", "OrigER", "Alexa 488", "Alexa Fluor 488", "AlexaFluor488", "ERSyto", "ConA", "Concanavalin A", "FITC"],
    Stain.RNA: [
        "RNA", "OrigRNA", "488 long", "488 650", "Alexa 488 long", "488long", "SYTO 14", "SYTO14", "ERSytoBleed", "Syto-14",
    ],
    Stain.AGP: ["AGP", "OrigAGP", "Alexa 568", "Ph_golgi", "PhGolgi", "Phalloidin+WGA", "actin_golgi", "TexasRed", "TxRed"],
    Stain.MITO: ["Mito", "OrigMito", "MITO", "Alexa 647", "MitoTracker Deep Red", "mitochondria", "Cy5", "Mito_1"],
}  # fmt: skip


@pytest.mark.parametrize(("stain", "name"), [(s, n) for s, names in NAMES.items() for n in names])
def test_names_of_the_field_are_recognised(stain, name):
    assert Stain.recognise(name) is stain
    assert not is_unstained(name)


@pytest.mark.parametrize(
    "name",
    ["", "ch1", "w3", "Channel 2", "488", "water", "ernest", "herald", "amino", "DNA and ER", "RNA/AGP"],
)
def test_what_names_no_stain_or_two_is_left_open(name):
    assert Stain.recognise(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "Brightfield",
        "Brightfield high",
        "OrigBrightfield_H",
        "bright field",
        "BF",
        "Digital Phase Contrast",
        "OrigDPC",
        "phase",
        "DIC",
    ],
)
def test_transmitted_light_is_recognised(name):
    assert is_unstained(name)
    assert Stain.recognise(name) is None


@given(st.text(max_size=40))
def test_any_text_gives_one_stain_or_none(text):
    assert Stain.recognise(text) in {*STAINS, None}
    assert is_unstained(text) in (True, False)


@given(
    st.sampled_from(STAINS), st.sampled_from(["Orig{}", "img_{}", "{} (1)", "CorrectedIllum {}", "{}-raw"])
)
def test_a_stains_own_name_is_found_in_company(stain, form):
    assert Stain.recognise(form.format(stain)) is stain


def test_order_colours_and_targets_are_complete():
    assert [str(s) for s in STAINS] == ["DNA", "ER", "RNA", "AGP", "Mito"]
    assert len({s.colour for s in STAINS}) == 5
    assert all(s.target and s.colour.startswith("#") for s in STAINS)
