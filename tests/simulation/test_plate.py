"""Whole plates on disk: what the readers find, and that nothing but the seed decides it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.simulation import (
    Design,
    Nuisance,
    compound_treatment,
    default_design,
    dmso,
    iter_simulate,
    simulate_plate,
)
from napari_cellclip.simulation.plate import COLUMNS, UNFINISHED
from napari_cellclip.vocabulary import STAINS, CellClipError
from napari_cellclip.vocabulary.mechanisms import mechanism

SIZE = (48, 64)


def some_wells(shape: tuple[int, int], names: tuple[str, ...]) -> Design:
    """DMSO and one treated well at given places of a plate."""
    drug = mechanism("plk_inhibitor")
    treated = compound_treatment(drug.compounds[0], drug, 30.0)
    return Design({name: treated if i else dmso() for i, name in enumerate(names)}, shape)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def phenix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plates") / "phenix"
    return simulate_plate(out, wells=6, sites=2, seed=4, size=SIZE, truth=True, workers=1, pixel_size=0.7)


@pytest.fixture(scope="module")
def zarr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plates") / "plate.zarr"
    return simulate_plate(
        out, wells=6, sites=2, seed=4, size=SIZE, layout="ome-zarr", workers=1, pixel_size=0.7
    )


def test_phenix_is_read_as_what_it_is(phenix: Path) -> None:
    plate = open_plate(phenix)
    assert plate.layout == "phenix"
    assert plate.shape == (2, 3)
    assert plate.pixel_size == pytest.approx(0.7)
    assert plate.stains.complete
    assert plate.problems == ()
    assert len(plate.wells) == 6
    assert len(plate.sites) == 12
    assert plate.sites[0].read(STAINS).shape == (5, *SIZE)


def test_both_layouts_hold_the_same_pixels(phenix: Path, zarr: Path) -> None:
    one, other = open_plate(phenix), open_plate(zarr)
    assert other.layout == "ome-zarr"
    assert other.stains.complete
    assert other.pixel_size == pytest.approx(0.7)
    assert [well.name for well in one.wells] == [well.name for well in other.wells]
    for a, b in zip(one.sites, other.sites, strict=True):
        np.testing.assert_array_equal(a.read(STAINS), b.read(STAINS))


def test_number_of_workers_changes_no_byte(phenix: Path, tmp_path: Path) -> None:
    again = simulate_plate(
        tmp_path / "phenix", wells=6, sites=2, seed=4, size=SIZE, truth=True, workers=2, pixel_size=0.7
    )
    assert digest(again) == digest(phenix)


def test_another_seed_is_another_plate(phenix: Path, tmp_path: Path) -> None:
    other = simulate_plate(tmp_path / "p", wells=6, sites=1, seed=5, size=SIZE, workers=1)
    a = open_plate(phenix).sites[0].read(STAINS)
    b = open_plate(other).sites[0].read(STAINS)
    assert (a != b).mean() > 0.5


def test_platemap_tells_the_design(phenix: Path) -> None:
    with (phenix / "platemap.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    design = default_design(6, 4)
    assert [row["well"] for row in rows] == list(design.wells)
    for row in rows:
        treatment = design.wells[row["well"]]
        assert row["treatment"] == treatment.perturbation.name
        assert row["genes"] == "|".join(treatment.perturbation.genes)
        assert float(row["effect"]) == pytest.approx(treatment.effect, abs=1e-4)
    read = PlateMap.read(phenix / "platemap.csv")
    for well, treatment in design.wells.items():
        found = read.get(well)
        assert (found.name, found.smiles, found.dose, found.control) == (
            treatment.perturbation.name,
            treatment.perturbation.smiles,
            treatment.perturbation.dose,
            treatment.perturbation.control,
        )
    assert read.check(open_plate(phenix)) == []


def test_plate_says_that_it_is_simulated(phenix: Path) -> None:
    record = json.loads((phenix / "simulated.json").read_text(encoding="utf-8"))
    assert record["simulated"] is True
    assert record["seed"] == 4
    assert "no real cells" in record["note"]


def test_truth_names_every_cell(phenix: Path) -> None:
    masks = sorted((phenix / "truth").glob("*_cells.tif"))
    assert len(masks) == 12
    for mask in masks:
        labels = tifffile.imread(mask)
        with mask.with_suffix(".csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert labels.shape == SIZE
        assert set(np.unique(labels)) - {0} <= {int(row["cell"]) for row in rows}
        assert {row["responding"] for row in rows} <= {"0", "1"}


def test_controls_hold_no_responding_cell(phenix: Path) -> None:
    design = default_design(6, 4)
    for well, treatment in design.wells.items():
        if treatment.perturbation.is_negative_control:
            for table in (phenix / "truth").glob(f"{well}_*_cells.csv"):
                assert ",1" not in table.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shape", "wells"), [((16, 24), ("A01", "P24")), ((32, 48), ("A01", "AF48")), ((8, 12), ("B03", "H12"))]
)
@pytest.mark.parametrize("layout", ["phenix", "ome-zarr"])
def test_any_format_and_sparse_plates(
    shape: tuple[int, int], wells: tuple[str, ...], layout: str, tmp_path: Path
) -> None:
    out = simulate_plate(
        tmp_path / "plate", sites=1, size=(32, 32), design=some_wells(shape, wells), layout=layout, workers=1
    )
    plate = open_plate(out)
    assert plate.shape == shape
    assert tuple(well.name for well in plate.wells) == wells
    assert plate.sites[1].read(STAINS).shape == (5, 32, 32)


def test_staining_varies_between_wells_and_stains_but_not_cells_places(tmp_path: Path) -> None:
    """The same cells, brighter or dimmer: each stain of each well has a gain of its own."""
    design = Design({f"C{column:02d}": dmso() for column in range(3, 9)}, (8, 12))

    def means(nuisance: Nuisance, name: str) -> np.ndarray:
        out = simulate_plate(
            tmp_path / name, sites=1, seed=1, size=(64, 64), design=design, nuisance=nuisance, workers=1
        )
        return np.array([site.read(STAINS).mean((1, 2)) for site in open_plate(out).sites])

    plain = means(Nuisance.none(), "plain")
    by_well = np.log(means(replace(Nuisance.none(), well_gain=0.4), "wells") / plain)
    by_plate = np.log(means(replace(Nuisance.none(), plate_gain=0.4), "plate") / plain)
    assert 0.1 < by_well.std(0).mean() < 0.6
    # Stains vary on their own, not together.
    assert (by_well - by_well.mean(1, keepdims=True)).std() > 0.05
    # A plate's gain is the same in all its wells, up to the share of background.
    assert np.abs(by_plate.mean(0)).max() > 0.1
    assert by_plate.std(0).max() < 0.15


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process may use all cores")
def test_no_more_processes_than_cores_that_may_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job with one core of a machine of 128 started 128 processes."""
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {7})
    monkeypatch.setattr("napari_cellclip.simulation.plate.ProcessPoolExecutor", None)
    simulate_plate(tmp_path / "p", wells=6, sites=1, size=(32, 32))


def test_progress_counts_wells(tmp_path: Path) -> None:
    steps = list(iter_simulate(tmp_path / "p", wells=6, sites=1, size=(32, 32), workers=1))
    assert [step.done for step in steps] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in steps} == {6}
    assert steps[0].message == "simulated p/A01"


SCRIPT = """
import sys
from pathlib import Path
from napari_cellclip.simulation import simulate_plate

with Path(sys.argv[1], "windows").open("a") as windows:
    windows.write("a window is opened\\n")  # as napari.Viewer() in a script without a guard does
if __name__ == "__main__":
    simulate_plate(Path(sys.argv[1], "p"), wells=6, sites=1, size=(32, 32), workers=2)
"""


def test_processes_do_not_run_the_script_of_the_user_again(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    subprocess.run(
        [sys.executable, script, tmp_path],
        check=True,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert (tmp_path / "windows").read_text().splitlines() == ["a window is opened"]
    assert (tmp_path / "p" / "platemap.csv").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_stopping_half_way_leaves_no_half_plate(workers: int, tmp_path: Path) -> None:
    steps = iter_simulate(tmp_path / "p", wells=6, sites=1, size=(32, 32), workers=workers)
    next(steps)
    assert (tmp_path / "p").exists()
    steps.close()
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"wells": 7}, "no plate has 7 wells"),
        ({"sites": 0}, "at least 1 site"),
        ({"size": (8, 64)}, "32x32"),
        ({"pixel_size": 0.0}, "cannot simulate"),
        ({"layout": "lif"}, "no layout is called 'lif'"),
    ],
)
def test_impossible_plates_are_refused(wrong: dict, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CellClipError, match=sentence):
        simulate_plate(tmp_path / "p", **{"wells": 6, "workers": 1, **wrong})
    assert not (tmp_path / "p" / "platemap.csv").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CellClipError, match="is not empty"):
        simulate_plate(tmp_path, wells=6, workers=1)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_a_killed_run_left_is_told_and_what_to_do(tmp_path: Path, monkeypatch) -> None:
    """It was only "not empty"."""
    out = tmp_path / "p"
    with monkeypatch.context() as killed:
        killed.setattr("napari_cellclip.simulation.plate.shutil.rmtree", lambda *_, **__: None)
        steps = iter_simulate(out, wells=6, sites=1, size=(40, 40), workers=1)
        next(steps)
        steps.close()
    with pytest.raises(CellClipError, match=r"p holds half a plate .* delete that folder and simulate again"):
        simulate_plate(out, wells=6, sites=1, size=(40, 40), workers=1)
    shutil.rmtree(out)
    simulate_plate(out, wells=6, sites=1, size=(40, 40), workers=1)
    assert not (out / UNFINISHED).exists()
