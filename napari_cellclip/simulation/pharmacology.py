"""Pharmacology of simulated compounds and knockouts: dose response, and effects beside the main one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

_OFF_TARGET = (
    "area", "elongation", "nucleus_area", "nucleus_brightness", "chromatin", "er_brightness", "er_spread",
    "nucleolus_area", "nucleolus_brightness", "rna_cytoplasm", "fibres", "membrane", "golgi",
    "mito_brightness", "mito_spread",
)  # fmt: skip
"""Parameters of a phenotype that a compound may shift a little beside its mechanism."""


@dataclass(frozen=True, slots=True)
class Pharmacology:
    """Pharmacology of one compound or guide: drawn from its name, so it is the same on every plate.

    Attributes
    ----------
    ec50 : float
        Dose of half effect, micromolar.
    hill : float
        Steepness.
    efficacy : float
        Effect at saturating dose, 0..1.
    off_target : dict of str to float
        Small changes of other parameters at full effect, natural logarithms.
    """

    ec50: float
    hill: float
    efficacy: float
    off_target: dict[str, float]

    @classmethod
    def of(cls, name: str) -> Pharmacology:
        """Draw the pharmacology of a compound or gene from its name."""
        rng = np.random.default_rng(zlib.crc32(name.casefold().encode()))
        ec50 = float(np.exp(rng.uniform(np.log(0.05), np.log(1.5))))
        hill, efficacy = float(rng.uniform(1.0, 2.2)), float(rng.uniform(0.78, 1.0))
        chosen = rng.choice(len(_OFF_TARGET), 3, replace=False)
        shifts = 0.14 * rng.standard_normal(3)
        return cls(
            ec50,
            hill,
            efficacy,
            {_OFF_TARGET[i]: float(s) for i, s in zip(chosen, shifts, strict=True)},
        )

    def effect(self, dose: float | None) -> float:
        """Compute the effect 0..1 at a dose in micromolar; ``None`` (a knockout) gives the efficacy."""
        if dose is None:
            return self.efficacy
        if dose <= 0:
            return 0.0
        return self.efficacy / (1 + (self.ec50 / dose) ** self.hill)


def responding_share(effect: float) -> float:
    """Compute the share of cells that respond at an effect: never all of them."""
    return 0.94 * min(max(effect, 0.0), 1.0) ** 0.6
