"""Simulated plates to look at, encoded by the bundled model: one of 384 wells, and three in a screen."""

from __future__ import annotations

import shutil
from pathlib import Path

LARGE, SEVERAL = "simulated-384", "three-plates"


def make_screens(folder: Path) -> None:
    """Make the plates and screens that are not there yet (some minutes)."""
    from napari_cellclip.model import load_model
    from napari_cellclip.plates import PlateMap, find_platemap, open_plate
    from napari_cellclip.screen import encode
    from napari_cellclip.simulation import simulate_plate

    model = load_model("demo")
    wanted = {
        LARGE: [(LARGE, 384, 1)],
        SEVERAL: [(f"simulated-{letter}", 48, n) for n, letter in enumerate("ABC", 2)],
    }
    for name, plates in wanted.items():
        out = folder / f"{name}.screen"
        done = folder / f"{name}.done"
        if done.exists():
            continue
        for plate_name, wells, seed in plates:
            path = folder / plate_name
            if not path.exists():
                unfinished = folder / "unfinished" / plate_name
                shutil.rmtree(unfinished, ignore_errors=True)
                simulate_plate(unfinished, wells=wells, sites=1, seed=seed).rename(path)
            plate = open_plate(path)
            table = find_platemap(path)
            assert table is not None
            encode(plate, PlateMap.read(table, plate=plate.name), model, out)
        done.touch()
