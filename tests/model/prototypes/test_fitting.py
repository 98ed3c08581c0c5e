"""Heads on profiles in closed form: against the formula, with missing features, saved and loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    ModelCard,
    WordPieceTokenizer,
    load_model,
    save_model,
)
from napari_cellclip.model.network.cellclip_config import config_from_state
from napari_cellclip.model.network.tokenizer import SPECIAL
from napari_cellclip.model.prototypes.fitting import FitSettings, fit_prototypes, rows_of
from napari_cellclip.model.prototypes.profile_sets import ProfileSet
from napari_cellclip.model.prototypes.sphering import Sphering
from napari_cellclip.vocabulary import STAINS, ModelError, Stain

LABELS = ("tubulin inhibitor", "HDAC inhibitor", "proteasome inhibitor")
WORDS = ("tubulin", "hdac", "proteasome", "inhibitor")
FEATURES = (
    *(f"Cells_Texture_{i}_{stain}" for i in range(8) for stain in STAINS),
    "Cells_AreaShape_Area",
    "Cells_Correlation_K_DNA_ER",
)


def rows(features: tuple[str, ...] = FEATURES) -> dict[Stain, tuple[str, ...]]:
    """Each stain's features, those of two stains and of none in every row they belong to."""
    return {stain: tuple(f for f in features if f"_{stain}" in f or "AreaShape" in f) for stain in STAINS}


@pytest.fixture(scope="module")
def labelled() -> ProfileSet:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, len(FEATURES))) * 3
    profiles = np.concatenate([d + rng.normal(size=(4, len(FEATURES))) for d in directions])
    labels = tuple((LABELS[i // 4],) for i in range(12))
    return ProfileSet(
        "made", FEATURES, profiles.astype(np.float32), labels, rng.normal(size=(60, len(FEATURES)))
    )


@pytest.fixture(scope="module")
def text() -> CellCLIP:
    torch.manual_seed(0)
    network = CellCLIP(
        CellCLIPConfig(
            width=8,
            embed_dim=5,
            layers=1,
            image_tower="mean",
            text_vocabulary=len(SPECIAL) + len(WORDS),
            text_width=16,
            text_layers=1,
            text_heads=2,
            text_intermediate=16,
            text_positions=12,
        )
    )
    with torch.no_grad():
        network.text_proj.weight[-1] = 0
        network.text_proj.bias[-1] = 0
    return network.eval()


@pytest.fixture(scope="module")
def vectors() -> dict[str, NDArray[np.float64]]:
    found = np.append(np.eye(3), np.zeros((3, 2)), axis=1)
    return dict(zip(LABELS, found, strict=True))


def filled(values: NDArray[np.floating], features: tuple[str, ...]) -> torch.Tensor:
    """Profiles as a screen stores them: [n, 1, 5, D]."""
    of = rows(features)
    out = np.zeros((len(values), 1, 5, max(map(len, of.values()))), np.float32)
    for row, stain in enumerate(STAINS):
        for column, name in enumerate(of[stain]):
            out[:, 0, row, column] = values[:, features.index(name)]
    return torch.from_numpy(out)


def by_formula(
    found: ProfileSet, columns: list[int], new: NDArray[np.floating], vectors: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Kernel ridge regression with scikit-learn, less what controls get."""
    from sklearn.kernel_ridge import KernelRidge

    sphere = Sphering.fit(found.controls[:, columns])
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    known, asked, controls = (unit(sphere(x[:, columns])) for x in (found.profiles, new, found.controls))
    kernel = lambda a, b: np.exp(3.0 * (a @ b.T - 1))  # noqa: E731
    targets = np.stack([vectors[labels[0]] for labels in found.labels])
    model = KernelRidge(alpha=1.0, kernel="precomputed").fit(
        kernel(known, known), targets - targets.mean(axis=0)
    )
    return model.predict(kernel(asked, known)) - model.predict(kernel(controls, known)).mean(axis=0)


def test_it_is_kernel_ridge_regression_on_sphered_profiles(labelled, text, vectors) -> None:
    head = fit_prototypes([labelled], rows(), text, vectors)
    new = np.random.default_rng(1).normal(size=(7, len(FEATURES)))
    got = head.embed_bags(filled(new, FEATURES)).detach().numpy()
    wanted = by_formula(labelled, list(range(len(FEATURES))), new, vectors)
    np.testing.assert_allclose(got[:, :-1], wanted[:, :-1], atol=1e-5)


def test_features_that_a_table_lacks_take_no_part(labelled, text, vectors) -> None:
    """Neither do those that it has beside, and their order does not matter."""
    kept = tuple(FEATURES[i] for i in np.random.default_rng(2).permutation(len(FEATURES))[:32])
    table = (*kept, *(f"Cells_Granularity_{i}_DNA" for i in range(9)))
    head = fit_prototypes([labelled], rows(table), text, vectors)
    new = np.random.default_rng(3).normal(size=(5, len(table)))
    whole = np.zeros((5, len(FEATURES)))
    columns = [i for i, name in enumerate(FEATURES) if name in kept]
    for i in columns:
        whole[:, i] = new[:, table.index(FEATURES[i])]
    got = head.embed_bags(filled(new, table)).detach().numpy()
    np.testing.assert_allclose(got[:, :-1], by_formula(labelled, columns, whole, vectors)[:, :-1], atol=1e-5)


def test_a_constant_tells_strong_profiles_from_weak_ones(labelled, text, vectors) -> None:
    """Where a well resembles nothing its cosine with every text is near 0, not that of a unit vector."""
    strong = fit_prototypes([labelled], rows(), text, vectors)
    weightless = fit_prototypes([labelled], rows(), text, vectors, FitSettings(strength=0.0))
    noise = filled(np.random.default_rng(4).normal(size=(20, len(FEATURES))), FEATURES)

    def highest(head: CellCLIP) -> float:
        image = torch.nn.functional.normalize(head.embed_bags(noise), dim=-1).detach().numpy()
        return float(np.abs(image @ np.stack(list(vectors.values())).T).max(axis=1).mean())

    assert highest(strong) < 0.5 * highest(weightless)
    found = torch.nn.functional.normalize(strong.embed_bags(filled(labelled.profiles, FEATURES)), dim=-1)
    cosine = found.detach().numpy() @ np.stack(list(vectors.values())).T
    assert (cosine.argmax(axis=1) == np.repeat([0, 1, 2], 4)).all()


def test_two_sets_of_other_features_are_added_up(labelled, text, vectors) -> None:
    other = replace(
        labelled,
        name="other",
        features=tuple(f.replace("Cells", "Nuclei") for f in FEATURES),
        profiles=labelled.profiles[::-1].copy(),
        labels=labelled.labels[::-1],
        weight=0.5,
    )
    table = (*FEATURES, *other.features)
    both = fit_prototypes([labelled, other], rows(table), text, vectors)
    new = np.random.default_rng(5).normal(size=(4, len(table)))
    own = by_formula(labelled, list(range(len(FEATURES))), new[:, : len(FEATURES)], vectors)
    second = by_formula(other, list(range(len(FEATURES))), new[:, len(FEATURES) :], vectors)
    got = both.embed_bags(filled(new, table)).detach().numpy()
    np.testing.assert_allclose(got[:, :-1], (own + 0.5 * second)[:, :-1], atol=1e-5)
    # A table that measures the first only is read by the first only.
    alone = fit_prototypes([labelled, other], rows(), text, vectors)
    np.testing.assert_allclose(
        alone.embed_bags(filled(new[:, : len(FEATURES)], FEATURES)).detach().numpy()[:, :-1],
        own[:, :-1],
        atol=1e-5,
    )


def test_too_few_shared_features_are_refused(labelled, text, vectors) -> None:
    with pytest.raises(ModelError, match="only 20 of the table's 25 features are known to this head, 30 are"):
        fit_prototypes(
            [labelled], rows((*FEATURES[:20], *(f"Cells_New_{i}_ER" for i in range(5)))), text, vectors
        )


def test_it_is_saved_and_loaded_as_any_model(labelled, text, vectors, tmp_path: Path) -> None:
    head = fit_prototypes([labelled], rows(), text, vectors)
    found = config_from_state(head.state_dict(), text_heads=2)
    assert (found.image_tower, found.prototypes) == ("prototypes", ((len(FEATURES), 12),))
    width = head.config.feature_width
    card = ModelCard(
        name="closed", encoder={"kind": "profile", "name": "made", "dim": width}, embed_dim=5, pooling="mean"
    )
    words = WordPieceTokenizer([*SPECIAL, *WORDS], lowercase=True, max_length=12)
    save_model(tmp_path / "closed", card, None, head, words)
    again = load_model(tmp_path / "closed", device="cpu")
    assert again.card.image_tower == "prototypes"
    new = filled(np.random.default_rng(6).normal(size=(3, len(FEATURES))), FEATURES)
    np.testing.assert_array_equal(again.embed_wells(list(new.numpy())), head.embed_bags(new).detach().numpy())


@pytest.mark.parametrize("text", ["{}", "[]", '{"stains": 3}', "no json", '{"stains": {"DNA": []}}'])
def test_a_list_of_features_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="does not say which stain has which"):
        rows_of(text)


def test_the_matrix_of_a_sphering_leaves_constant_features_out() -> None:
    """Against the transform itself; a feature without spread would be divided by zero."""
    rng = np.random.default_rng(3)
    controls = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6))
    controls[:, 2] = 0
    sphering = Sphering.fit(controls)
    profiles = rng.normal(size=(5, 6))
    assert np.isfinite(sphering.matrix).all()
    assert not sphering.matrix[2].any()
    np.testing.assert_allclose(profiles @ sphering.matrix, sphering(profiles), rtol=1e-9, atol=1e-12)
