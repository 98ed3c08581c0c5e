"""The roofline of DINOv2-giant, counted by torch, against the formula of a transformer."""

from __future__ import annotations

import pytest

from benchmarks.speed import roofline


def test_operations_and_weights_are_those_of_the_formula() -> None:
    width, layers, patch, hidden = 1536, 40, 14, 4096  # two thirds of four times the width, for SwiGLU
    tokens = (roofline.CROP // patch) ** 2 + 1
    of_a_token = 4 * width**2 + 3 * width * hidden  # queries, keys, values, output; gate, up and down
    attention = 2 * tokens**2 * width
    multiplications = layers * (tokens * of_a_token + attention) + (tokens - 1) * patch**2 * width
    flops, weights = roofline.giant()
    assert flops == pytest.approx(2 * multiplications, rel=0.002)
    assert weights == pytest.approx(layers * of_a_token, rel=0.01)


def test_a_plate_is_cut_into_25_crops_a_stain_of_a_field() -> None:
    said = roofline.statement()
    assert f"{384 * 9 * 5 * 25:,} crops" in said
    assert "598 GFLOP a crop, 258.5 PFLOP a plate: 261 s" in said
