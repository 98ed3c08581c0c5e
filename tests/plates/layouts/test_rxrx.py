"""RxRx1 and RxRx3 folders, made: 8-bit PNG and JPEG 2000, six channels, plates told apart."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.vocabulary import PlateError, Stain
from tests.plates.made_plates import image


def write(root, names):
    for value, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = image(value, (64, 32), "uint8")
        data = (
            imagecodecs.png_encode(pixels)
            if name.endswith("png")
            else imagecodecs.jpeg2k_encode(pixels, level=0)
        )
        file.write_bytes(data)
    return root


@pytest.mark.parametrize("form", ["HUVEC-01/Plate1/{}_s{}_w{}.png", "gene-001/Plate1/{}_s{}_{}.jp2"])
def test_the_published_order_gives_the_stains_and_wga_is_left_out(tmp_path, form):
    names = [form.format(w, s, c) for w in ("B02", "AA07") for s in (1, 2) for c in range(1, 7)]
    write(tmp_path, names)
    experiment = tmp_path / form.split("/")[0]
    assert detect_layout(experiment) == detect_layout(experiment / "Plate1") == "rxrx"
    plate = open_plate(experiment)
    assert (plate.name, plate.shape) == (f"{experiment.name}_1", (32, 48))
    assert plate.stains.channels == {
        Stain.DNA: "w1",
        Stain.ER: "w2",
        Stain.RNA: "w4",
        Stain.AGP: "w3",
        Stain.MITO: "w5",
    }
    assert "phalloidin alone stands for AGP" in plate.stains.ignored["w6"]
    told = " ".join(p.what for p in plate.problems)
    assert "WGA is left out" in told
    assert "8-bit" in told
    pixels = plate.wells[0].sites[0].read(["RNA"])[0]
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, image(3, (64, 32), "uint8"))


def test_plates_of_an_experiment_are_not_mixed(tmp_path):
    write(tmp_path, [f"RPE-02/Plate{p}/B02_s1_w1.png" for p in (1, 2)])
    with pytest.raises(PlateError, match=r"2 plates: choose one with name= \(RPE-02_1, RPE-02_2\)"):
        open_plate(tmp_path / "RPE-02")
    assert [s.id for s in open_plate(tmp_path, name="RPE-02_2").sites] == ["RPE-02_2/B02/1"]


def test_such_names_elsewhere_are_not_taken_for_rxrx(tmp_path):
    write(tmp_path, ["mine/B02_s1_w1.png"])
    assert detect_layout(tmp_path) != "rxrx"
