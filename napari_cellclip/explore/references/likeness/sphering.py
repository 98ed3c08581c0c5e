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


CROSS_FITS = 5
"""Parts of the controls that are sphered by the others."""


def controls_as_unseen(
    sphered: NDArray[np.floating],
    centred: NDArray[np.floating],
    controls: NDArray[np.bool_],
    plates: NDArray[np.integer],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Sphere control wells as treated wells are: by a transform that was fitted without them.

    Whitening makes the very wells it was fitted to shorter than new ones, and a plate's mean lies nearer to
    the controls it was taken of; compared with such controls any treatment would seem to do something.

    Parameters
    ----------
    sphered, centred : ndarray (n, F)
        All wells after and before sphering.
    controls : ndarray of bool (n,)
    plates : ndarray of int (n,)
    seed : int
        Of the parts.

    Returns
    -------
    ndarray of float64 (n, F)
        `sphered`, with other rows for the controls.
    """
    out = np.asarray(sphered, np.float64).copy()
    rows = np.flatnonzero(controls)
    part = np.random.default_rng([seed, 18]).permutation(len(rows)) % CROSS_FITS
    for number in np.unique(part):
        inside, outside = rows[part == number], rows[part != number]
        if len(outside) > 1:
            out[inside] = Sphering.fit(centred[outside], seed=seed)(centred[inside])
    for plate in np.unique(plates[rows]):
        own = rows[plates[rows] == plate]
        if (n := len(own)) > 1:
            out[own] *= np.sqrt((n + 1) / (n - 1))
    return out
