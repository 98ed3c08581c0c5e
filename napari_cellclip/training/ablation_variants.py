"""What an ablation varies: the paper's factors, and the runs they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from napari_cellclip.training.config import RunConfig
from napari_cellclip.vocabulary import CellClipError

_ONE_WORDING: dict[str, Any] = {
    "full": 0.0,
    "name": 0.0,
    "smiles": 0.0,
    "mechanism": 0.0,
    "genes": 0.0,
    "cell_line": True,
}

ENCODER, REMOVED = "encoder", "most_attended_removed"

FACTORS: dict[str, dict[str, dict[str, dict[str, Any]]]] = {
    "pooling": {kind: {"model": {"pooling": kind}} for kind in ("attention", "mean", "median", "none")},
    "image_tower": {
        kind: {"model": {"image_tower": kind}} for kind in ("channel_former", "concatenation", "mean")
    },
    "text_tower": {kind: {"model": {"text_tower": kind}} for kind in ("bert", "fingerprint")},
    "loss": {
        kind: {"training": {"loss": kind}}
        for kind in ("cwcl", "clip", "cloob", "sigclip", "s2l", "bi_cwcl", "cwcl_ma")
    },
    "prompt": {
        "all": {"captions": _ONE_WORDING | {"full": 1.0}},
        "no_smiles": {"captions": _ONE_WORDING | {"name": 1.0}},
        "no_name": {"captions": _ONE_WORDING | {"smiles": 1.0}},
        "no_cell_line": {"captions": _ONE_WORDING | {"full": 1.0, "cell_line": False}},
    },
    REMOVED: {str(count): {} for count in range(10)},
}
"""Factors, their levels, and the settings each level stands for; the levels of `encoder` are the screens'."""

PAPER: dict[str, tuple[str, ...]] = {
    "pooling": ("attention", "mean", "median", "none"),
    "image_tower": ("channel_former", "concatenation", "mean"),
    "loss": ("cwcl", "clip", "cloob", "sigclip", "s2l"),
    "prompt": ("all", "no_smiles", "no_name", "no_cell_line"),
    REMOVED: ("0", "1", "2", "3"),
    "text_tower": ("bert", "fingerprint"),
}
"""The ablations of the paper (tables 2, 3, S.2 to S.4), its own choice first, and the chemical baseline."""


@dataclass(frozen=True)
class Variant:
    """One cell of the grid.

    Attributes
    ----------
    levels : mapping of str to str
        Level of each factor that is varied.
    changed : mapping of str to str
        Those of them that are not the baseline's.
    """

    levels: Mapping[str, str]
    changed: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Differences from the baseline, for people."""
        return ", ".join(f"{factor}: {level}" for factor, level in self.changed.items()) or "baseline"

    @property
    def slug(self) -> str:
        """The same for a file name, without what does not concern training."""
        words = [f"{factor} {level}" for factor, level in self.changed.items() if factor != REMOVED]
        return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")[:60] or "baseline"

    @property
    def removed(self) -> int:
        """Most attended instances to leave out when it is scored."""
        return int(self.levels.get(REMOVED, "0"))

    def settings(self, run: RunConfig, seed: int) -> RunConfig:
        """Make the run that trains it: fresh weights, everything else as in `run`.

        Raises
        ------
        CellClipError
            If the settings do not fit each other.
        """
        sections: dict[str, dict[str, Any]] = {"model": {"from_scratch": True}, "training": {"seed": seed}}
        for factor, level in self.levels.items():
            if factor == ENCODER:
                continue
            for section, changes in FACTORS[factor][level].items():
                sections.setdefault(section, {}).update(changes)
        if sections["training"].get("loss", run.training.loss) != run.training.loss:
            sections["training"]["loss_options"] = {}  # they are another loss's
        return run.merged(**sections)


def variants_of(vary: Mapping[str, Sequence[str]], *, cross: bool = False) -> list[Variant]:
    """All cells of a grid, the baseline first.

    Parameters
    ----------
    vary : mapping of str to sequence of str
        Levels of each factor (`FACTORS`, and ``"encoder"``); the first is the baseline's.
    cross : bool
        Every combination of levels; else one factor is changed at a time, as in the paper. Combinations that
        mean nothing are left out: only attention pooling has most attended instances, and a fingerprint reads
        nothing but structures.

    Raises
    ------
    CellClipError
        If a factor or level is unknown, or comes twice.
    """
    for factor, levels in vary.items():
        if factor not in (*FACTORS, ENCODER):
            raise CellClipError(
                f"an ablation has no factor {factor!r}: use one of {', '.join((*FACTORS, ENCODER))}"
            )
        known = list(FACTORS.get(factor, dict.fromkeys(levels)))
        for level in levels:
            if level not in known:
                raise CellClipError(f"{factor} has no level {level!r}: use one of {', '.join(known)}")
        if not levels or len(set(levels)) < len(levels):
            raise CellClipError(f"name each level of {factor} once, the baseline's first")
    first = {factor: levels[0] for factor, levels in vary.items()}
    if cross:
        cells = [dict(zip(vary, levels, strict=True)) for levels in product(*vary.values())]
    else:
        cells = [first]
        cells += [{**first, factor: level} for factor, levels in vary.items() for level in levels[1:]]
    made = [
        Variant(cell, {factor: level for factor, level in cell.items() if level != first[factor]})
        for cell in cells
        if _means_something(cell)
    ]
    if not made:
        raise CellClipError("no combination of these levels can be trained: name others")
    return made


def _means_something(cell: Mapping[str, str]) -> bool:
    favourites = cell.get(REMOVED, "0") == "0" or cell.get("pooling", "attention") == "attention"
    readable = cell.get("text_tower") != "fingerprint" or cell.get("prompt") != "no_smiles"
    return favourites and readable
