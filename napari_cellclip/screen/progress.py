"""Report the progress of long work: what its generators yield, and how to run them to the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a run.

    Attributes
    ----------
    done, total : int
        Units finished and units in all; sites in the stages ``"intensity"`` and ``"fields"``, wells in
        ``"wells"``, steps in ``"encoder"``, epochs in ``"training"``, wells or tiles in ``"explanation"``.
    message : str
        A few words for people.
    well : str or None
        Id of the last well worked on.
    failures : int
        Sites that could not be used so far.
    stage : {"intensity", "fields", "wells", "encoder", "training", "explanation", "mechanisms", "references"}
        Measuring the plate's intensities, encoding sites (or copying their features), embedding wells;
        training a channel encoder, training a head; explaining why wells match; testing which mechanisms are
        recognisable; installing a public reference set.
    notice : bool
        Whether the message is one that people must not miss, such as a damaged file that is made again.
    """

    done: int
    total: int
    message: str
    well: str | None = None
    failures: int = 0
    stage: Literal[
        "intensity", "fields", "wells", "encoder", "training", "explanation", "mechanisms", "references"
    ] = "fields"
    notice: bool = False


def finished(steps: Generator[Progress, None, T]) -> T:
    """Take all steps of a run, and return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


def as_part(steps: Generator[Progress, None, T], number: int, parts: int) -> Generator[Progress, None, T]:
    """Take the steps of one of several equal parts of a run, counted in percent of the whole.

    Parameters
    ----------
    steps : generator
        The part.
    number, parts : int
        Which one, from 0, of how many.
    """
    try:
        while True:
            step = next(steps)
            done = (number + step.done / max(1, step.total)) / parts
            yield replace(step, done=round(100 * done), total=100)
    except StopIteration as end:
        found: T = end.value
        return found
    finally:
        steps.close()
