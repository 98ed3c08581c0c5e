"""Look-alikes on real images: four wells of CPJUMP1, each with a compound of its own, encoded without a hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cellclip import PlateMap, ask, encode, load_model, open_plate
from napari_cellclip.model.packaged import PACKAGED
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError

CHANNELS = {"Mito": "ch1", "AGP": "ch2", "RNA": "ch3", "ER": "ch4", "DNA": "ch5"}
MAP = """well,treatment,mechanism,control_type
N09,AMG900,Aurora kinase inhibitor,
D14,DMSO,,negcon
D08,FK-866,niacinamide phosphoribosyltransferase inhibitor,
G21,TC-S-7004,DYRK inhibitor,
"""


@pytest.fixture(scope="module")
def screen(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Screen:
    if PACKAGED["efficientnet-lite0"].path is None:
        pytest.skip("the extra 'pixels' is not installed")
    folder = tmp_path_factory.mktemp("pixels")
    (folder / "map.csv").write_text(MAP)
    plate = open_plate(real_data / "img_cpjump1_treated", channels=CHANNELS)
    model = load_model("efficientnet-lite0", device="cpu")
    return encode(plate, PlateMap.read(folder / "map.csv"), model, folder / "screen")


@pytest.mark.slow
@pytest.mark.real_data
def test_one_well_of_each_is_ranked_and_nothing_is_claimed(screen: Screen) -> None:
    answer = ask(screen, "Aurora kinase inhibitor")
    assert answer.evidence == "look-alikes"
    assert "has learnt nothing" in answer.evidence_reason
    assert answer.verdict == "Significance not tested"
    table = answer.treatments_table.set_index("treatment")
    assert table[["p", "q", "probability"]].isna().all(axis=None)
    assert table["score"].isna().to_dict() == {"AMG900": True, "FK-866": False, "TC-S-7004": False}, (
        "the only reference is not scored with the help of its own label"
    )


@pytest.mark.slow
@pytest.mark.real_data
def test_what_no_well_carries_is_refused_and_not_made_up(screen: Screen) -> None:
    with pytest.raises(CellClipError, match="no reference treatment carries"):
        ask(screen, "nocodazole")
