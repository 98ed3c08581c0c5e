"""Sphere profiles on negative controls: directions in which controls vary count for less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHRINKAGE = 0.5
"""How far eigenvalues of the controls' correlation are drawn towards their mean; .35 to .7 do equally well
on CPJUMP1 (benchmarks/accuracy/look_alikes.py)."""

MOST_CONTROLS = 3000
"""Controls that a transform is fitted on; more are thinned by a seeded draw."""


@dataclass(frozen=True, eq=False)
class Sphering:
    """ZCA-cor whitening with a shrunken spectrum.

    Kessy, Lewin and Strimmer 2018, doi:10.1080/00031305.2016.1277159.

    Attributes
    ----------
    scale : ndarray of float64 (F,)
        Standard deviation of each feature over controls; 0 where a feature does not vary.
    axes : ndarray of float64 (k, F)
        Principal axes of the scaled controls.
    gain : ndarray of float64 (k,)
        What is multiplied along each axis.
    rest : float
        What is multiplied in all other directions.
    """

    scale: NDArray[np.float64]
    axes: NDArray[np.float64]
    gain: NDArray[np.float64]
    rest: float

    @classmethod
    def fit(cls, controls: NDArray[np.floating], *, shrinkage: float = SHRINKAGE, seed: int = 0) -> Sphering:
        """Fit on control wells.

        Parameters
        ----------
        controls : ndarray (n, F)
            Each less the mean of its plate's controls.
        shrinkage : float
            0: whitened fully (as far as `controls` span), 1: only scaled.
        seed : int
            Of the draw where there are more than `MOST_CONTROLS`.
        """
        exact = np.asarray(controls, np.float64)
        if len(exact) > MOST_CONTROLS:
            chosen = np.random.default_rng([seed, 11]).choice(len(exact), MOST_CONTROLS, replace=False)
            exact = exact[np.sort(chosen)]
        scale = exact.std(axis=0)
        scaled = np.divide(exact, scale, out=np.zeros_like(exact), where=scale > 0)
        _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
        values = lengths**2 / max(len(exact) - 1, 1)
        mean = float(values.sum()) / max(int((scale > 0).sum()), 1)
        if mean == 0:
            return cls(scale, axes[:0], np.zeros(0), 1.0)
        return cls(
            scale,
            axes,
            ((1 - shrinkage) * values + shrinkage * mean) ** -0.5,
            (max(shrinkage, 1e-6) * mean) ** -0.5,
        )

    def __call__(self, profiles: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sphere profiles (n, F)."""
        exact = np.asarray(profiles, np.float64)
        scaled = np.divide(exact, self.scale, out=np.zeros_like(exact), where=self.scale > 0)
        along = scaled @ self.axes.T
        return np.asarray(self.rest * scaled + (along * (self.gain - self.rest)) @ self.axes, np.float64)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The transform as one matrix (F, F): sphered profiles are ``profiles @ matrix``."""
        inner = self.rest * np.eye(len(self.scale)) + (self.axes.T * (self.gain - self.rest)) @ self.axes
        inverse = np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)
        return np.asarray(inverse[:, None] * inner, np.float64)
