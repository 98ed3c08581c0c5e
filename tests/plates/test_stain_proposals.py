"""Stains of ambiguous channels are proposed with a reason, never taken."""

from __future__ import annotations

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.cli.info import describe, facts
from napari_cellclip.plates import open_plate
from napari_cellclip.plates.acquisition import Channel
from napari_cellclip.plates.stain_mapping import map_stains
from napari_cellclip.vocabulary import STAINS, Stain, StainError
from tests.plates.made_plates import image


def mapping(*names):
    return map_stains([Channel(name, "file name") for name in names])[0]


def proposed(*names):
    return [dict(p.channels) for p in mapping(*names).proposals]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("DAPI", "GFP"), [{"ER": "GFP"}]),
        (("DAPI", "FITC", "TRITC", "Texas Red", "Cy5"), [{"RNA": "TRITC"}]),
        (("DAPI", "GFP", "YFP", "mCherry", "Cy5"), [{"ER": "GFP", "RNA": "YFP", "AGP": "mCherry"}]),
        (("DAPI", "GFP", "TRITC", "Cy5"), [{"ER": "GFP", "RNA": "TRITC"}, {"ER": "GFP", "AGP": "TRITC"}]),
        (("405", "488", "561", "640"), None),
        (("DAPI", "TRITC", "RFP"), []),  # the same colour twice
        (("DAPI", "GFP", "EGFP"), []),
        (("DAPI", "something"), []),
        (("DNA", "ER", "RNA", "AGP", "Mito"), []),
    ],
)
def test_filters_are_proposed_where_they_can_be_told_apart(names, expected):
    found = mapping(*names)
    assert all(c not in found.channels.values() for c in ("GFP", "TRITC", "YFP", "mCherry", "488"))
    if expected is not None:
        assert proposed(*names) == expected


@pytest.mark.parametrize("form", ["w{}", "ch{}", "C0{}", "A0{}", "channel {}"])
def test_where_two_orders_exist_both_are_proposed_and_neither_is_taken(form):
    names = [form.format(i) for i in range(1, 6)]
    found = mapping(*names)
    assert found.channels == {}
    assert found.unmapped == tuple(names)
    assert len(found.proposals) == (3 if form == "w{}" else 2)
    assert len({tuple(p.channels.items()) for p in found.proposals}) == len(found.proposals)
    with pytest.raises(StainError, match="If you confirm it, probably") as error:
        found.require("P")
    assert str(error.value).count("DNA=") == 1 + len(found.proposals)  # the option, and the orders


def test_channels_that_count_from_zero_are_proposed_by_their_order():
    found = mapping("d0", "d1", "d2", "d3", "d4")
    assert [p.channels[Stain.DNA] for p in found.proposals] == ["d0", "d4"]
    assert proposed("w2", "w3", "w4", "w5", "w6") == []


def test_fewer_than_five_numbers_or_other_names_beside_them_are_left_alone():
    assert proposed("w1", "w2", "w3") == []
    assert proposed("w1", "w2", "w3", "w4", "DAPI", "w5") == []


def test_info_writes_the_option_to_copy(tmp_path):
    for name in ("DAPI", "GFP"):
        tifffile.imwrite(tmp_path / f"D6_01_1_1_{name}_001.tif", image(1))
    plate = open_plate(tmp_path)
    assert "    probably: --channel ER=GFP\n      (GFP is a filter for ER)" in describe(plate)
    assert facts(plate)["proposals"] == [{"channels": {"ER": "GFP"}, "reason": "GFP is a filter for ER"}]
    confirmed = plate.with_channels(plate.stains.proposals[0].channels)
    assert confirmed.stains.channels == {Stain.DNA: "DAPI", Stain.ER: "GFP"}
    assert confirmed.stains.proposals == ()


def test_a_stain_is_read_by_any_of_its_names_and_another_is_refused_with_the_five(tmp_path):
    """Another raised the ValueError of an enumeration."""
    tifffile.imwrite(tmp_path / "A01_s1_DNA.tif", image(1))
    site = open_plate(tmp_path).sites[0]
    assert (site.read(["dna"]) == site.read([Stain.DNA])).all()
    with pytest.raises(StainError, match=r"GFP.*DNA, ER, RNA, AGP and Mito"):
        site.read(["GFP"])


@given(
    st.lists(
        st.sampled_from(["GFP", "TRITC", "RFP", "red", "DAPI", "488", "w1", "Cy5", "x - y"]), unique=True
    )
)
def test_a_proposal_can_always_be_confirmed(names):
    channels = [Channel(name, "file name") for name in names]
    found, _ = map_stains(channels)
    for proposal in found.proposals:
        assert not set(proposal.channels.values()) - set(found.unmapped)
        assert not set(proposal.channels) & set(found.channels)
        assert proposal.reason
        confirmed, _ = map_stains(channels, {**found.channels, **proposal.channels})
        assert set(confirmed.channels) <= set(STAINS)
