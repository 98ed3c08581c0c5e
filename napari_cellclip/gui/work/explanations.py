"""Carries out the wishes to understand an answer: explanations and descriptions, in worker threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_cellclip.gui.state.requests import Task, Work
from napari_cellclip.gui.work.workers import Latest
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore.describe import Description
    from napari_cellclip.explore.explanation.match_heat_map import FieldExplanation
    from napari_cellclip.explore.maps.cluster_names import NamedCluster
    from napari_cellclip.gui.state.session import Session
    from napari_cellclip.screen import Screen


@dataclass(frozen=True, eq=False)
class Where:
    """Where a field matches, and how much its well listens to it.

    Attributes
    ----------
    site : str
        Id of the field.
    field : FieldExplanation
        Scores of its tiles, as a picture too.
    attention : DataFrame or None
        Weight of each field of the well (rows) in its embedding, stain by stain; ``None`` where the model has
        no such weights.
    """

    site: str
    field: FieldExplanation
    attention: pd.DataFrame | None


class Reasons:
    """Listens to the session for what should be explained.

    Parameters
    ----------
    session : Session
        The state to serve.
    lines : dict of Task to Latest
        The lines of work of the controller.
    """

    def __init__(self, session: Session, lines: dict[Task, Latest]) -> None:
        self.session = session
        self._lines = lines
        session.explain_wished.connect(self.on_explain)
        session.where_wished.connect(self.on_where)
        session.describe_wished.connect(self.on_describe)
        session.annotate_wished.connect(self.on_annotate)
        session.clusters_wished.connect(self.on_clusters)
        session.answer_changed.connect(self.on_answer_changed)

    def on_answer_changed(self) -> None:
        """Drop explanations of an earlier answer."""
        for task in (Task.EXPLAIN, Task.TILES):
            if self._lines[task].running:
                self._lines[task].cancel()
                self.session.set_work(task, None)

    def on_explain(self, wells: tuple[str, ...]) -> None:
        """Share the scores of wells among the stains."""
        screen, answer = self.session.screen, self.session.answer
        if screen is None or answer is None:
            self.session.said.emit(Task.EXPLAIN, "Ask something first: an explanation is of an answer.")
            return
        if not wells:
            self.session.said.emit(Task.EXPLAIN, "Select the wells to explain first.")
            return

        def steps() -> Iterator[Any]:
            from napari_cellclip.explore.explanation.stain_contributions import iter_stain_contributions

            found = yield from iter_stain_contributions(screen, wells, answer.direction)
            yield found

        def step(value: Any) -> None:
            if hasattr(value, "total"):
                self.session.set_work(Task.EXPLAIN, Work(value.message, value.done, value.total))
            elif self.session.answer is answer:
                self.session.contributions = value

        self._stream(Task.EXPLAIN, steps, step, "Explaining wells")

    def on_where(self, site: str) -> None:
        """Score the tiles of a field."""
        session = self.session
        screen, answer, plate = session.screen, session.answer, session.plate
        if screen is None or answer is None:
            session.said.emit(Task.TILES, "Ask something first: a heat map shows where an answer comes from.")
            return
        if plate is None:
            session.said.emit(
                Task.TILES, "The pixels of this screen are not open: drop its plate folder here."
            )
            return

        def steps() -> Iterator[Any]:
            from napari_cellclip.explore.explanation.field_attention import field_attention
            from napari_cellclip.explore.explanation.match_heat_map import iter_explain_field

            found = yield from iter_explain_field(screen, plate, site, answer.direction)
            try:
                attention = field_attention(screen, site.rsplit("/", 1)[0])
            except CellClipError:  # a model that takes the median over fields has no weights
                attention = None
            yield Where(site, found, attention)

        def step(value: Any) -> None:
            if hasattr(value, "total"):
                session.set_work(Task.TILES, Work(value.message, value.done, value.total))
            elif session.answer is answer:
                session.where = value

        self._stream(Task.TILES, steps, step, "Scoring the tiles of a field")

    def on_describe(self, wells: tuple[str, ...], vocabulary: Any) -> None:
        """Rank the terms of a vocabulary by how well they fit wells."""

        def describe(screen: Screen, fdr: float) -> Description:
            from napari_cellclip.explore import describe

            return describe(screen, wells, vocabulary, fdr=fdr)

        if wells:
            self._ask_words(describe, self.session.described.emit, "Describing wells")
        else:
            self.session.said.emit(Task.DESCRIBE, "Select the wells to describe first.")

    def on_annotate(self, vocabulary: Any) -> None:
        """Find the best term of every treatment."""

        def annotate(screen: Screen, fdr: float) -> pd.DataFrame:
            from napari_cellclip.explore import annotate_all

            return annotate_all(screen, vocabulary, fdr=fdr)

        self._ask_words(annotate, self.session.described.emit, "Describing all treatments")

    def on_clusters(self, vocabulary: Any) -> None:
        """Name the clusters of the map."""
        projection = self.session.maps.get(self.session.view.map_method)

        def name(screen: Screen, fdr: float) -> list[NamedCluster]:
            from napari_cellclip.explore.maps.cluster_names import name_clusters

            return name_clusters(screen, projection, terms=vocabulary, fdr=fdr)

        def done(found: list[NamedCluster]) -> None:
            if self.session.maps.get(self.session.view.map_method) is projection:
                self.session.clusters = found

        if projection is None:
            self.session.said.emit(Task.DESCRIBE, "There is no map yet: encode a plate first.")
        else:
            self._ask_words(name, done, "Naming the clusters of the map")

    def _ask_words(
        self, work: Callable[[Screen, float], Any], done: Callable[[Any], object], title: str
    ) -> None:
        session = self.session
        screen, fdr = session.screen, session.view.fdr
        if screen is None:
            session.said.emit(
                Task.DESCRIBE, "Nothing is encoded yet: open a plate and press Encode on the Run tab."
            )
            return

        def found(result: Any) -> None:
            if session.screen is screen:
                done(result)

        session.set_work(Task.DESCRIBE, Work(title))
        self._lines[Task.DESCRIBE].start(
            lambda: work(screen, fdr),
            found,
            lambda message: session.said.emit(Task.DESCRIBE, message),
            lambda: session.set_work(Task.DESCRIBE, None),
            title,
        )

    def _stream(self, task: Task, steps: Any, step: Any, title: str) -> None:
        self.session.set_work(task, Work(title))
        self._lines[task].stream(
            steps,
            step,
            lambda: None,
            lambda message: self.session.said.emit(task, message),
            lambda: self.session.set_work(task, None),
            title,
        )
