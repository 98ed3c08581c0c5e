from __future__ import annotations

import re

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import open_plate
from napari_cellclip.plates.illumination_functions import (
    FEWEST_FIELDS,
    estimate_illumination,
    illumination_of,
)
from napari_cellclip.plates.images.illumination import Illumination, read_function, stretched
from napari_cellclip.vocabulary import STAINS, CellClipError, PlateError
from tests.tiny import write_tiff_plate

SIZE = (96, 128)


def vignette(strength: float) -> np.ndarray:
    """Brightness of a field of `SIZE`, 1 at its dimmest corner."""
    y, x = (np.linspace(-1, 1, n) for n in SIZE)
    shade = 1 - strength * (y[:, None] ** 2 + x[None] ** 2) / 2
    return shade / shade.min()


def write_shaded_plate(folder, wells: int = 30, strength: float = 0.5) -> None:
    """Fields of a few bright cells on a background, seen under one lamp."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    for well in range(wells):
        for stain in STAINS:
            image = np.full(SIZE, 800.0)
            for _ in range(6):
                y, x = rng.integers(0, SIZE[0] - 12), rng.integers(0, SIZE[1] - 12)
                image[y : y + 12, x : x + 12] += 3000
            image = image * vignette(strength) + rng.normal(0, 20, SIZE)
            name = f"{chr(65 + well // 12)}{well % 12 + 1:02d}_s1_{stain}.tiff"
            tifffile.imwrite(folder / name, image.astype(np.uint16))


@pytest.fixture(scope="module")
def shaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shaded") / "P1"
    write_shaded_plate(folder)
    return open_plate(folder)


def flat(**functions: np.ndarray) -> dict:
    return {stain: functions.get(stain.value, np.ones((40, 52), np.float32)) for stain in STAINS}


def test_an_image_is_divided_by_its_function():
    image = np.array([[100, 201], [65535, 4]], np.uint16)
    function = np.array([[2, 2], [0.5, 8]], np.float32)
    found = Illumination({STAINS[0]: function}, "test").correct(STAINS[0], image)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, [[50, 100], [65535, 0]])  # rounded to even, and kept in range
    as_float = Illumination({STAINS[0]: function}, "t").correct(STAINS[0], image.astype(np.float32))
    np.testing.assert_allclose(as_float, image / function)


def test_an_estimate_takes_the_shade_off(shaded):
    """Field means differ by 63 % before and by 5.6 % after."""
    corrected = shaded.with_illumination(estimate_illumination(shaded))
    before = np.median([site.read() for site in shaded.sites], axis=0)
    after = np.median([site.read() for site in corrected.sites], axis=0)

    def unevenness(fields: np.ndarray) -> float:
        means = fields.reshape(5, 8, 12, 8, 16).mean((2, 4))
        return float((means.max((1, 2)) / means.min((1, 2))).max() - 1)

    assert unevenness(before) > 0.6
    assert unevenness(after) < 0.08


def test_an_even_lamp_is_left_alone(tmp_path):
    write_shaded_plate(tmp_path / "P1", strength=0.0)
    for function in estimate_illumination(open_plate(tmp_path / "P1")).functions.values():
        assert function.max() < 1.03


def test_an_estimate_is_the_same_again_and_of_raw_images(shaded):
    first = estimate_illumination(shaded)
    assert estimate_illumination(shaded.with_illumination(first)).digest == first.digest
    assert shaded.with_illumination(first).fingerprint() != shaded.fingerprint()
    assert shaded.with_illumination(first).with_illumination(None).fingerprint() == shaded.fingerprint()


def test_a_digest_tells_functions_stains_and_shapes_apart():
    function = np.full((4, 6), 2.0, np.float32)
    others = [{STAINS[0]: function * 1.01}, {STAINS[1]: function}, {STAINS[0]: function.reshape(6, 4)}, {}]
    digests = [Illumination(functions, "t").digest for functions in ({STAINS[0]: function}, *others)]
    assert len(set(digests)) == 5
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)


def test_too_few_fields_are_refused(tmp_path):
    plate = open_plate(write_tiff_plate(tmp_path / "P1"))
    with pytest.raises(PlateError, match=f"has 6 fields .* at least {FEWEST_FIELDS}"):
        illumination_of(plate, "estimate")


def test_functions_are_found_by_name(tmp_path):
    plate = open_plate(write_tiff_plate(tmp_path / "P1"))
    folder = tmp_path / "illum"
    folder.mkdir()
    for i, stain in enumerate(STAINS):
        np.save(folder / f"P1_Illum{stain}.npy", np.full((40, 52), 1.0 + i))
        np.save(folder / f"P2_Illum{stain}.npy", np.full((40, 52), 9.0))
    corrected = plate.with_illumination(illumination_of(plate, folder))
    raw = plate.sites[0].read()
    for i, image in enumerate(corrected.sites[0].read()):
        np.testing.assert_array_equal(image, np.rint(raw[i] / np.float32(1 + i)))
    (folder / "P1_IllumER.npy").unlink()
    (folder / "P2_IllumER.npy").unlink()
    with pytest.raises(PlateError, match=r"there is no file for ER of plate P1: .* P1_IllumER\.npy"):
        illumination_of(plate, folder)
    with pytest.raises(PlateError, match="is no folder of illumination functions"):
        illumination_of(plate, tmp_path / "nowhere")


def test_functions_that_load_data_names(tmp_path):
    write_tiff_plate(tmp_path / "P1", wells=("A01",), sites=1)
    columns, values = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"], ["P1", "A01", "1"]
    for stain in STAINS:
        columns += [f"FileName_Orig{stain}", f"FileName_Illum{stain}", f"PathName_Illum{stain}"]
        values += [f"A01_s1_{stain}.tiff", f"P1_Illum{stain}.npy", "/home/ubuntu/bucket/illum/P1"]
        np.save(tmp_path / "P1" / f"P1_Illum{stain}.npy", np.full((40, 52), 2.0))
    plain = [i for i, name in enumerate(columns) if "Illum" not in name]
    for name, chosen in (("load_data", plain), ("load_data_with_illum", range(len(columns)))):
        rows = [",".join(row[i] for i in chosen) for row in (columns, values)]
        (tmp_path / "P1" / f"{name}.csv").write_text("\n".join(rows))
    plate = open_plate(tmp_path / "P1", layout="load_data")
    corrected = plate.with_illumination(illumination_of(plate, "load_data"))
    np.testing.assert_array_equal(
        corrected.sites[0].read(), np.rint(plate.sites[0].read() / np.float32(2)).astype(np.uint16)
    )
    (tmp_path / "P1" / "load_data_with_illum.csv").unlink()
    with pytest.raises(PlateError, match="no load_data table"):
        illumination_of(plate, "load_data")


def test_a_function_of_another_plate_is_refused(tmp_path):
    plate = open_plate(write_tiff_plate(tmp_path / "P1"))
    wrong = Illumination(flat(RNA=np.ones((10, 10), np.float32)), "functions of x")
    with pytest.raises(PlateError, match="RNA is 10 x 10 pixels and the image 40 x 52"):
        plate.with_illumination(wrong).sites[0].read()


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.full((4, 4), np.nan), -np.ones((4, 4)), np.ones(3)])
def test_functions_of_no_lamp_are_refused(bad):
    with pytest.raises(PlateError, match="must be one image of positive numbers"):
        Illumination({STAINS[0]: bad.astype(np.float32)}, "test")


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    np.save(tmp_path / "trap.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(PlateError, match="is no illumination function"):
        read_function(tmp_path / "trap.npy")


def test_sizes_are_checked_before_they_are_believed(tmp_path):
    path = tmp_path / "huge.npy"
    np.save(path, np.ones((2, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 2)", b"(8000,8000)", 1)[:200])
    with pytest.raises(PlateError, match="is no illumination function"):
        read_function(path)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_function_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.npy"
    path.write_bytes(content)
    with pytest.raises(CellClipError, match="is no illumination function"):
        read_function(path)


def test_functions_in_columns_first_order_are_read(tmp_path):
    values = np.arange(1.0, 7.0).reshape(2, 3)
    np.save(tmp_path / "f.npy", np.asfortranarray(values))
    np.testing.assert_array_equal(read_function(tmp_path / "f.npy"), values)


def test_a_coarse_grid_is_interpolated_between_the_middles_of_its_blocks():
    grid = np.array([[1.0, 3.0]], np.float32)
    np.testing.assert_allclose(stretched(grid, (2, 4)), [[1.0, 1.5, 2.5, 3.0]] * 2)


def test_functions_of_a_plate_are_not_those_of_one_whose_name_goes_on(shaded, tmp_path):
    for plate, level in (("P1", 2), ("P10", 3)):
        for stain in STAINS:
            np.save(tmp_path / f"{plate}_Illum{stain}.npy", np.full(SIZE, level, np.float32))
    found = illumination_of(shaded, tmp_path)
    assert {float(function.max()) for function in found.functions.values()} == {2.0}
