"""What is open in one viewer: the state that panels read and write, and the wishes they voice.

A panel never knows another panel. It changes the session, or voices a wish (``ask``, ``open``, ``encode`` …);
the :class:`~napari_cellclip.gui.work.controller.Controller` of the viewer carries wishes out in workers and
writes the result back. No toolkit is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from psygnal import Signal

from napari_cellclip.gui.state.requests import Question, RunPlan, Task, Work
from napari_cellclip.gui.state.selection import Selection
from napari_cellclip.gui.state.view import LEAST_SCORE, Projections, View
from napari_cellclip.gui.state.wells import well_table
from napari_cellclip.vocabulary import Stain, split_id

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_cellclip.explore import Answer, Projection
    from napari_cellclip.explore.explanation.stain_contributions import StainContributions
    from napari_cellclip.explore.maps.cluster_names import NamedCluster
    from napari_cellclip.explore.wording.wording import Prompt
    from napari_cellclip.gui.work.explanations import Where
    from napari_cellclip.plates import Plate, PlateMap, Site, Well
    from napari_cellclip.screen import Screen


class Session:
    """Evented state of the plugin in one viewer.

    Attributes
    ----------
    selection : Selection
        The wells selected, in every view.
    """

    plate_changed = Signal()
    screen_changed = Signal()
    wells_changed = Signal()
    answer_changed = Signal()
    maps_changed = Signal()
    contributions_changed = Signal()
    where_changed = Signal()
    described = Signal(object)
    clusters_changed = Signal()
    view_changed = Signal(object)
    shown_changed = Signal(object)
    work_changed = Signal(str, object)
    said = Signal(str, str)

    asked = Signal(object)
    open_wished = Signal(object)
    sample_wished = Signal()
    encode_wished = Signal(object)
    map_wished = Signal(str)
    canvas_map_wished = Signal()
    explain_wished = Signal(object)
    where_wished = Signal(str)
    describe_wished = Signal(object, object)
    annotate_wished = Signal(object)
    clusters_wished = Signal(object)
    stopped = Signal(str)

    def __init__(self) -> None:
        self.selection = Selection()
        self._plate: Plate | None = None
        self._platemap: PlateMap | None = None
        self._screen: Screen | None = None
        self._answer: Answer | None = None
        self._contributions: StainContributions | None = None
        self._where: Where | None = None
        self._clusters: tuple[NamedCluster, ...] = ()
        self._maps = Projections()
        self._view = View()
        self._suggested = self._view.threshold
        self._shown: str | None = None
        self._work: dict[str, Work] = {}
        self._wells: pd.DataFrame | None = None
        self.questions: list[Question] = []

    # ------------------------------------------------------------------ what is open

    @property
    def plate(self) -> Plate | None:
        """The plate whose pixels are at hand."""
        return self._plate

    @property
    def platemap(self) -> PlateMap | None:
        """What was done to the wells of the plate."""
        return self._platemap

    @property
    def screen(self) -> Screen | None:
        """What has been encoded."""
        return self._screen

    @property
    def answer(self) -> Answer | None:
        """The answer to the newest question."""
        return self._answer

    @answer.setter
    def answer(self, answer: Answer | None) -> None:
        self._answer = answer
        self._wells = None
        self.contributions = self.where = None
        self._suggest_threshold()
        self.answer_changed.emit()
        self.wells_changed.emit()

    @property
    def contributions(self) -> StainContributions | None:
        """What each stain adds to the scores of the wells that were explained last."""
        return self._contributions

    @contributions.setter
    def contributions(self, contributions: StainContributions | None) -> None:
        if contributions is not self._contributions:
            self._contributions = contributions
            self.contributions_changed.emit()

    @property
    def where(self) -> Where | None:
        """Where the field that was explained last matches."""
        return self._where

    @where.setter
    def where(self, where: Where | None) -> None:
        if where is not self._where:
            self._where = where
            self.where_changed.emit()

    @property
    def clusters(self) -> tuple[NamedCluster, ...]:
        """Named clusters of the map looked at."""
        return self._clusters

    @clusters.setter
    def clusters(self, clusters: Iterable[NamedCluster]) -> None:
        found = tuple(clusters)
        if found or self._clusters:
            self._clusters = found
            self.clusters_changed.emit()

    @property
    def maps(self) -> Projections:
        """The maps of the open screen."""
        return self._maps

    @property
    def wells(self) -> pd.DataFrame:
        """One row per well: see :func:`~napari_cellclip.gui.state.wells.well_table`."""
        if self._wells is None:
            self._wells = well_table(self._plate, self._platemap, self._screen, self._answer)
        return self._wells

    def set_plate(self, plate: Plate | None, platemap: PlateMap | None = None) -> None:
        """Open another plate; a screen that was made of the same plate stays open."""
        screen = self._screen
        same = plate is not None and screen is not None and plate.name in screen.plates
        self._plate, self._platemap, self._wells, self._shown = plate, platemap, None, None
        if plate is not None and same and platemap is not None:
            self._screen = screen = screen.with_platemap(platemap, plate=plate.name)
        if not same:
            self._screen, self._answer, self._maps = None, None, Projections()
            self.clusters = ()
            self.contributions = self.where = None
            self.selection.forget()
        self._view = replace(self._view, plate=plate.name if plate is not None else None)
        self.plate_changed.emit()
        if screen is not None and not same:
            self.screen_changed.emit()
            self.answer_changed.emit()
            self.maps_changed.emit()
        self.wells_changed.emit()

    def set_platemap(self, platemap: PlateMap | None) -> None:
        """Give the plate another plate map; nothing has to be encoded again."""
        self._platemap = platemap
        if platemap is not None and self._screen is not None:
            name = self._plate.name if self._plate is not None else None
            self._screen = self._screen.with_platemap(platemap, plate=name)
        self._wells = None
        self.plate_changed.emit()
        self.wells_changed.emit()

    def set_screen(self, screen: Screen | None) -> None:
        """Open an encoded screen; the plate stays open if the screen was made of it."""
        if self._plate is not None and screen is not None and self._plate.name not in screen.plates:
            self._plate, self._platemap, self._shown = None, None, None
            self.plate_changed.emit()
        self._screen, self._answer, self._maps, self._wells = screen, None, Projections(), None
        self.clusters = ()
        self.contributions = self.where = None
        known = set(self.wells.index)
        if not self.selection.ids <= known:
            self.selection.forget()
        plates = list(screen.plates) if screen is not None else []
        if plates and self._view.plate not in plates:
            self._view = replace(self._view, plate=str(plates[0]))
        self.screen_changed.emit()
        self.answer_changed.emit()
        self.maps_changed.emit()
        self.wells_changed.emit()

    def add_map(self, projection: Projection) -> None:
        """Keep a map of the open screen."""
        self._maps = Projections({**self._maps.by_method, projection.method.lower(): projection})
        self.maps_changed.emit()

    # ------------------------------------------------------------------ how it is looked at

    @property
    def view(self) -> View:
        """How wells are coloured and which plate is looked at."""
        return self._view

    def look(self, **changes: Any) -> None:
        """Change the view, e.g. ``look(threshold=4)``; nothing happens if it is so already."""
        view = replace(self._view, **changes)
        if view != self._view:
            self._view = view
            self.view_changed.emit(view)

    def _suggest_threshold(self) -> None:
        """Colour wells that reach half of the best score, until the user has set a threshold.

        It is no verdict, only where to look first: a score has no error rate before it is calibrated.
        """
        if self._answer is None or self._view.threshold != self._suggested:
            return
        best = self._answer.scores["score"].max()
        if np.isfinite(best):
            self._suggested = max(LEAST_SCORE, round(float(best) / 2, 1))
            self.look(threshold=self._suggested)

    @property
    def judged(self) -> bool:
        """Whether a verdict says which wells are in colour; else their score does."""
        return self._view.lit_by == "verdict" and self._answer is not None and self._answer.match is not None

    def lit(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows of a well table are in colour."""
        if self._answer is not None and self.judged:
            return np.isin(table.index.to_numpy(object).astype(str), self._answer.matching_wells)
        return table["score"].to_numpy(float) >= self._view.threshold

    @property
    def matching(self) -> list[str]:
        """Ids of the wells in colour, best first."""
        scores = self.wells["score"][self.lit(self.wells)]
        return [str(i) for i in scores.sort_values(ascending=False).index]

    @property
    def coloured_by(self) -> str:
        """Column that colours wells: the one asked for, or the cosine where no score could be given."""
        scores = self.wells[["score", "cosine"]].notna().any()
        wanted = self._view.colour_by
        return "cosine" if wanted == "score" and not scores["score"] and scores["cosine"] else wanted

    @property
    def shown(self) -> str | None:
        """Id of the site on the canvas."""
        return self._shown

    @property
    def shown_well(self) -> str | None:
        """Id of the well on the canvas."""
        if self._shown is None:
            return None
        plate, well, _ = split_id(self._shown)
        return f"{plate}/{well}"

    def show(self, identifier: str) -> None:
        """Put a site on the canvas, or the first site of a well."""
        if self._plate is None:
            self.said.emit(
                Task.FIELD, "The pixels of this screen are not open: drop its plate folder on the Explorer."
            )
            return
        plate, well, site = split_id(identifier)
        if plate != self._plate.name:
            self.said.emit(
                Task.FIELD, f"Plate {plate} is not open: drop its folder on the Explorer to see its fields."
            )
            return
        if site is None:
            sites = self._well(f"{plate}/{well}").sites
            if not sites:
                self.said.emit(Task.FIELD, f"Well {well} has no images.")
                return
            identifier = sites[0].id
        self._shown = identifier
        self.shown_changed.emit(identifier)

    def step_site(self, step: int) -> None:
        """Show the next or previous site of the well on the canvas, round and round."""
        if self._plate is None or self.shown_well is None:
            return
        sites: tuple[Site, ...] = self._well(self.shown_well).sites
        place = [s.id for s in sites].index(self._shown)
        self.show(sites[(place + step) % len(sites)].id)

    def step_well(self, step: int) -> None:
        """Show the next or previous well that was imaged, and select it."""
        if self._plate is None or self.shown_well is None:
            return
        ids = [w.id for w in self._plate.wells]
        following = ids[(ids.index(self.shown_well) + step) % len(ids)]
        self.selection.replace([following])
        self.show(following)

    def _well(self, identifier: str) -> Well:
        assert self._plate is not None
        return self._plate.well(identifier)

    # ------------------------------------------------------------------ wishes and work

    def ask(self, text: str, prompts: tuple[Prompt | str, ...] | None = None, **options: Any) -> None:
        """Ask the open screen in words; `options` are further fields of a :class:`Question`."""
        text = text.strip()
        if not text:
            self.answer = None
            return
        question = Question(text, prompts, **options)
        self.questions = [*[q for q in self.questions if q.text != text][-99:], question]
        self.asked.emit(question)

    def ask_like(self, wells: Iterable[str], but_not: Iterable[str] = ()) -> None:
        """Ask for wells that look like these, and not like those."""
        like, unlike = tuple(wells), tuple(but_not)
        names = ", ".join(well.split("/")[-1] for well in like[:3]) + (" …" if len(like) > 3 else "")
        others = ", ".join(well.split("/")[-1] for well in unlike[:3]) + (" …" if len(unlike) > 3 else "")
        text = f"wells like {names}" + (f", not like {others}" if unlike else "")
        self.ask(text, like=like, but_not=unlike)

    def ask_again(self) -> None:
        """Ask the last question anew, e.g. with another accepted false-discovery rate."""
        if self.questions and self._answer is not None:
            self.asked.emit(self.questions[-1])

    def explain(self, wells: Iterable[str]) -> None:
        """Find out what each stain adds to the scores of these wells."""
        self.explain_wished.emit(tuple(wells))

    def describe(self, wells: Iterable[str], vocabulary: Any = "mechanisms") -> None:
        """Find the terms of a vocabulary that fit these wells."""
        self.describe_wished.emit(tuple(wells), vocabulary)

    def annotate(self, vocabulary: Any = "mechanisms") -> None:
        """Find the best term of every treatment."""
        self.annotate_wished.emit(vocabulary)

    def name_clusters(self, vocabulary: Any = "mechanisms") -> None:
        """Name the clusters of the map by the terms that fit their wells."""
        self.clusters_wished.emit(vocabulary)

    def find_where(self) -> None:
        """Find out where the field on the canvas matches."""
        if self._shown is not None:
            self.where_wished.emit(self._shown)

    def open(self, path: Path | str, channels: dict[Stain, str] | None = None) -> None:
        """Open a plate folder, a load_data.csv, a screen folder or a plate map."""
        self.open_wished.emit((Path(path), channels))

    def open_sample(self) -> None:
        """Open the simulated 96-well sample plate, made on the first call."""
        self.sample_wished.emit()

    def encode(self, plan: RunPlan) -> None:
        """Encode the open plate, or go on where an earlier run was cancelled."""
        self.encode_wished.emit(plan)

    def make_map(self, method: str) -> None:
        """Compute a map (``"pca"`` or ``"umap"``) of the open screen."""
        self.map_wished.emit(method)

    def show_map_on_canvas(self) -> None:
        """Lay the thumbnails of all wells at their places on the map."""
        self.canvas_map_wished.emit()

    def stop(self, task: Task) -> None:
        """Cancel a piece of work."""
        self.stopped.emit(task)

    def work(self, task: Task) -> Work | None:
        """How far a task is, ``None`` when it is not running."""
        return self._work.get(task)

    def set_work(self, task: Task, work: Work | None) -> None:
        """Say how far a task is (for the controller)."""
        if work is None:
            self._work.pop(task, None)
        else:
            self._work[task] = work
        self.work_changed.emit(task, work)


_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer, made on first use.

    Parameters
    ----------
    viewer : napari.Viewer or its public proxy
        Plugins are handed a proxy; the session belongs to the viewer behind it and dies with it.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _SESSIONS:
        _SESSIONS[viewer] = Session()
    return _SESSIONS[viewer]
