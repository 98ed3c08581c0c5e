"""Maps by TorchDR, on the CPU: the same each time, as true to neighbourhoods as those of umap-learn."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from napari_cellclip.explore import umap_map
from napari_cellclip.explore.maps.umap_projection import layout, torch_layout
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import ScreenError


def clusters(n: int = 90) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(6, 12))[np.arange(n) % 6] + 0.3 * rng.normal(size=(n, 12))).astype(np.float32)


@pytest.mark.slow
def test_torchdr_is_as_true_as_umap_learn_and_repeats_with_its_seed() -> None:
    pytest.importorskip("torchdr", exc_type=ImportError)
    unit = unit_rows(clusters(240))
    xy = torch_layout(unit, seed=0, n_neighbors=15, min_dist=0.1)
    assert (xy.shape, xy.dtype) == ((240, 2), np.float32)
    plain = layout(unit, seed=0, n_neighbors=15, min_dist=0.1)
    assert trustworthiness(unit, xy) >= trustworthiness(unit, plain) - 0.01
    np.testing.assert_array_equal(torch_layout(unit, seed=0, n_neighbors=15, min_dist=0.1), xy)
    assert not np.allclose(torch_layout(unit, seed=1, n_neighbors=15, min_dist=0.1), xy)


@pytest.mark.slow
def test_its_map_is_kept_beside_that_of_umap_learn(make_screen, tmp_path) -> None:
    pytest.importorskip("torchdr", exc_type=ImportError)
    vectors = clusters(40)
    vectors[20:] = vectors[20]  # equal embeddings
    screen = make_screen(vectors, path=tmp_path)
    found = umap_map(screen, engine="torchdr")
    assert found.parameters["engine"] == "torchdr"
    assert np.isfinite(found.xy).all()
    np.testing.assert_array_equal(umap_map(screen, engine="torchdr").xy, found.xy)
    assert not np.allclose(umap_map(screen).xy, found.xy)
    assert len(list((tmp_path / "maps").iterdir())) == 2


def test_without_torchdr_it_says_what_to_install(make_screen, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torchdr", None)
    with pytest.raises(ScreenError, match=r"napari-cellclip\[gpu-maps\]"):
        umap_map(make_screen(clusters(), path=tmp_path), engine="torchdr")
    with pytest.raises(ScreenError, match="'cuml' lays out no map: give one of umap-learn, torchdr"):
        umap_map(make_screen(clusters(), path=tmp_path), engine="cuml")
