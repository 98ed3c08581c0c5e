"""What a screen answers to a text."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Answer:
    """Scores of wells for a text, and all that is needed to trace them.

    Attributes
    ----------
    query : str
        What was typed.
    prompts : tuple of str
        What was sent to the model; their embeddings were averaged on the unit sphere.
    source : str
        Where the prompts came from.
    scores : DataFrame
        Best first, indexed by well id: ``cosine`` (-1..1), ``score`` (robust z of the cosine against the
        negative controls of the same plate; NaN where a plate gives nothing to compare with) and ``rank`` (1
        is best).
    match : bool or None
        Whether there is a match at all; ``None``: this model has not been calibrated.
    notes : tuple of str
        What limits the scores, in sentences.
    model : str
        Name of the model card.
    treatments : Series
        What the plate map says, by well id; shown beside the scores, never used for them.

    Examples
    --------
    >>> answer = ask(screen, "tubulin inhibitor")    # doctest: +SKIP
    >>> answer.top(3)                                 # doctest: +SKIP
    """

    query: str
    prompts: tuple[str, ...]
    source: str
    scores: pd.DataFrame
    model: str
    notes: tuple[str, ...] = ()
    match: bool | None = None
    treatments: pd.Series[str] = field(default_factory=lambda: pd.Series(dtype=str), repr=False)

    def top(self, n: int) -> pd.DataFrame:
        """Return the `n` best wells, best first."""
        return self.scores.head(n)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; numbers that are not finite become ``None``."""
        return {
            "query": self.query,
            "prompts": list(self.prompts),
            "source": self.source,
            "match": self.match,
            "wells": [
                {
                    "id": well,
                    "score": score if math.isfinite(score) else None,
                    "cosine": cosine,
                    "rank": rank,
                    "treatment": self.treatments.get(well, ""),
                }
                for well, score, cosine, rank in zip(
                    self.scores.index.tolist(),
                    self.scores["score"].tolist(),
                    self.scores["cosine"].tolist(),
                    self.scores["rank"].tolist(),
                    strict=True,
                )
            ],
            "notes": list(self.notes),
            "model": self.model,
        }
