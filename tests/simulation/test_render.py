"""Rendered fields: deterministic, true to their phenotype, and untouched where a mechanism does nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellclip.simulation import (
    Nuisance,
    Phenotype,
    Treatment,
    compound_treatment,
    developed,
    dmso,
    render_field,
    render_site,
)
from napari_cellclip.simulation.phenotypes import UNTREATED
from napari_cellclip.vocabulary import STAINS, Stain
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, mechanism

SHAPE = (112, 112)
CLEAN = Nuisance.none()


def field(look: Phenotype = UNTREATED, seed: int = 0, **more):
    more.setdefault("shape", SHAPE)
    more.setdefault("nuisance", CLEAN)
    return render_field(look, seed=seed, **more)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Relative change of an image, beyond what noise does."""
    return float(np.abs(a.astype(float) - b).mean() / (a.astype(float) - a.min()).mean())


def test_shape_type_and_truth_belong_together() -> None:
    found = field(shape=(96, 130))
    assert found.pixels.shape == (5, 96, 130)
    assert found.pixels.dtype == np.uint16
    assert found.cells.shape == (96, 130)
    assert found.cells.max() <= len(found.responding)
    assert found.responding.all()


def test_the_same_seed_is_the_same_field_and_another_is_not() -> None:
    first, again, other = field(seed=5), field(seed=5), field(seed=6)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.cells, again.cells)
    assert (first.pixels != other.pixels).mean() > 0.5


def test_cells_hold_dye_and_the_background_does_not() -> None:
    found = field(seed=1, shape=(192, 192), density=350.0)
    inside, outside = found.cells > 0, found.cells == 0
    assert outside.any()
    for stain in (Stain.ER, Stain.RNA, Stain.AGP):
        image = found.pixels[STAINS.index(stain)].astype(float)
        assert image[inside].mean() > 1.3 * image[outside].mean()


@pytest.mark.parametrize("key", [m.key for m in MECHANISMS])
def test_mechanism_changes_its_stains_and_no_other(key: str) -> None:
    changed = set(mechanism(key).stains)
    seeds = (2, 3)
    before, after = [field(seed=s) for s in seeds], [field(developed(key), seed=s) for s in seeds]
    for i, stain in enumerate(STAINS):
        if stain in changed:
            gaps = [difference(a.pixels[i], b.pixels[i]) for a, b in zip(before, after, strict=True)]
            assert max(gaps) > 0.05, stain
        else:
            for a, b in zip(before, after, strict=True):
                np.testing.assert_array_equal(a.pixels[i], b.pixels[i], err_msg=f"{key} {stain}")


def test_stronger_treatment_looks_less_like_control() -> None:
    drug = mechanism("mito_uncoupler")
    mito = STAINS.index(Stain.MITO)

    def image(effect: float) -> np.ndarray:
        base = compound_treatment(drug.compounds[0], drug, 1.0)
        treatment = Treatment(base.perturbation, drug.key, effect)
        shots = [render_site(treatment, seed=s, size=SHAPE, nuisance=CLEAN).pixels[mito] for s in range(3)]
        return np.stack(shots)

    control = image(0.0)
    gaps = [difference(control, image(effect)) for effect in (0.05, 0.3, 0.9)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 2 * gaps[0] > 0


def test_share_of_responding_cells_follows_the_effect() -> None:
    drug = mechanism("er_stress")
    base = compound_treatment(drug.compounds[0], drug, 1.0)

    def share(effect: float) -> float:
        treatment = Treatment(base.perturbation, drug.key, effect)
        answers = [
            render_site(treatment, seed=s, size=(160, 160), nuisance=CLEAN).responding for s in range(4)
        ]
        return float(np.concatenate(answers).mean())

    weak, strong = share(0.1), share(0.95)
    assert 0 < weak < strong
    assert not render_site(dmso(), seed=0, size=SHAPE).responding.any()


def test_lost_cells_are_lost() -> None:
    full = field(seed=3, shape=(256, 256))
    few = field(Phenotype(survival=0.4), seed=3, shape=(256, 256))
    assert len(few.responding) < 0.8 * len(full.responding)


def test_pixel_size_scales_structures() -> None:
    """Nuclei of the same cells cover the same µm² at half the pixel size: four times the pixels."""
    look = Phenotype(binucleate=0.0, condensed=0.0)
    areas = []
    for pixel_size, side in ((0.8, 120), (0.4, 240)):
        pixels = field(look, seed=9, shape=(side, side), pixel_size=pixel_size).pixels[0].astype(float)
        smooth = gaussian_filter(pixels, 0.6 / pixel_size)
        areas.append((smooth > 0.5 * (smooth.min() + np.percentile(smooth, 99))).mean())
    assert areas[0] == pytest.approx(areas[1], rel=0.15)
    assert 0.03 < areas[0] < 0.4


def test_nuclei_grow_with_their_parameter() -> None:
    def nuclear_area(factor: float) -> float:
        # The same number of cells: only the nuclear area differs.
        image = field(Phenotype(nucleus_area=factor), seed=4).pixels[0].astype(float)
        return float((image > 0.3 * np.percentile(image, 99)).mean())

    assert nuclear_area(1.9) > 1.3 * nuclear_area(1.0)


def test_staining_gain_brightens_one_stain_only() -> None:
    from napari_cellclip.simulation import Staining

    gain = np.ones(5)
    gain[3] = 2.0
    usual, bright = field(seed=8), field(seed=8, staining=Staining(gain, np.ones(5)))
    for i in range(5):
        if i == 3:
            assert bright.pixels[i].mean() > 1.3 * usual.pixels[i].mean()
        else:
            np.testing.assert_array_equal(bright.pixels[i], usual.pixels[i])


def test_defocus_removes_detail() -> None:
    sharp = field(seed=2).pixels.astype(float)
    soft = field(seed=2, nuisance=Nuisance(defocus_share=1.0, read_noise=1, electrons=50, debris=0)).pixels
    detail = [np.abs(np.diff(image, axis=2)).mean((1, 2)) for image in (sharp, soft.astype(float))]
    assert (detail[1] < 0.8 * detail[0]).all()


def test_severe_nuisance_is_outside_the_usual_range() -> None:
    usual, severe = Nuisance(), Nuisance.severe()
    for name in ("plate_gain", "well_gain", "vignetting", "read_noise", "defocus_share", "haze", "debris"):
        assert getattr(severe, name) > getattr(usual, name)
    assert severe.electrons < usual.electrons


def test_an_empty_field_is_background_only() -> None:
    empty = field(seed=0, density=1e-6)
    assert len(empty.responding) == 0
    assert (empty.cells == 0).all()
    assert empty.pixels.std(axis=(1, 2)).max() < 60


def test_response_may_depend_on_place() -> None:
    """Cells respond where they are told to, and they are the cells of the untreated field."""
    look, shape = Phenotype(er_vacuoles=9), (112, 200)
    placed = field(look, seed=6, shape=shape, response=lambda centres: centres[:, 1] < 100)
    never = field(look, seed=6, shape=shape, response=0.0)
    np.testing.assert_array_equal(placed.cells, never.cells)
    columns = {n: np.nonzero(placed.cells == n)[1].mean() for n in np.unique(placed.cells) if n}
    answers = {n: bool(placed.responding[n - 1]) for n in columns}
    assert len(set(answers.values())) == 2
    assert all(columns[n] < 100 + 30 for n, answer in answers.items() if answer)
    assert all(columns[n] > 100 - 30 for n, answer in answers.items() if not answer)
