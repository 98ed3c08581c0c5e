"""What a person wants done, and how far it is: the words in which panels and controller speak."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_cellclip.explore.wording.wording import Prompt


class Task(StrEnum):
    """The kinds of work that take time."""

    OPEN = "open"
    SAMPLE = "sample"
    ENCODE = "encode"
    ASK = "ask"
    MAP = "map"
    FIELD = "field"
    EXPLAIN = "explain"
    TILES = "tiles"
    DESCRIBE = "describe"


@dataclass(frozen=True)
class Question:
    """What is asked of a screen: a text, or wells to look like.

    Attributes
    ----------
    text : str
        As typed; for examples, what stands in the query line.
    prompts : tuple of Prompt or str, or None
        Sent as they are, if the user chose them herself.
    combine : {"mean", "max"}
        How several prompts become one score.
    use_platemap : bool
        Whether mechanisms may be worded with compounds that the plate map lists.
    like, but_not : tuple of str
        Ids of example wells, and of those an answer should not look like.
    """

    text: str
    prompts: tuple[Prompt | str, ...] | None = None
    combine: Literal["mean", "max"] = "mean"
    use_platemap: bool = True
    like: tuple[str, ...] = ()
    but_not: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """What to encode, with which model, into which folder.

    Attributes
    ----------
    model : str
        Name of a model card.
    out : Path or None
        Screen folder; ``None`` for one in the cache.
    batch_size : int
        Crops per pass through the channel encoder.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    accept_licence : bool
        Whether the user accepted the model's licence, so that its weights may be fetched.
    """

    model: str = "demo"
    out: Path | None = None
    batch_size: int = 32
    device: str = "auto"
    accept_licence: bool = False


@dataclass(frozen=True)
class Work:
    """How far a piece of work is; ``total`` 0 means that nobody knows."""

    message: str = ""
    done: int = 0
    total: int = 0
    failures: int = 0
