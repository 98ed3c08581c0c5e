"""Fit models of whether a pair of a treatment and a set is right: logistic, and their recalibration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Predict: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Probabilities (n,) of features (n, K), or of probabilities (n,)."""

PRIOR_PAIRS = 30.0
"""Pairs (a compound counts as one) that the beta calibration weighs as in each step of the isotonic one."""


def logistic(x: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64]) -> Predict:
    """Fit a regularised logistic model of standardised features; returns a function of features."""
    from sklearn.linear_model import LogisticRegression

    mean = np.average(x, axis=0, weights=weight)
    sd = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))
    sd = np.where(sd > 1e-9, sd, 1.0)
    model = LogisticRegression(C=0.3, max_iter=1000)
    model.fit((x - mean) / sd, y, sample_weight=weight)

    def predict(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        clean = np.clip(np.nan_to_num((rows - mean) / sd), -8, 8)
        return np.asarray(model.predict_proba(clean)[:, 1], np.float64) if len(rows) else np.zeros(0)

    return predict


def recalibration(
    predicted: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> Predict:
    """Fit how often pairs were right to what was predicted of them when held out; returns a function.

    Isotonic steps (Zadrozny and Elkan 2002), each drawn to a beta calibration as if `PRIOR_PAIRS` more pairs
    of what that says had stood in it, and joined by lines: where pairs are many they are followed, where they
    are few three numbers fitted to all of them count. The order is never changed.
    """
    from sklearn.isotonic import IsotonicRegression

    if not right.any() or right.all():
        return lambda probability: probability
    beta = _beta_calibration(predicted, right, weight)
    steps = IsotonicRegression().fit(predicted, right.astype(float), sample_weight=weight).predict(predicted)
    _, block = np.unique(steps, return_inverse=True)
    pairs = np.bincount(block, weight)
    middle = np.bincount(block, weight * predicted) / pairs
    known = np.bincount(block, weight * right)
    drawn = (known + PRIOR_PAIRS * beta(middle)) / (pairs + PRIOR_PAIRS)
    shares = IsotonicRegression().fit(middle, drawn, sample_weight=pairs + PRIOR_PAIRS).predict(middle)

    def recalibrate(probability: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.interp(probability, middle, shares), np.float64)

    return recalibrate


def _beta_calibration(
    predicted: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> Predict:
    """Fit a beta calibration to held-out pairs (Kull et al. 2017); returns a function.

    The log odds are a weighted sum of log p and -log(1 - p): unlike a slope and an intercept (Platt 1999) it
    may be too sure of high probabilities and not of low ones. Where a weight would be negative, probabilities
    would change their order; then the slope alone is fitted.
    """
    from sklearn.linear_model import LogisticRegression

    def logs(probability: NDArray[np.float64]) -> NDArray[np.float64]:
        clean = np.clip(np.nan_to_num(probability), 1e-6, 1 - 1e-6)
        return np.stack([np.log(clean), -np.log1p(-clean)], axis=1)

    def odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
        return logs(probability).sum(axis=1, keepdims=True)

    for of in (logs, odds):
        model = LogisticRegression(C=1e6, max_iter=1000)
        model.fit(of(predicted), right, sample_weight=weight)
        if (model.coef_ >= 0).all() and model.coef_.any():
            break
    else:  # nothing was learnt: better no change than an order reversed
        return lambda probability: probability

    def recalibrate(probability: NDArray[np.float64]) -> NDArray[np.float64]:
        made = model.predict_proba(of(probability))[:, 1] if len(probability) else probability
        return np.asarray(np.where(np.isfinite(probability), made, np.nan), np.float64)

    return recalibrate
