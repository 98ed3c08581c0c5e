"""p-values of texts that a model knows, from labelled plates where such texts are known to be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CARD_KEY = "query-null"
"""Key of a model card's scores under which its empirical null is stored."""


@dataclass(frozen=True)
class EmpiricalNull:
    """Scores of texts a model knows for treatments they do not describe, measured on labelled plates.

    A share of random directions is exact for texts that mean nothing. Texts that a model was trained on lie
    apart from each other, so for them that share is too large, and by how much can be measured where answers
    are known: p is then the share of wrong pairs of text and treatment that fit at least as well (a conformal
    p-value; Bates et al. 2023, doi:10.1214/22-AOS2244). The plates it was measured on are never those that
    are asked.

    Attributes
    ----------
    random_share : ndarray of float64 (k,)
        Rising shares of random directions.
    wrong_share : ndarray of float64 (k,)
        Share of wrong pairs up to each of them.
    pairs : int
        Wrong pairs it was measured on.
    data : str
        On which plates.
    """

    random_share: NDArray[np.float64]
    wrong_share: NDArray[np.float64]
    pairs: int
    data: str

    @classmethod
    def of_card(cls, scores: dict[str, Any]) -> EmpiricalNull | None:
        """Read the empirical null from a model card's scores; ``None`` if there is none."""
        figures = (scores.get(CARD_KEY) or {}).get("figures") or {}
        if not figures.get("random_share"):
            return None
        return cls(
            np.asarray(figures["random_share"], np.float64),
            np.asarray(figures["share"], np.float64),
            int(figures["pairs"]),
            str(scores[CARD_KEY].get("data", "")),
        )

    @classmethod
    def measured(cls, random_share: NDArray[np.floating], data: str) -> EmpiricalNull:
        """Build the empirical null from the shares of random directions of wrong pairs."""
        grid = np.concatenate([np.geomspace(1e-4, 0.1, 61), np.linspace(0.12, 1, 23)])
        exact = np.sort(np.asarray(random_share, np.float64))
        counts = np.searchsorted(exact, grid, side="right")
        return cls(grid, (1 + counts) / (1 + len(exact)), len(exact), data)

    @property
    def smallest_p(self) -> float:
        """The smallest p it can give."""
        return float(self.wrong_share[0])

    def p_values(self, random_share: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert shares of random directions to p, rounded up to the next step of the table."""
        step = np.searchsorted(self.random_share, np.asarray(random_share) * (1 - 1e-9), side="left")
        return np.asarray(self.wrong_share[np.minimum(step, len(self.wrong_share) - 1)], np.float64)
