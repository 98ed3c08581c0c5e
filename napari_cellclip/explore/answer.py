"""The answer of a screen to a question: scores, verdict, and how both came about."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.explore.asked_screen import exclusion_notes
from napari_cellclip.explore.calibration.verdict import Verdict, answer_sentence
from napari_cellclip.explore.corrected_texts import correction_notes
from napari_cellclip.vocabulary.ids import split_ids
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.explore.calibration.findings import Findings
    from napari_cellclip.explore.references.evidence import ReferenceEvidence
    from napari_cellclip.explore.wording.wording import Prompt
    from napari_cellclip.screen import Screen

LOOK_ALIKE_COLUMNS = (
    *("looks_like", "built_like", "probability", "precision", "precision_low", "precision_high"),
    *("precision_n", "agreement", "nearest", "rivals", "words_score", "words_p"),
)
"""Further columns of an answer by look-alikes; the last two where words take part too."""

TREATMENT_COLUMNS = ("treatment", "dose", "n_wells", "n_plates", "score", "p", "q", "smallest_p", "active")


def no_treatments() -> pd.DataFrame:
    """Make a table of treatments without rows."""
    return pd.DataFrame({name: [] for name in TREATMENT_COLUMNS})


@dataclass(frozen=True)
class Answer:
    """Scores of wells for a text, and all that is needed to trace them.

    Attributes
    ----------
    query : str
        What was typed.
    prompts : tuple of str
        What was sent to the model.
    source : str
        Where the prompts came from.
    scores : DataFrame
        Best first, indexed by well id: ``cosine`` (-1..1), ``score`` (robust standard score of the cosine
        against the negative controls of the same plate, its spread moderated over plates and background
        prompts; NaN where a plate gives nothing to compare with), ``rank`` (1 is best), ``z`` (how far the
        score stands out of those that background prompts give this well) and ``q`` (false-discovery rate
        of the well's treatment and dose; NaN for controls).
    outcome : Verdict
        Whether treatments match significantly, none does, or nothing could be tested (the notes say why).
    fdr : float
        The accepted false-discovery rate.
    treatments_table : DataFrame
        One row for each treatment and dose, best first: ``treatment``, ``dose`` (µM), ``n_wells``,
        ``n_plates``, ``score`` (mean of its wells), ``p``, ``q``, ``smallest_p`` (that it could have got) and
        ``active`` (whether it differs from control wells in any background prompt; where fewer than half
        do, only those are tested). Wells of which the plate map says nothing stand alone; the index lists
        the wells, joined by ``|``.
    null : dict
        What p was computed from: ``kind``, ``n``, ``seed``, ``smallest_p``, ``model`` and more.
    sent : tuple of Prompt
        The same prompts with weights and sources, those that were switched off among them.
    direction : ndarray of float32 (E,) or None
        The question as one vector of length 1, which explanations are about; that of the first term if
        wells had to answer several (``AND``).
    notes : tuple of str
        What limits the answer, in sentences.
    model : str
        Name of the model card.
    evidence : str
        What scores rest on: ``words``, ``look-alikes``, ``both`` or ``example wells``.
    evidence_reason : str
        Why that was used.
    references : ReferenceEvidence or None
        The reference treatments of an answer by look-alikes. `treatments_table` then has more columns:
        ``looks_like`` and ``built_like`` (standard scores of likeness by profile and by structure),
        ``probability`` that a treatment shares what is asked, how often labelled treatments of about that
        probability did (``precision`` with ``precision_low``, ``precision_high`` and ``precision_n``),
        replicate ``agreement``, the ``nearest`` references, and ``rivals``: references of other mechanisms
        that are about as near.
    treatments : Series
        What the plate map says, by well id; shown beside the scores, never used for them.

    Examples
    --------
    >>> answer = ask(screen, "tubulin inhibitor")    # doctest: +SKIP
    >>> answer.verdict                                # doctest: +SKIP
    '14 wells of 3 treatments match (FDR ≤ 5 %)'
    """

    query: str
    prompts: tuple[str, ...]
    source: str
    scores: pd.DataFrame
    model: str
    notes: tuple[str, ...] = ()
    outcome: Verdict = Verdict.NOT_TESTED
    treatments: pd.Series[str] = field(default_factory=lambda: pd.Series(dtype=str), repr=False)
    fdr: float = FDR
    treatments_table: pd.DataFrame = field(default_factory=no_treatments, repr=False)
    null: dict[str, Any] = field(default_factory=dict, repr=False)
    sent: tuple[Prompt, ...] = field(default=(), repr=False)
    direction: NDArray[np.float32] | None = field(default=None, repr=False)
    evidence: str = "words"
    evidence_reason: str = ""
    references: ReferenceEvidence | None = field(default=None, repr=False)

    def top(self, n: int) -> pd.DataFrame:
        """Return the `n` best wells, best first."""
        return self.scores.head(n)

    @property
    def match(self) -> bool | None:
        """Whether any treatment matches; ``None`` if nothing could be tested."""
        return self.outcome.match

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        return answer_sentence(self.outcome, self.matches, self.fdr)

    @property
    def matches(self) -> pd.DataFrame:
        """Rows of `treatments_table` that match at the accepted rate."""
        table = self.treatments_table
        if self.outcome is not Verdict.SIGNIFICANT:
            return table.iloc[:0]
        return table[(table["q"] <= self.fdr).to_numpy(bool)]

    @property
    def matching_wells(self) -> tuple[str, ...]:
        """Ids of the wells of `matches`."""
        return tuple(well for wells in self.matches.index for well in split_ids(wells))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; numbers that are not finite become ``None``."""
        table = self.treatments_table
        return {
            "query": self.query,
            "match": self.match,
            "verdict": self.verdict,
            "fdr": self.fdr,
            "q": _number(table["q"].min()) if len(table) else None,
            "evidence": self.evidence,
            "evidence_reason": self.evidence_reason,
            "references": self.references.to_json() if self.references is not None else None,
            "prompts": list(self.prompts),
            "source": self.source,
            "treatments": [
                {
                    "wells": split_ids(wells),
                    **{
                        name: _plain(row[name])
                        for name in (*TREATMENT_COLUMNS, *LOOK_ALIKE_COLUMNS)
                        if name in table
                    },
                }
                for wells, row in zip(table.index, table.to_dict("records"), strict=True)
            ],
            "wells": [
                {
                    "id": well,
                    **{name: _plain(value) for name, value in row.items()},
                    "treatment": self.treatments.get(well, ""),
                }
                for well, row in zip(self.scores.index, self.scores.to_dict("records"), strict=True)
            ],
            "null": {name: _plain(value) for name, value in self.null.items()},
            "notes": list(self.notes),
            "model": self.model,
        }


def answer_of(
    screen: Screen,
    findings: Findings,
    *,
    query: str,
    source: str,
    direction: NDArray[np.float32] | None,
    fdr: float,
    evidence: str = "words",
    evidence_reason: str = "",
    references: ReferenceEvidence | None = None,
    prompts: tuple[str, ...] = (),
    sent: tuple[Prompt, ...] = (),
    notes: tuple[str, ...] = (),
) -> Answer:
    """Make an answer of what was found about a screen."""
    return Answer(
        query=query,
        prompts=prompts,
        source=source,
        scores=findings.scores,
        model=screen.card.name,
        notes=(*notes, *findings.notes, *exclusion_notes(screen), *correction_notes(screen, evidence)),
        outcome=findings.verdict,
        treatments=screen.wells["Metadata_treatment"],
        fdr=fdr,
        treatments_table=findings.treatments_table,
        null=findings.null if screen.correction is None else findings.null | screen.correction.about,
        sent=sent,
        direction=direction,
        evidence=evidence,
        evidence_reason=evidence_reason,
        references=references,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return _number(float(value)) if isinstance(value, float | np.floating) else value


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
