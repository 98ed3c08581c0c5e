"""The comparison every image model must beat: five mean intensities and a linear read-out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

BUNDLED = Path(__file__).with_name("mean_intensity.json")
"""The read-out fitted on the training plates of the bundled model."""


def relative_means(means: pd.DataFrame, negative: Sequence[bool] | NDArray[np.bool_]) -> pd.DataFrame:
    """Log mean intensity of each well and stain relative to the plate's negative controls.

    Parameters
    ----------
    means : DataFrame, shape (wells, 5)
        Mean pixel value of each well (rows) and stain (columns), one plate.
    negative : sequence of bool
        Which wells are negative controls; without any, the whole plate is the reference.

    Returns
    -------
    DataFrame
        Same shape. The plate's staining gain cancels out, which favours this comparison.
    """
    chosen = np.asarray(negative, dtype=bool)
    logs = np.log(means.clip(lower=1e-6))
    reference = logs[chosen] if chosen.any() else logs
    return logs - reference.median()


@dataclass(frozen=True)
class IntensityReadout:
    """Multinomial logistic regression from five relative mean intensities to mechanisms.

    Attributes
    ----------
    classes : tuple of str
        Mechanism keys; the empty one stands for no effect.
    weights : ndarray, shape (classes, 5)
    bias : ndarray, shape (classes,)
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(
        cls, means: NDArray[np.float64], labels: Sequence[str], sample_weight: NDArray[np.float64]
    ) -> IntensityReadout:
        """Fit on relative means ``[n, 5]`` of training wells, balanced over mechanisms."""
        spread = means.std(0) + 1e-9
        model = LogisticRegression(C=10.0, max_iter=2000, class_weight="balanced")
        model.fit(means / spread, list(labels), sample_weight=sample_weight)
        return cls(tuple(map(str, model.classes_)), model.coef_ / spread, model.intercept_)

    def scores(self, means: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Log probability of each mechanism for relative means ``[n, 5]``."""
        logits = means @ self.weights.T + self.bias
        logits -= logits.max(1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return dict(zip(self.classes, log_p.T, strict=True))

    def save(self, path: Path, **about: object) -> None:
        """Write the read-out and notes about it as JSON."""
        document: Mapping[str, object] = {
            **about,
            "classes": self.classes,
            "weights": self.weights.round(6).tolist(),
            "bias": self.bias.round(6).tolist(),
        }
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = BUNDLED) -> IntensityReadout:
        """Read a saved read-out."""
        document = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(document["classes"]), np.array(document["weights"]), np.array(document["bias"]))
