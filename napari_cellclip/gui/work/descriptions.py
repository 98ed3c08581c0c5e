"""Handlers that put words to wells: descriptions, annotations of treatments, names of clusters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from napari_cellclip.gui.state.requests import AnnotateRequest, DescribeRequest, NameClustersRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.gui.work.queries import NOT_ENCODED

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore.describe import Description
    from napari_cellclip.explore.maps.cluster_names import NamedCluster
    from napari_cellclip.screen import Screen

T = TypeVar("T")


def describe_wells(jobs: Jobs, request: DescribeRequest) -> None:
    """Rank terms by how well they fit wells."""
    wells, terms = request.wells, request.terms

    def work(screen: Screen, fdr: float) -> Description:
        from napari_cellclip.explore import describe

        return describe(screen, wells, terms, fdr=fdr)

    if wells:
        _describe(jobs, work, jobs.session.described.emit, "Describing wells")
    else:
        jobs.session.message.emit(Task.DESCRIBE, "Select the wells to describe first.")


def annotate_treatments(jobs: Jobs, request: AnnotateRequest) -> None:
    """Find the best term of every treatment."""
    terms = request.terms

    def work(screen: Screen, fdr: float) -> pd.DataFrame:
        from napari_cellclip.explore import annotate_all

        return annotate_all(screen, terms, fdr=fdr)

    _describe(jobs, work, jobs.session.described.emit, "Describing all treatments")


def name_map_clusters(jobs: Jobs, request: NameClustersRequest) -> None:
    """Name the clusters of the map that is looked at."""
    session, terms = jobs.session, request.terms
    projection = session.maps.get(session.view.map_method)
    if projection is None:
        session.message.emit(Task.DESCRIBE, "There is no map yet: encode a plate first.")
        return

    def work(screen: Screen, fdr: float) -> list[NamedCluster]:
        from napari_cellclip.explore.maps.cluster_names import name_clusters

        return name_clusters(screen, projection, terms=terms, fdr=fdr)

    def done(found: list[NamedCluster]) -> None:
        if session.maps.get(session.view.map_method) is projection:
            session.clusters = found

    _describe(jobs, work, done, "Naming the clusters of the map")


def _describe(
    jobs: Jobs, work: Callable[[Screen, float], T], done: Callable[[T], object], title: str
) -> None:
    """Run such work on the open screen; its result is dropped if another screen is open by then."""
    session = jobs.session
    screen, fdr = session.screen, session.view.fdr
    if screen is None:
        session.message.emit(Task.DESCRIBE, NOT_ENCODED)
        return

    number = session.screen_number

    def found(result: T) -> None:
        if session.screen_number == number:
            done(result)

    jobs.run(Task.DESCRIBE, lambda: work(screen, fdr), found, title)
